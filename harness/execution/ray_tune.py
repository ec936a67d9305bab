"""Runs through Ray Tune, which gives them workers; all else is decided by the `RunBook`.

Nothing of Ray's own state is ever restored, and Ray repeats nothing.
"""

import io
import logging
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from harness.core.machine import Machine
from harness.core.run import RunListener
from harness.execution.ray_session import Resources, num_slots
from harness.execution.run_book import RunBook, RunSource
from harness.execution.storage import Storage
from harness.execution.worker import work

log = logging.getLogger(__name__)


def execute(
    source: RunSource,
    *,
    machine: Machine,
    resources: Resources,
    scratch: Path,
    listeners: Sequence[RunListener] = (),
    storage: Storage | None = None,
    may_grow: bool = False,
) -> None:
    """Make every run of `source`, within a Ray session.

    Interrupted, the unfinished runs are marked `preempted`; they go on from their checkpoints when
    they are run again.

    Args:
        scratch: A folder for Ray's own files, of no use afterwards.
        may_grow: Ray's cluster may have an autoscaler, which adds nodes for what has no room.

    Raises:
        KeyboardInterrupt: The process was asked to end.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # faults are told by the book
    book = RunBook(source, machine=machine, listeners=listeners, storage=storage)
    searcher = _BookSearcher(book, resources, may_grow=may_grow)
    tuner = tune.Tuner(
        tune.with_resources(work, {"cpu": resources.cpus, "gpu": resources.gpus or 0}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=_BookScheduler(book),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=_name_of,
            trial_dirname_creator=_name_of,
        ),
        run_config=tune.RunConfig(
            name="ray",
            storage_path=str(scratch),
            callbacks=[_BookCallback(book, searcher)],
            failure_config=tune.FailureConfig(max_failures=0),
            verbose=0,
            progress_reporter=_NoReporter(),
        ),
    )
    try:
        # Ray prints a line of its own where a run ends without a result, verbose=0 or not.
        with _interruptible(book), redirect_stdout(io.StringIO()):
            tuner.fit()
    except Exception:
        if not searcher.is_over:
            raise
        # Ray reads its own files of the runs back, which a disk that was full has cut off.
        log.debug("Ray's files are not whole", exc_info=True)
    finally:
        book.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _name_of(trial: Trial) -> str:
    return str(trial.config["name"])


class _NoReporter(tune.ProgressReporter):
    """In place of Ray's own for notebooks, which clears the cell, whatever `verbose` says."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:
        return False


class _DriverOnly:
    """Ray pickles its searcher and callbacks for a restore that is never asked for."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (object, ())


class _BookSearcher(_DriverOnly, Searcher):
    def __init__(self, book: RunBook, resources: Resources, *, may_grow: bool) -> None:
        super().__init__()
        self.book = book
        self.resources = resources
        self.may_grow = may_grow
        self.is_over = False
        """True from when every run has ended."""
        self.trials: Sequence[Trial] = ()
        """Ray's own, as of now; told by the callback."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """An order; None while others are open, because a fault may bring one of them back.

        One order more than the cluster has room for keeps the next worker warm and an autoscaler
        informed. A single slot for good needs neither, and its next trial learns from the last.
        """
        self._recover_orphans()
        slots = num_slots(self.resources)
        is_ahead = slots > 1 or self.may_grow
        if len(self.book.open_runs) > (slots if is_ahead else 0):
            return None
        order = self.book.take(trial_id)
        if order is None and not self.book.open_runs:
            self.is_over = True
            return Searcher.FINISHED
        return order

    def _recover_orphans(self) -> None:
        """Take back the orders of trials that Ray gave up without a word.

        It does where a worker cannot be used again (`TuneController._on_trial_reset`, Ray 2.60).
        """
        for trial in self.trials:
            if trial.is_finished():
                self.book.put_back(trial.trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The callback below hears of it too, and has the trial itself."""

    def save(self, checkpoint_path: str) -> None:
        """The run directories are the state."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError


class _BookScheduler(_DriverOnly, FIFOScheduler):
    def __init__(self, book: RunBook) -> None:
        super().__init__()
        self.book = book

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        is_going_on = self.book.note(trial.trial_id, result)
        return TrialScheduler.CONTINUE if is_going_on else TrialScheduler.STOP

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Asked in every round of Ray's loop, so here runs are ended that may not go on.

        Raises:
            KeyboardInterrupt: The process was asked to end.
        """
        if self.book.is_interrupted:
            raise KeyboardInterrupt
        for trial_id in self.book.to_end_now():
            tune_controller.stop_trial(tune_controller.get_trial(trial_id))
        return super().choose_trial_to_run(tune_controller)


class _BookCallback(_DriverOnly, tune.Callback):
    def __init__(self, book: RunBook, searcher: _BookSearcher) -> None:
        self.book = book
        self.searcher = searcher

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self.searcher.trials = trials

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self.book.start(trial.trial_id)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self.book.end(trial.trial_id)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self.book.end(trial.trial_id, fault=_fault_of(trial))


def _fault_of(trial: Trial) -> str:
    """What Ray has written of a trial's last error; empty where it could not."""
    with suppress(OSError, TypeError):
        return Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    return ""


@contextmanager
def _interruptible(book: RunBook) -> Iterator[None]:
    """Ctrl-C and a cluster's polite end (SIGTERM) end the runs, wherever they are met.

    An exception that a signal raises within a callback of C code is lost; the mark is not.
    """

    def interrupt(signum: int, frame: object) -> None:
        book.is_interrupted = True
        raise KeyboardInterrupt

    before = {}
    try:
        for name in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError):  # not the main thread, so nobody sends us signals
                before[name] = signal.signal(name, interrupt)
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
