"""`Tracker`: the listener that keeps MLflow in step with the run directories.

MLflow may fail at any moment: the runs go on, and what it missed is read from their directories
later.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.tracking.contents import TERMINAL, GroupKind
from harness.tracking.index import Group, MlflowIndex
from harness.tracking.store import EXPERIMENT, Store, one_line, open_store

log = logging.getLogger(__name__)

PAUSE_FACTOR = 10
"""After a failure MLflow is left alone for ten times as long as the failure took."""


class Tracker:
    """Tells MLflow about runs (a `RunListener`). Once open, it raises for no fault of MLflow's."""

    def __init__(self, store: Store) -> None:
        self.shown = store.shown
        self._index = MlflowIndex(store)
        self._current = ""
        self._unsynced: dict[tuple[str, str], tuple[Run, Status]] = {}
        self._is_failing = False
        self._silent_until_s = 0.0

    @classmethod
    def open(cls, results: Path, uri: str | None = None, *, experiment: str = EXPERIMENT) -> Self:
        """A tracker on `uri`, else on MLFLOW_TRACKING_URI, else on SQLite within `results`.

        Raises:
            HarnessError: The store does not answer, or cannot be one.
        """
        return cls(open_store(results, uri, experiment=experiment))

    @property
    def unsynced(self) -> list[Run]:
        """Runs of which MLflow has missed something."""
        return [run for run, _ in self._unsynced.values()]

    # The listener ---------------------------------------------------------------------------

    def on_start(self, run: Run) -> None:
        self._follow(run, Status(outcome=Outcome.RUNNING), lambda: self._index.start(run))

    def on_epoch(self, run: Run, report: EpochReport) -> None:
        running = Status(outcome=Outcome.RUNNING)
        self._follow(run, running, lambda: self._index.log_epochs(run, [report]))

    def on_end(self, run: Run, status: Status) -> None:
        if self._follow(run, status, lambda: self._index.sync(run, status)):
            self._unsynced.pop((run.group, run.name), None)

    def sync(self, run: Run) -> None:
        """Bring MLflow in step with the run's directory; does nothing where it is."""
        self.on_end(run, run.directory.status)

    # Groups ---------------------------------------------------------------------------------

    def group(
        self,
        name: str,
        kind: GroupKind,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Open or continue the run of a search or benchmark, and make it the current one.

        A parameter that MLflow already has keeps its first value; what may change is a tag.
        """
        self._current = name
        self._index.add_group(Group(name, kind, tags or {}, params or {}))
        self._insist(lambda: self._index.parent_id(name))

    def close_stale(self, group: str, live: Collection[str] = ()) -> None:
        """Close the runs that MLflow believes running and that are not among the `live` names."""
        self._insist(lambda: self._index.close_stale(group, live))

    def log_files(self, group: str, paths: Iterable[Path]) -> None:
        """Copy files and folders to the run of the group."""
        self._insist(lambda: self._index.log_files(group, paths))

    def end_group(self, status: Status, rows: list[dict[str, Any]]) -> None:
        """Log what MLflow missed and the leaderboard `rows`, and close the current group's run."""
        self._silent_until_s = 0.0
        for run, last in list(self._unsynced.values()):
            written = run.directory.status
            self.on_end(run, written if written.outcome in TERMINAL else last)
        self._insist(lambda: self._index.end_group(self._current, status, rows))
        if self._unsynced:
            log.warning(
                "MLflow at %s lacks parts of %d run(s); their folders have all of it, and the "
                "same command run again logs it",
                self.shown,
                len(self._unsynced),
            )

    # Surviving MLflow -----------------------------------------------------------------------

    def _follow(self, run: Run, status: Status, action: Callable[[], object]) -> bool:
        if self._attempt(action):
            return True
        self._unsynced[run.group, run.name] = (run, status)
        return False

    def _insist(self, action: Callable[[], object]) -> bool:
        """As `_attempt`, but tried, and told of, whatever failed before: it comes only once."""
        self._silent_until_s, self._is_failing = 0.0, False
        return self._attempt(action)

    def _attempt(self, action: Callable[[], object]) -> bool:
        """Whether `action` succeeded. Training must not die of its bookkeeping: nothing raises."""
        begin_s = time.monotonic()
        if begin_s < self._silent_until_s:
            return False
        try:
            action()
        except Exception as error:  # requests, SQLAlchemy, MLflow and the system have their own
            if not self._is_failing:
                log.warning("MLflow at %s: %s; the runs go on", self.shown, one_line(error))
            self._is_failing = True
            failed_s = time.monotonic()
            self._silent_until_s = failed_s + PAUSE_FACTOR * (failed_s - begin_s)
            self._index.forget()
            return False
        self._is_failing = False
        return True
