"""What in a results folder may go: the waste of searches and benchmarks that nobody is running.

It looks at the folder's own files alone and follows no link.
"""

import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.core.errors import DiskFullError, HarnessError, did_you_mean
from harness.core.files import read_json
from harness.core.locks import LockedError, held
from harness.core.run_dir import RunDirectory
from harness.search.control import LOCK_FILE
from harness.search.housekeeping import (
    DEFAULT_KEEP,
    KEEP_FILE,
    Housekeeper,
    Waste,
    is_in_use,
    is_resumable,
    remove,
    run_dirs,
    size_of_file,
    spent_files,
    status_of,
)
from harness.search.plan import PLAN_FILE

log = logging.getLogger(__name__)

HALF_WRITTEN = re.compile(r"\..+\.\d+\.partial(\.[^.]+)?")
"""Names that `core.files.write_atomic` gives to files before they are whole."""
HALF_WRITTEN_AGE_S = 3600


@dataclass(frozen=True)
class Job:
    """The folder of a search or a benchmark."""

    folder: Path
    kind: Literal["search", "benchmark"]

    def __str__(self) -> str:
        return f"{self.kind} {self.folder.name}"

    @property
    def is_running(self) -> bool:
        """True while a process drives it, or may."""
        return is_in_use(self.lock)

    @property
    def lock(self) -> Path:
        """The file that whoever drives it holds."""
        return self.scratch.with_name(LOCK_FILE)

    @property
    def scratch(self) -> Path:
        """Where Ray keeps files that are of no use after the job."""
        return self.folder / "ray" if self.kind == "search" else self.folder / "runs" / "ray"

    @property
    def runs(self) -> list[RunDirectory]:
        """The run directories of its trials or final runs."""
        if self.kind == "search":
            return run_dirs(self.folder)
        return [RunDirectory(path) for path in _folders(self.folder / "runs") if path.name != "ray"]


@dataclass(frozen=True, kw_only=True)
class Freed:
    """What was freed of a results folder, or would be.

    Attributes:
        gone: What was removed; what would be, in a dry run.
        stuck: What nobody needs and could not be removed.
        kept: Weights and checkpoints that stay.
        running: Searches and benchmarks that were left alone, since they are running.
    """

    gone: list[Waste]
    stuck: list[Waste]
    kept: list[Waste]
    running: list[Job]


def free(
    results: Path,
    search: str | None = None,
    *,
    keep: int | None = None,
    with_resumable: bool = False,
    is_dry: bool = False,
) -> Freed:
    """Remove what `find_waste` finds in a results folder, or in one search; or only list it.

    Raises:
        HarnessError: There is no such folder, or no such search; or `keep` is negative.
    """
    jobs = jobs_in(results, search)
    idle = [job for job in jobs if not job.is_running]
    with nullcontext(idle) if is_dry else reserved(idle) as idle:
        waste = find_waste(idle, keep=keep, with_resumable=with_resumable)
        kept = find_kept(idle, waste)
        gone = waste if is_dry else remove(waste)
    return Freed(
        gone=gone,
        stuck=[item for item in waste if item not in gone],
        kept=kept,
        running=[job for job in jobs if job not in idle],
    )


def jobs_in(results: Path, search: str | None = None) -> list[Job]:
    """The searches and benchmarks of a results folder, or one search of it alone.

    Raises:
        HarnessError: There is no such folder, or no such search.
    """
    if not results.is_dir():
        raise HarnessError(f"--results {results}: no such folder; name the folder of the results")
    searches = [Job(path, "search") for path in _folders(results / "searches")]
    if search is None:
        with_runs = [path for path in _folders(results) if _is_folder(path / "runs")]
        return searches + [Job(path, "benchmark") for path in with_runs]
    chosen = [job for job in searches if job.folder.name == search]
    if not chosen:
        near = did_you_mean(search, [job.folder.name for job in searches])
        raise HarnessError(f"--search {search}: no such search in {results}{near}")
    return chosen


@contextmanager
def reserved(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Those of the jobs that nobody is running, held so that nobody begins one meanwhile."""
    idle = []
    with ExitStack() as locks:
        for job in jobs:
            try:
                locks.enter_context(held(job.lock))
            except DiskFullError:
                log.warning("%s: no room for a lock, so nobody can begin it either", job.folder)
            except (LockedError, OSError) as error:
                log.info("%s: left alone (%s)", job, error)
                continue
            idle.append(job)
        yield idle


def find_waste(
    jobs: Sequence[Job], *, keep: int | None = None, with_resumable: bool = False
) -> list[Waste]:
    """What may go of searches and benchmarks that nobody is running.

    Args:
        keep: How many completed trials of a search keep their weights; None as its plan says.
        with_resumable: Also weights and checkpoints from which a failed run could go on.

    Raises:
        HarnessError: `keep` is negative.
    """
    waste = []
    for job in jobs:
        waste += _spent(job, keep, with_resumable)
        if _is_folder(job.scratch):
            why = "Ray's own files of searches and benchmarks that have ended"
            waste.append(Waste(job.scratch, _size_of_folder(job.scratch), why))
        empty = (run.path for run in job.runs if not any(run.path.iterdir()))
        waste += [Waste(path, 0, "empty run directories") for path in empty]
        waste += _half_written(job)
    return waste


def find_kept(jobs: Sequence[Job], waste: Sequence[Waste]) -> list[Waste]:
    """The weights and checkpoints of idle jobs that stay, with the reason why they do."""
    gone = {item.path for item in waste}
    kept = []
    for job in jobs:
        for run in job.runs:
            for path in {run.best_weights, run.checkpoint} - gone:
                if (size := size_of_file(path)) is not None:
                    kept.append(Waste(path, size, _why_kept(job, run)))
    return kept


def _why_kept(job: Job, run: RunDirectory) -> str:
    status = status_of(run)
    if (run.path / KEEP_FILE).exists():
        return "runs marked with a file `keep`"
    if status is None:
        return "folders that cannot be read as runs"
    if not status.outcome.is_final:
        return "unfinished runs, which go on from them"
    if is_resumable(status):
        return "failed runs that can go on from them (--all frees them)"
    return "the best trials of each search" if job.kind == "search" else "final runs of benchmarks"


def _spent(job: Job, keep: int | None, with_resumable: bool) -> list[Waste]:
    """The weights and checkpoints that the runs of a job no longer need."""
    if job.kind == "search":
        keep = _planned_keep(job) if keep is None else keep
        if keep is None:
            return []
        return Housekeeper(job.folder, keep=keep).find(with_resumable=with_resumable)
    return [
        item
        for run in job.runs
        if not is_in_use(run.lock_file)
        for item in spent_files(run, why_weights=None, with_resumable=with_resumable)
    ]


def _planned_keep(job: Job) -> int | None:
    """How many trials keep their weights by the plan; None where the plan cannot be read."""
    path = job.folder / PLAN_FILE
    if not path.exists():
        return DEFAULT_KEEP
    try:
        keep = read_json(path).get("keep", DEFAULT_KEEP)
    except (OSError, ValueError, AttributeError):
        return None
    return keep if isinstance(keep, int) and keep >= 0 else None


def _half_written(job: Job) -> list[Waste]:
    """What writers that died have left: temporary files older than an hour."""
    latest = time.time() - HALF_WRITTEN_AGE_S
    return [
        Waste(path, size_of_file(path) or 0, "files left half-written")
        for path in _walk(job.folder)
        if HALF_WRITTEN.fullmatch(path.name)
        and job.scratch not in path.parents
        and path.lstat().st_mtime < latest
    ]


# Looking without following links ------------------------------------------------------------


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder, by name; none where that is a link itself."""
    return sorted(filter(_is_folder, parent.iterdir())) if _is_folder(parent) else []


def _walk(folder: Path) -> Iterator[Path]:
    """Every regular file under a folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if size_of_file(path) is not None:
                yield path


def _size_of_folder(folder: Path) -> int:
    return sum(size_of_file(path) or 0 for path in _walk(folder))
