"""The Python interface: what a notebook or a script types, as the command line has it.

The functions are those of the commands, with their options as keywords, their defaults and their
names: `harness search --gpus-per-trial 0.5` is `harness.search(gpus_per_trial=0.5)`. What the
commands print are objects here: tables are pandas frames, figures matplotlib's. Everything is read
from the folders when it is asked for. A mistake raises `HarnessError`; work that is interrupted, as
by a notebook's stop button, goes on when the same call is made again.
"""

from harness.api.board import Board
from harness.api.comparisons import Results, benchmark, evaluate, open_results, report
from harness.api.control import Standing, cancel, retry, status, stop
from harness.api.models import Explained, explain, export, open_model, predict, promote
from harness.api.run import Run, open_run, runs, train
from harness.api.searches import estimate, open_search, search, spaces, winners
from harness.api.stores import (
    Checked,
    ImageStore,
    check_store,
    make_phantom,
    open_store,
    prepare,
    prepare_chestmnist,
)
from harness.api.upkeep import doctor, gc
from harness.core.errors import HarnessError

__all__ = [
    "Board",
    "Checked",
    "Explained",
    "HarnessError",
    "ImageStore",
    "Results",
    "Run",
    "Standing",
    "benchmark",
    "cancel",
    "check_store",
    "doctor",
    "estimate",
    "evaluate",
    "explain",
    "export",
    "gc",
    "make_phantom",
    "open_model",
    "open_results",
    "open_run",
    "open_search",
    "open_store",
    "predict",
    "prepare",
    "prepare_chestmnist",
    "promote",
    "report",
    "retry",
    "runs",
    "search",
    "spaces",
    "status",
    "stop",
    "train",
    "winners",
]
