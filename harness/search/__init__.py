"""Ray Tune and Optuna: the only importer of both."""
