"""MLflow as an index of the run directories: browsed by people, rebuilt from the folders.

The only importer of mlflow, for the driver process only; workers never talk to it.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # mlflow reads it when imported
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from harness.tracking.browse import WinnerRow, filter_string, serve_ui, ui_command, winners
from harness.tracking.doctor import close_stale, find_stale
from harness.tracking.stale import StaleRun
from harness.tracking.store import redact, store_uri
from harness.tracking.tracker import Tracker

__all__ = [
    "StaleRun",
    "Tracker",
    "WinnerRow",
    "close_stale",
    "filter_string",
    "find_stale",
    "redact",
    "serve_ui",
    "store_uri",
    "ui_command",
    "winners",
]
