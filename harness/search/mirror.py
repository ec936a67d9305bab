"""The driver's side of a storage into which the nodes mirror their run directories.

The driver has the small files of each run in the results folder; weights stay in the storage.
"""

import logging
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.records import Outcome
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.execution.storage import Storage
from harness.search.control import RETRY
from harness.search.housekeeping import BestFew, is_resumable
from harness.search.leaderboard import trial_dirs

log = logging.getLogger(__name__)


def fetch_trials(storage: Storage, search_dir: Path) -> None:
    """Bring the small files of all trials here that are not known to have ended.

    One that is to be made again stays so: the storage has as yet how it ended before.
    """
    for name in storage.names(search_dir.name):
        run = RunDirectory(search_dir / name)
        before = run.status
        if before.outcome.is_final:
            continue
        storage.pull(run.path, f"{search_dir.name}/{name}", heavy=False)
        found = run.status
        if before.message == RETRY and found.outcome.is_final and found.at <= before.at:
            run.set_status(before)


class StoredWeights:
    """Does in a storage what the `Housekeeper` does in a folder; metrics are read here."""

    def __init__(self, storage: Storage, search_dir: Path, *, keep: int) -> None:
        self.storage = storage
        self.group = search_dir.name
        self.best = BestFew(keep)
        for run in trial_dirs(search_dir):
            self._rank(run)

    def ended(self, run: RunDirectory) -> None:
        """Remove from the storage what the end of this trial has made waste."""
        status = run.status
        if status.outcome.is_final and not is_resumable(status):
            losers = self._rank(run)
            heavy = [run.checkpoint.name, run.best_weights.name]
            is_best = run.path.name in self.best.names
            self._remove(run.path.name, heavy[:1] if is_best else heavy)
            for name in losers - {run.path.name}:
                self._remove(name, heavy)

    def _rank(self, run: RunDirectory) -> set[str]:
        """Rank a trial; the names of those that are no longer among the best."""
        record = run.record if run.status.outcome is Outcome.COMPLETED else None
        score = record.metrics.get(SCORE) if record is not None else None
        name = run.path.name
        return self.best.enter(name, None if score is None else (-score, name))

    def _remove(self, trial: str, files: list[str]) -> None:
        try:
            self.storage.remove(f"{self.group}/{trial}", files)
        except HarnessError as error:  # room that is not freed is worth no search
            log.warning("%s keeps its weights in the storage: %s", trial, error)
