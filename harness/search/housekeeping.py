"""Which weights and checkpoints a search still needs, and the removal of the others.

Of the completed trials only the best few keep their weights; metrics, records, thresholds and
predictions of every trial stay. Needs neither Ray nor Optuna.
"""

import logging
import math
import os
import shutil
import stat
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import read_json
from harness.core.locks import is_held
from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.search.control import NOT_RETRIED
from harness.search.leaderboard import trial_dirs

log = logging.getLogger(__name__)

DEFAULT_KEEP = 5
KEEP_FILE = "keep"
"""An empty file of this name in a run directory protects all that lies there."""

Rank = tuple[float, str]
"""(-score, name) of a completed trial: the smaller, the better, ties by name."""


@dataclass(frozen=True)
class Waste:
    """A file or folder that nobody needs any more: where, how large, and why."""

    path: Path
    num_bytes: int
    why: str


class BestFew:
    """The names of the best `keep` trials of all that were ranked."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._ranks: list[Rank] = []

    @property
    def names(self) -> list[str]:
        """Best first."""
        return [name for _, name in self._ranks]

    def enter(self, name: str, rank: Rank | None) -> set[str]:
        """Rank a trial, anew if it was; the names that are no longer among the best."""
        self._ranks = [known for known in self._ranks if known[1] != name]
        if rank:
            insort(self._ranks, rank)
        losers = set(self.names[self.keep :])
        del self._ranks[self.keep :]
        return losers


class Housekeeper:
    """Holds a search to the weights of its best trials while trials end.

    The best are completed trials, by `core.selection.SCORE` and then by name. Trials that are not
    final, and those marked with a file `keep`, are not touched. All folders are read when it is
    built, and afterwards only those of trials that end.
    """

    def __init__(self, search_dir: Path, *, keep: int) -> None:
        """`keep` is the number of completed trials that keep their weights.

        Raises:
            HarnessError: It is negative.
        """
        if keep < 0:
            raise HarnessError(f"keep {keep}: the number of trials that keep their weights is >= 0")
        self.search_dir = search_dir
        self.keep = keep
        self.best = BestFew(keep)
        self._rank()

    def find(self, *, with_resumable: bool = False) -> list[Waste]:
        """What all trials of the search no longer need, from the folders as they are now."""
        ranks = self._rank()
        waste = []
        for run in run_dirs(self.search_dir):
            rank = ranks.get(run.path.name)
            if not is_in_use(run.lock_file):
                is_best = rank is None or run.path.name in self.best.names
                waste += self._spent(run, is_best=is_best, with_resumable=with_resumable)
        return waste

    def tidy(self) -> list[Waste]:
        """Remove what `find` finds; to be called once before the first trial. What was freed."""
        waste = self.find()
        best = (RunDirectory(self.search_dir / name).best_weights for name in self.best.names)
        return remove(waste) if waste and all(map(_is_on_disk, best)) else []

    def ended(self, run: RunDirectory) -> list[Waste]:
        """Remove what the end of this trial has made waste; what was freed.

        A better trial takes the place of the last of the best only once its weights are on disk,
        so that a crash at any moment leaves no fewer than are to be kept.
        """
        losers = self.best.enter(run.path.name, rank_of(run))
        waste = self._spent(run, is_best=run.path.name not in losers)
        losers -= {run.path.name}
        if losers and _is_on_disk(run.best_weights):
            for name in losers:
                waste += self._spent(RunDirectory(self.search_dir / name), is_best=False)
        return remove(waste)

    def _rank(self) -> dict[str, Rank]:
        """The ranks of all completed trials by name; the best become `self.best`."""
        ranks = [rank_of(run) for run in run_dirs(self.search_dir)]
        found = {rank[1]: rank for rank in ranks if rank}
        self.best = BestFew(self.keep)
        for name, rank in found.items():
            self.best.enter(name, rank)
        return found

    def _spent(
        self, run: RunDirectory, *, is_best: bool, with_resumable: bool = False
    ) -> list[Waste]:
        status = status_of(run)
        is_completed = status is not None and status.outcome is Outcome.COMPLETED
        why = (
            f"weights of completed trials beyond the best {self.keep}"
            if is_completed
            else "weights of pruned, failed and cancelled trials"
        )
        why_weights = None if is_completed and is_best else why
        return spent_files(run, why_weights=why_weights, with_resumable=with_resumable)


def spent_files(
    run: RunDirectory, *, why_weights: str | None, with_resumable: bool = False
) -> list[Waste]:
    """The weights and the checkpoint of a run, as far as it no longer needs them.

    The checkpoint comes first: without the weights of its best epoch a run could not end well.

    Args:
        why_weights: Why the weights may go; None where they stay.
        with_resumable: Also where a failed run could go on from them.
    """
    status = status_of(run)
    if status is None or not status.outcome.is_final or _lies_there(run.path / KEEP_FILE):
        return []
    why_checkpoint = "checkpoints of runs that have ended"
    if is_resumable(status):
        if not with_resumable:
            return []
        why_checkpoint = "checkpoints of failed runs that could go on"
    candidates = [(run.checkpoint, why_checkpoint)]
    if why_weights:
        candidates.append((run.best_weights, why_weights))
    sized = ((path, size_of_file(path), why) for path, why in candidates)
    return [Waste(path, size, why) for path, size, why in sized if size is not None]


def is_resumable(status: Status) -> bool:
    """True for a failed run whose checkpoint is still of use."""
    return status.outcome is Outcome.FAILED and status.reason not in NOT_RETRIED


# Reading what may be damaged ----------------------------------------------------------------


def is_in_use(lock: Path) -> bool:
    """True while a process holds the lock of a search, a benchmark or a run, or may hold it."""
    try:
        return is_held(lock)
    except OSError as error:
        log.warning("%s: left alone, its lock cannot be read (%s)", lock.parent, error.strerror)
        return True


def run_dirs(search_dir: Path) -> list[RunDirectory]:
    """The trials of a search that are folders of its own, not links to others."""
    return [run for run in trial_dirs(search_dir) if not run.path.is_symlink()]


def status_of(run: RunDirectory) -> Status | None:
    """The status of a run directory; None where it is not one, or cannot be read."""
    if size_of_file(run.path / "recipe.json") is None:
        return None
    try:
        return run.status
    except (HarnessError, OSError, ValueError) as error:
        log.warning("%s: left alone, its status cannot be read (%s)", run.path, _first_line(error))
        return None


def rank_of(run: RunDirectory) -> Rank | None:
    """How a trial ranks; None unless it is completed, has a score, and its weights are there."""
    status = status_of(run)
    if status is None or status.outcome is not Outcome.COMPLETED:
        return None
    if size_of_file(run.best_weights) is None:
        return None
    try:
        score = float(read_json(run.path / "record.json")["metrics"][SCORE])
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.warning("%s: left alone, it has no score (%s)", run.path, _first_line(error))
        return None
    return (-score, run.path.name) if math.isfinite(score) else None


def size_of_file(path: Path) -> int | None:
    """Bytes of a regular file; None for anything else, links among it."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _lies_there(path: Path) -> bool:
    return os.path.lexists(path)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


# Removing -----------------------------------------------------------------------------------


def remove(waste: Iterable[Waste]) -> list[Waste]:
    """Remove files and folders, never what a link points to; those that are gone now.

    What cannot be removed is told in the log and left.
    """
    freed = []
    for item in waste:
        try:
            _remove_path(item.path)
        except OSError as error:
            log.warning("%s cannot be removed (%s)", item.path, error.strerror or error)
        else:
            freed.append(item)
    return freed


def _remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif size_of_file(path) is not None:
        path.unlink(missing_ok=True)


def _is_on_disk(path: Path) -> bool:
    """True once a file is on the disk itself, so that a power cut cannot take it."""
    try:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    except OSError as error:
        log.warning("%s: not safe on disk, so no other weights go (%s)", path, error.strerror)
        return False
    return True
