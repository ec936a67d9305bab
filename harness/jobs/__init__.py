"""The jobs whole, as the command line and the quickstart call them.

Each checks all that can be checked before the first run, then continues what its folder holds:
progress on the terminal, MLflow beside it, the run directories as the truth.
"""
