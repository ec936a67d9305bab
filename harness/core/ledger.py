"""`Ledger`: what became of every trial of a search, one JSON line per change of its state.

Append-only; a line is on disk before anything follows from it. With the run directories it is the
truth about a search, from which Optuna's study, ASHA's rungs and MLflow are made anew.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.core.errors import DiskFullError, HarnessError, first_line
from harness.core.json_lines import append_json_lines, whole_lines
from harness.core.recipe import Frozen
from harness.core.records import FailureReason, Outcome, Status

log = logging.getLogger(__name__)


def moment() -> str:
    """The present moment, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class LedgerLine(Frozen):
    """One change of a trial's state.

    Attributes:
        trial: Name of the trial, which is also its folder: `t0007-3fa2c1`.
        values: What the sampler chose, by dotted recipe path; on the line that queues a new trial.
        gpus: What the trial holds while it runs; on the line that starts it.
        num_epochs: Epochs on disk at that moment.
    """

    trial: str
    outcome: Outcome
    reason: FailureReason | None = None
    message: str = ""
    at: str = Field(default_factory=moment)
    values: dict[str, Any] | None = None
    gpus: float | None = None
    num_epochs: int | None = None

    @property
    def status(self) -> Status:
        """The state as a run directory tells it."""
        return Status(outcome=self.outcome, reason=self.reason, message=self.message, at=self.at)


class Ledger:
    """The ledger of one search. One process writes at a time: the one that holds the search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = _read(path)
        self._unwritten: list[LedgerLine] = []
        self._last = {line.trial: line for line in self.lines}
        self._values = {line.trial: line.values for line in self.lines if line.values is not None}

    @property
    def trials(self) -> list[str]:
        """Names of all trials, in the order of their numbers."""
        return sorted(self._last)

    @property
    def last_lines(self) -> list[LedgerLine]:
        """The latest line of each trial."""
        return list(self._last.values())

    def last(self, trial: str) -> LedgerLine | None:
        """The latest line of a trial."""
        return self._last.get(trial)

    def values(self, trial: str) -> Mapping[str, Any] | None:
        """What was sampled for a trial."""
        return self._values.get(trial)

    def append(self, line: LedgerLine) -> None:
        """Write a line, and wait until the disk has it; a full disk gets it with the next line."""
        self._unwritten.append(line)
        values = [each.model_dump(mode="json", exclude_none=True) for each in self._unwritten]
        try:
            append_json_lines(self.path, values, is_synced=True)
            self._unwritten.clear()
        except (OSError, DiskFullError) as error:
            log.warning("%s is behind: %s", self.path, getattr(error, "strerror", None) or error)
        self.lines.append(line)
        self._last[line.trial] = line
        if line.values is not None:
            self._values[line.trial] = line.values

    def note(self, trial: str, status: Status, *, num_epochs: int | None = None) -> None:
        """Append a trial's state as its run directory tells it, unless its latest line says so."""
        last = self._last.get(trial)
        if last is not None and (last.outcome, last.reason) == (status.outcome, status.reason):
            return
        self.append(LedgerLine(trial=trial, num_epochs=num_epochs, **status.model_dump()))

    def gpu_seconds(self, until: str) -> float:
        """GPU seconds that trials have held, in all calls of the search, up to a moment."""
        begun: dict[str, LedgerLine] = {}
        total = 0.0
        for line in self.lines:
            if start := begun.pop(line.trial, None):
                total += _gpu_seconds(start, line.at)
            if line.outcome is Outcome.RUNNING:
                begun[line.trial] = line
        return total + sum(_gpu_seconds(start, until) for start in begun.values())


def _gpu_seconds(start: LedgerLine, end: str) -> float:
    """What a trial that started with `start` had used of GPUs at the moment `end`."""
    return (start.gpus or 0.0) * seconds_between(start.at, end)


def seconds_between(first: str, second: str) -> float:
    """Seconds from one ISO 8601 moment to another, 0 where the clock went back."""
    passed = datetime.fromisoformat(second) - datetime.fromisoformat(first)
    return max(0.0, passed.total_seconds())


def _read(path: Path) -> list[LedgerLine]:
    """All whole lines.

    Raises:
        HarnessError: A line is not one of a ledger.
    """
    lines = []
    for number, text in enumerate(whole_lines(path), start=1):
        try:
            lines.append(LedgerLine.model_validate(json.loads(text)))
        except ValueError as error:
            raise HarnessError(
                f"{path}:{number}: not a line of a ledger ({first_line(error)}): take the line "
                "out; the run directories hold the rest"
            ) from None
    return lines
