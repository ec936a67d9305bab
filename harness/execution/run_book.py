"""`RunBook`: which run is next, who carries it out, and the one place that names how it ended.

Knows nothing of Ray: whoever carries runs out calls each trial by an id of its own.
"""

import logging
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Protocol

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.records import EarlyReport, EpochReport, FailureReason, Outcome, Status
from harness.core.run import Run, RunListener
from harness.execution.storage import Storage

log = logging.getLogger(__name__)

MAX_CODE_RETRIES = 1
MAX_LOSSES = 3
"""Workers that a run may lose within one epoch; the loss of a whole node does not count."""


class RunSource(RunListener, Protocol):
    """Who decides which run is next and which goes on, and learns how each went."""

    def next_run(self) -> Run | None:
        """The next run to be made; None when there is none, now or at all."""

    def goes_on(self, run: Run, report: EpochReport | EarlyReport) -> bool:
        """False where the run is to be stopped after this report, and called pruned."""

    def on_fault(self, run: Run, message: str) -> None:
        """The worker of a run has failed or died; the run will be made again."""
        return

    def end_now(self, run: Run) -> Status | None:
        """How a running run is to end at once; None where it may go on. Asked all the time."""


class RunList(RunSource):
    """A source of runs that are all known from the start."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.waiting = deque(runs)

    def next_run(self) -> Run | None:
        return self.waiting.popleft() if self.waiting else None

    def goes_on(self, run: Run, report: EpochReport | EarlyReport) -> bool:
        return True

    def end_now(self, run: Run) -> Status | None:
        return None


class RunBook:
    """Which of Ray's trials is which run, and the one place that names how a run ended."""

    def __init__(
        self,
        source: RunSource,
        *,
        machine: Machine,
        listeners: Sequence[RunListener],
        storage: Storage | None,
    ) -> None:
        self.source = source
        self.machine = machine
        self.storage = storage
        self.listeners = (source, *listeners)
        self.again: deque[Run] = deque()
        self.open_runs: dict[str, Run] = {}
        self.started: set[str] = set()
        self.endings: dict[str, Status] = {}
        self.unwritten: dict[str, tuple[Run, Status]] = {}
        self.is_interrupted = False
        self.num_faults: Counter[str] = Counter()
        self.num_losses: Counter[tuple[str, int]] = Counter()

    def take(self, trial_id: str) -> dict[str, Any] | None:
        """The order for the next run, which Ray's trial `trial_id` will carry out."""
        while run := self._again() or self.source.next_run():
            try:
                run.directory.path.mkdir(parents=True, exist_ok=True)
                run.directory.write_recipe(run.recipe)
            except (OSError, HarnessError) as error:
                reason, message = FailureReason.DISK, str(error)
                self._close(run, Status(outcome=Outcome.FAILED, reason=reason, message=message))
                continue
            self.open_runs[trial_id] = run
            return order_of(run, self.machine, self.storage)
        return None

    def _again(self) -> Run | None:
        """A run that a fault has brought back, unless it is to end meanwhile."""
        while self.again:
            run = self.again.popleft()
            status = self.source.end_now(run)
            if status is None:
                return run
            self._close(run, status)
        return None

    def start(self, trial_id: str) -> None:
        """The trial's worker has its order: tell the listeners, once."""
        run = self.open_runs[trial_id]
        if trial_id in self.started:
            return  # Ray has moved it from a node that was taken away
        self.started.add(trial_id)
        for listener in self.listeners:
            listener.on_start(run)

    def note(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether the run goes on after what it reports, of an epoch or within one."""
        run = self.open_runs.get(trial_id)
        if run is not None and "early" in result:
            early = EarlyReport(epoch=result["early"], score=result["score"])
            if self.storage is not None:
                run.directory.add_early(early)
            return self.source.goes_on(run, early)
        if run is None or "epoch" not in result:
            return True
        report = EpochReport(epoch=result["epoch"], metrics=_metrics_of(result))
        if self.storage is not None:
            run.directory.append_epoch(report)  # the worker's own are elsewhere
        for listener in self.listeners:
            listener.on_epoch(run, report)
        return self.source.goes_on(run, report)

    def to_end_now(self) -> list[str]:
        """Ray's trials that are to be stopped at once."""
        found = []
        for trial_id, run in self.open_runs.items():
            status = self.source.end_now(run)
            if status is not None and trial_id not in self.endings:
                self.endings[trial_id] = status
                found.append(trial_id)
        return found

    def end(self, trial_id: str, fault: str | None = None) -> None:
        """The trial is over: name how, or have the run made again by another worker."""
        run = self.open_runs.pop(trial_id, None)
        if run is None:
            return
        self._fetch(run)
        status = run.directory.status
        if fault is not None:
            decided = self._after_fault(run, status, fault)
            if decided is None:
                self.source.on_fault(run, _first_line(fault))
                self.again.append(run)
                return
            status = decided
        elif not status.outcome.is_final:
            # The worker had more to do, so it has been stopped.
            status = self.endings.pop(trial_id, Status(outcome=Outcome.PRUNED))
            if trial_id not in self.started and not status.outcome.is_final:
                return  # never begun: it waits for the next call as it is
        self._close(run, status)

    def put_back(self, trial_id: str) -> None:
        """An order that nobody has carried out, and nobody will, goes to another trial."""
        run = self.open_runs.pop(trial_id, None)
        if run is not None:
            self.again.append(run)

    def close(self) -> None:
        """What is still open when the driver ends has been interrupted.

        A worker that has an order and has not begun is told by the run's status that it is not to:
        nobody would ever learn how that run ended. Where a full disk had no room for how one ended,
        it may have by now.
        """
        for run, status in list(self.unwritten.values()):
            self._write(run, status)
        for key, run in list(self.open_runs.items()):
            # A worker may have begun a run before Ray's word of it has come.
            if key not in self.started and run.directory.status.outcome is not Outcome.RUNNING:
                del self.open_runs[key]
                self._write(run, Status(outcome=Outcome.PREEMPTED, message="not begun"))
        for run in [*self.open_runs.values(), *self.again]:
            status = run.directory.status
            if not status.outcome.is_final:
                status = Status(outcome=Outcome.PREEMPTED, message="interrupted")
            self._close(run, status)
        self.open_runs.clear()
        self.again.clear()

    def _after_fault(self, run: Run, status: Status, fault: str) -> Status | None:
        """How a run ends whose worker raised or died; None where it is to be made again."""
        if status.outcome.is_final:  # the worker could still write down what went wrong
            self.num_faults[run.key] += 1
            may_retry = status.reason is FailureReason.CODE
            if not may_retry or self.num_faults[run.key] > MAX_CODE_RETRIES:
                return status
            log.warning("%s: %s; tried again in a fresh process", run.name, status.message)
            return None
        if _is_out_of_memory(fault):
            run.directory.lower_memory(_lost(fault))
            self._push(run)
        elif _is_loss_of_node(fault):
            log.warning("%s: its node was lost; it goes on elsewhere", run.name)
            return None
        num_epochs = len(run.directory.epochs)
        self.num_losses[run.key, num_epochs] += 1
        if self.num_losses[run.key, num_epochs] < MAX_LOSSES:
            log.warning("%s: %s; it goes on in another", run.name, _lost(fault))
            return None
        reason = FailureReason.CODE
        if _is_out_of_memory(fault):
            reason = FailureReason.HOST_MEMORY
        message = f"{_lost(fault)}, {MAX_LOSSES} times after epoch {num_epochs}"
        return Status(outcome=Outcome.FAILED, reason=reason, message=message)

    def _fetch(self, run: Run) -> None:
        if self.storage is not None:
            self.storage.pull(run.directory.path, run.key, heavy=False)

    def _push(self, run: Run) -> None:
        """What the driver has written reaches the nodes, too."""
        if self.storage is None:
            return
        try:
            self.storage.push(run.directory.path, run.key)
        except HarnessError as error:
            log.warning("%s is behind in the storage: %s", run.name, error)

    def _close(self, run: Run, status: Status) -> None:
        self.unwritten.pop(run.key, None)
        if run.directory.status != status:
            self._write(run, status)
        for listener in self.listeners:
            listener.on_end(run, status)

    def _write(self, run: Run, status: Status) -> None:
        try:
            run.directory.set_status(status)
            self._push(run)
        except (OSError, HarnessError) as error:  # a full disk must not end the other runs
            self.unwritten[run.key] = (run, status)
            log.warning("%s: its status %s is not written: %s", run.name, status, error)


def _metrics_of(result: dict[str, Any]) -> dict[str, float]:
    """What the worker reported, without what Ray has added."""
    names = (name for name in result if "/" in name or name == "lr")
    return {name: float(result[name]) for name in names if not name.startswith("config/")}


def _is_loss_of_node(fault: str) -> bool:
    """True where Ray says so; all that it gives of an actor's death is its text."""
    return "node has died" in fault or "node was terminated" in fault


def _is_out_of_memory(fault: str) -> bool:
    """True where Ray's memory monitor ended the worker."""
    return "OutOfMemoryError" in fault or "due to the node running low on memory" in fault


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]


def _lost(fault: str) -> str:
    if _is_out_of_memory(fault):
        return "its worker was ended because the node ran out of memory"
    return "its worker process died"


def order_of(run: Run, machine: Machine, storage: Storage | None) -> dict[str, Any]:
    """What a worker must know of a run, as plain values: they travel between nodes."""
    return {
        "name": run.name,
        "group": run.group,
        "kind": run.kind,
        "reports_per_epoch": run.reports_per_epoch,
        "recipe": run.recipe.model_dump(mode="json"),
        "run_dir": str(run.directory.path),
        "storage": storage.uri if storage else None,
        "status": run.directory.status.model_dump(mode="json"),
        "machine": {
            "store": str(machine.store),
            "device": machine.device,
            "num_threads": machine.num_threads,
            "speedups": machine.speedups,
        },
    }
