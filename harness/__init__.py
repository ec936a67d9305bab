"""Fair hyperparameter search and honest benchmark tables for chest X-ray classifiers."""

from importlib.metadata import version

__version__ = version("harness")
