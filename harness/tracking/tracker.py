"""`Tracker`: the listener that keeps MLflow in step with the run directories.

MLflow may fail at any moment: the runs go on, and what it missed is told again later, or read
from their directories by the next call.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.tracking.contents import GroupKind
from harness.tracking.entries import Group
from harness.tracking.index import MlflowIndex
from harness.tracking.store import EXPERIMENT, Store, open_store
from harness.tracking.writer import News, Writer

log = logging.getLogger(__name__)


class Tracker:
    """Tells MLflow about runs (a `RunListener`). Once open, it raises for no fault of MLflow's."""

    def __init__(self, store: Store, results: Path) -> None:
        self.shown = store.shown
        self._store = store
        self._index = MlflowIndex(store, results)
        self._writer = Writer(self._index.write, shown=store.shown)
        self._lacking: set[str] = set()

    @classmethod
    def open(cls, results: Path, uri: str | None = None, *, experiment: str = EXPERIMENT) -> Self:
        """A tracker on `uri`, else on MLFLOW_TRACKING_URI, else on SQLite within `results`.

        Raises:
            HarnessError: The store does not answer, or cannot be one.
        """
        return cls(open_store(results, uri, experiment=experiment), results)

    @property
    def unsynced(self) -> list[Run]:
        """Runs of which MLflow lacks something as yet."""
        return self._writer.waiting

    # The listener: nothing here waits for MLflow --------------------------------------------

    def on_start(self, run: Run) -> None:
        self._writer.tell(News(run, Status(outcome=Outcome.RUNNING)))

    def on_epoch(self, run: Run, report: EpochReport) -> None:
        self._writer.tell(News(run, Status(outcome=Outcome.RUNNING), (report,)))

    def on_end(self, run: Run, status: Status) -> None:
        self._writer.tell(News(run, status))

    def sync(self, run: Run) -> None:
        """Bring MLflow in step with the directory of a run that nobody trains.

        A run that was deleted in MLflow stays deleted.
        """
        self._writer.tell(News(run, None, is_live=False))

    def flush(self) -> bool:
        """Have MLflow take all that was told; False where it does not answer."""
        if not self._writer.attempt(self._store.knock):
            return False
        self._writer.flush()
        return True

    # Groups ---------------------------------------------------------------------------------

    def group(
        self,
        name: str,
        kind: GroupKind,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Open or continue the run of a search or benchmark that nobody else is at work on.

        Runs that MLflow believes running are closed by what their directories say. A parameter
        that MLflow already has keeps its first value; what may change is a tag.
        """
        self._index.add_group(Group(name, kind, tags or {}, params or {}))
        if not self._writer.attempt(lambda: self._index.close_running(name)):
            self._index.forget_parent(name)  # it is opened when it is next needed

    def log_files(self, group: str, paths: Iterable[Path]) -> None:
        """Copy files and folders to the run of the group."""
        self._insist(group, lambda: self._index.log_files(group, paths))

    def log_figures(self, runs: Sequence[Run]) -> None:
        """Draw the validation curves of a few runs on their pages, once for each result.

        Their weights are named there too, with their hash. Takes about 3 s a run.
        """
        for run in runs:
            self._insist(run.group, partial(self._index.log_figures, run))

    def end_group(self, name: str, status: Status, rows: list[dict[str, Any]]) -> None:
        """Log what MLflow missed and the leaderboard `rows`, and close the run of the group."""
        if not self.flush():
            self._lacking.add(name)
        else:
            self._insist(name, lambda: self._index.close_running(name))
            self._insist(name, lambda: self._index.end_group(name, status, rows))
        self._tell_of_deleted(name)
        num_missed = sum(run.group == name for run in self.unsynced)
        if num_missed or name in self._lacking:
            log.warning(
                "MLflow at %s lacks parts of %s and of %d run(s) in it; their folders have all of "
                "it, and the same command run again logs it",
                self.shown,
                name,
                num_missed,
            )
        self._lacking.discard(name)

    def _insist(self, group: str, action: Callable[[], object]) -> None:
        """Do what comes only once; where it fails, the end of the group tells of it."""
        if not self._writer.attempt(action):
            self._index.forget_parent(group)
            self._lacking.add(group)

    def _tell_of_deleted(self, group: str) -> None:
        num_deleted = self._index.num_deleted(group)
        if num_deleted:
            log.warning(
                "MLflow at %s: %d run(s) of %s were deleted there and stay so; `mlflow runs "
                "restore --run-id ID` brings one back",
                self.shown,
                num_deleted,
                group,
            )
