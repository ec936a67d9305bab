"""What a Ray worker does: one run after another, each in its directory.

The worker writes the run directory; the driver only reads it.
"""

import atexit
import gc
import hashlib
import logging
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from harness.core.errors import DivergedError, HarnessError
from harness.core.imports import import_quickly
from harness.core.locks import LockedError, is_held
from harness.core.looks import Look, ignore_look
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.records import EarlyReport, EpochReport, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.execution.storage import Storage

log = logging.getLogger(__name__)

NEEDED = ("harness.trial", "harness.scoring")
PATIENCE = {"TUNE_FUNCTION_THREAD_TIMEOUT_S": "60"}
"""Ray gives up a worker, and its next trial, that does not let go of the last one in 2 s."""


def work(order: dict[str, Any]) -> None:
    """Make one run. What the run itself did wrong is in its status, and nothing is raised.

    Raises:
        Exception: A fault of the code or of this process, which a fresh process may not have.
    """
    os.environ.update(PATIENCE)
    _warm_up()
    if order["storage"] is None:
        _make(order, Path(order["run_dir"]), _tell, ignore_look)
        return
    storage = Storage.open(order["storage"])
    name = f"{order['group']}/{order['name']}"
    run_dir = _local_folder(storage) / name
    storage.pull(run_dir, name)

    def push_and_tell(report: EpochReport | EarlyReport) -> None:
        try:
            storage.push(run_dir, name)
        except HarnessError as error:  # the next push makes up for it
            log.warning("%s: epoch %g is not in the storage yet: %s", name, report.epoch, error)
        _tell(report)

    def push_look(look: Look) -> None:
        storage.push(run_dir, name)

    try:
        _make(order, run_dir, push_and_tell, push_look)
    finally:
        storage.push(run_dir, name)
        if not is_held(RunDirectory(run_dir).lock_file):  # another process may be at work there
            shutil.rmtree(run_dir, ignore_errors=True)  # who makes it again fetches all of it


def _make(
    order: dict[str, Any],
    run_dir: Path,
    report: Callable[[EpochReport | EarlyReport], None],
    looked: Callable[[Look], None],
) -> None:
    from harness.scoring import score_test
    from harness.trial import run_trial

    if was_closed(order, run_dir):
        return
    machine = Machine(**order["machine"] | {"store": Path(order["machine"]["store"])})
    try:
        run_trial(
            Recipe.model_validate(order["recipe"]),
            machine,
            run_dir,
            report,
            reports_per_epoch=order["reports_per_epoch"],
            report_early=report,
        )
        if order["kind"] == "final":
            score_test(machine, run_dir, looked)
    except LockedError:
        raise  # another process is at work here: the run is not ours to name
    except (HarnessError, DivergedError):
        pass  # named in the run's status
    except Exception:
        (run_dir / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        raise
    finally:
        _give_memory_back()


def _warm_up() -> None:
    """Import what makes runs, which the driver need not have.

    It takes seconds, in which a driver may be interrupted: so it comes before the run's folder is
    brought here, and its status read.

    What is there then stays, so no garbage is looked for among it: after each run that would take a
    third of a second.
    """
    if sys.modules.keys() >= {*NEEDED}:
        return
    import_quickly(*NEEDED)
    gc.freeze()
    atexit.register(gc.unfreeze)  # else modules in C++ call what they find at the end leaked


def _tell(report: EpochReport | EarlyReport) -> None:
    """Report to the driver, and wait for its word; a run that it stops ends here."""
    if isinstance(report, EarlyReport):
        tune.report({"early": report.epoch, "score": report.score})
        return
    tune.report({"epoch": report.epoch} | report.metrics)


def was_closed(order: dict[str, Any], run_dir: Path) -> bool:
    """True where the driver has put the run aside or cancelled it since it gave the order.

    Asked at the last moment: a driver may be interrupted, or told to cancel, while a worker gets
    ready.
    """
    before, status = Status.model_validate(order["status"]), RunDirectory(run_dir).status
    return status.outcome in (Outcome.PREEMPTED, Outcome.CANCELLED) and status != before


def _give_memory_back() -> None:
    """The process is warm for the next run, which must find the device as empty as this one did."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _local_folder(storage: Storage) -> Path:
    """Where this node keeps the run directories that it mirrors into a storage."""
    place = hashlib.sha256(storage.uri.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"harness-{os.getuid()}" / place
