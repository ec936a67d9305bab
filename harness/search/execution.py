"""Runs through Ray Tune: who is next, what a worker does, and how each end is named.

The workers write run directories; this module, in the driver, only reads them and tells the
source of the runs and the listeners. Nothing of Ray's own state is ever restored.
"""

import io
import logging
import signal
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Protocol

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from harness.core.errors import DivergedError, HarnessError
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.records import EpochReport, FailureReason, Outcome, Status
from harness.core.run import Run, RunListener
from harness.search.ray_session import Resources

log = logging.getLogger(__name__)

NUM_LOST_WORKERS_BORNE = 3


class RunSource(RunListener, Protocol):
    """Who decides which run is next, and learns how each went."""

    def next_run(self) -> Run | None:
        """The next run to be made; None when there is no more."""


class RunList:
    """A source of runs that are all known from the start."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.waiting = deque(runs)

    def next_run(self) -> Run | None:
        return self.waiting.popleft() if self.waiting else None

    def on_start(self, run: Run) -> None: ...

    def on_epoch(self, run: Run, report: EpochReport) -> None: ...

    def on_end(self, run: Run, status: Status) -> None: ...


def execute(
    source: RunSource,
    *,
    machine: Machine,
    resources: Resources,
    scratch: Path,
    listeners: Sequence[RunListener] = (),
    scheduler: TrialScheduler | None = None,
) -> None:
    """Make every run of `source`, within a Ray session.

    `scratch` is a folder for Ray's own files, of no use afterwards. Interrupted, the unfinished
    runs are marked `preempted`; they go on from their checkpoints when they are run again.

    Raises:
        KeyboardInterrupt: The process was asked to end.
    """
    book = _RunBook(source, machine, listeners)
    tuner = tune.Tuner(
        tune.with_resources(train_in_worker, {"cpu": resources.cpus, "gpu": resources.gpus or 0}),
        tune_config=tune.TuneConfig(
            search_alg=_BookSearcher(book),
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=_name_of,
            trial_dirname_creator=_name_of,
        ),
        run_config=tune.RunConfig(
            name="ray",
            storage_path=str(scratch),
            callbacks=[_BookCallback(book)],
            failure_config=tune.FailureConfig(max_failures=NUM_LOST_WORKERS_BORNE),
            verbose=0,
        ),
    )
    try:
        # Ray prints a line of its own where a run ends without a result, verbose=0 or not.
        with _sigterm_as_interrupt(), redirect_stdout(io.StringIO()):
            tuner.fit()
    finally:
        book.close()


def train_in_worker(config: dict[str, Any]) -> None:
    """What a Ray worker does: one run, its errors written down and not raised.

    A run that fails by itself must not be tried again; what Ray sees fail is a lost worker.
    """
    from harness.trial import run_trial, score_test

    machine = Machine(**config["machine"] | {"store": Path(config["machine"]["store"])})
    run_dir = Path(config["run_dir"])

    def report(epoch: EpochReport) -> None:
        tune.report({"epoch": epoch.epoch} | epoch.metrics)

    try:
        run_trial(Recipe.model_validate(config["recipe"]), machine, run_dir, report)
        if config["kind"] == "final":
            score_test(machine, run_dir)
    except (HarnessError, DivergedError):
        pass  # named in the run's status
    except Exception:
        (run_dir / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")


def _name_of(trial: Trial) -> str:
    return str(trial.config["name"])


class _RunBook:
    """Which of Ray's trials is which run, and the one place that names how a run ended."""

    def __init__(
        self, source: RunSource, machine: Machine, listeners: Sequence[RunListener]
    ) -> None:
        self.source = source
        self.machine = machine
        self.listeners = (source, *listeners)
        self.open_runs: dict[str, Run] = {}
        self.started: set[str] = set()

    def take(self, trial_id: str) -> dict[str, Any] | None:
        run = self.source.next_run()
        if run is None:
            return None
        run.directory.path.mkdir(parents=True, exist_ok=True)
        run.directory.write_recipe(run.recipe)
        self.open_runs[trial_id] = run
        return {
            "name": run.name,
            "kind": run.kind,
            "recipe": run.recipe.model_dump(mode="json"),
            "run_dir": str(run.directory.path),
            "machine": {
                "store": str(self.machine.store),
                "device": self.machine.device,
                "num_threads": self.machine.num_threads,
            },
        }

    def start(self, trial_id: str) -> None:
        if trial_id in self.started:
            return  # the trial goes on after a lost worker
        self.started.add(trial_id)
        for listener in self.listeners:
            listener.on_start(self.open_runs[trial_id])

    def note(self, trial_id: str, result: dict[str, Any]) -> None:
        run = self.open_runs.get(trial_id)
        if run is None or "epoch" not in result:
            return
        metrics = {
            name: float(value) for name, value in result.items() if "/" in name or name == "lr"
        }
        metrics = {name: value for name, value in metrics.items() if not name.startswith("config/")}
        report = EpochReport(epoch=result["epoch"], metrics=metrics)
        for listener in self.listeners:
            listener.on_epoch(run, report)

    def end(self, trial_id: str, lost: str = "") -> None:
        run = self.open_runs.pop(trial_id, None)
        if run is None:
            return
        status = run.directory.status
        if lost:
            status = Status(outcome=Outcome.FAILED, reason=FailureReason.CODE, message=lost)
        elif not status.outcome.is_final:
            # The worker had more to do, so the scheduler stopped it.
            status = Status(outcome=Outcome.PRUNED)
            run.directory.checkpoint.unlink(missing_ok=True)
        self._close(run, status)

    def close(self) -> None:
        """What is still open when the driver ends has been interrupted."""
        for trial_id in [key for key in self.open_runs if key in self.started]:
            run = self.open_runs.pop(trial_id)
            status = run.directory.status
            if not status.outcome.is_final:
                status = Status(outcome=Outcome.PREEMPTED, message="interrupted")
            self._close(run, status)

    def _close(self, run: Run, status: Status) -> None:
        if run.directory.status != status:
            run.directory.set_status(status)
        for listener in self.listeners:
            listener.on_end(run, status)


class _DriverOnly:
    """Ray pickles its searcher and callbacks for a restore that is never asked for."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (object, ())


class _BookSearcher(_DriverOnly, Searcher):
    def __init__(self, book: _RunBook) -> None:
        super().__init__()
        self.book = book

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        return self.book.take(trial_id) or Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The callback below hears of it too, and has the trial itself."""

    def save(self, checkpoint_path: str) -> None:
        """The run directories are the state."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError


class _BookCallback(_DriverOnly, tune.Callback):
    def __init__(self, book: _RunBook) -> None:
        self.book = book

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self.book.start(trial.trial_id)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        self.book.note(trial.trial_id, result)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self.book.end(trial.trial_id)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        message = "its worker was lost"
        with suppress(OSError, AttributeError, TypeError):
            message = str(trial.get_error()).strip().splitlines()[0]
        self.book.end(trial.trial_id, lost=message)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """A cluster's polite end (SIGTERM) is met like Ctrl-C."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread, so nobody sends us signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
