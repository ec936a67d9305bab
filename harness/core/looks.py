"""`Look`: the audit of what has read the labels of a test part.

A run writes its look into its own folder before it reads a test label, the driver collects the
looks of all runs in the results folder. Both files have one form and one name, and only grow.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import Field

from harness.core.errors import HarnessError, first_line
from harness.core.files import sha256_of_json
from harness.core.json_lines import append_json_lines, read_json_lines
from harness.core.locks import held
from harness.core.provenance import git_state
from harness.core.recipe import Frozen
from harness.core.records import now

LOOKS_FILE = "test_looks.jsonl"
LOCK_FILE = ".test_looks.lock"
LOCK_WAIT_S = 60.0


class Look(Frozen):
    """Who scored a test part, by which code and with which thresholds.

    A look that a crash cut short and that is made again, or a table that is made again of the same
    predictions, tells nothing new: looks that differ in nothing but the time have one `id`.

    Attributes:
        run: Name of the run's folder, or of the predictions from elsewhere.
        run_id: The run's; SHA-256 of the file of predictions from elsewhere.
        git_commit, git_dirty: The code that scored, as in `Provenance`.
        thresholds_sha256: Of the frozen `thresholds.json`; empty where there was none.
        split_sha256: Names the test part.
    """

    run: str
    run_id: str
    git_commit: str
    git_dirty: bool | None
    thresholds_sha256: str
    split_sha256: str
    at: str = Field(default_factory=now)

    @classmethod
    def of_this_code(
        cls, run: str, *, run_id: str, thresholds_sha256: str, split_sha256: str
    ) -> Self:
        """A look that is about to be made, by the code that runs."""
        commit, is_dirty = git_state()
        return cls(
            run=run,
            run_id=run_id,
            git_commit=commit,
            git_dirty=is_dirty,
            thresholds_sha256=thresholds_sha256,
            split_sha256=split_sha256,
        )

    @property
    def id(self) -> str:
        """64 hexadecimal digits: the hash of all but the time."""
        return sha256_of_json(self.model_dump(mode="json", exclude={"at"}))


def ignore_look(look: Look) -> None:
    """A `looked` for those whose run directories stay where they are."""


def read_looks(folder: Path) -> tuple[Look, ...]:
    """The looks that a run's folder or the results folder knows, in the order of their lines.

    Raises:
        HarnessError: The file was changed by hand.
    """
    path = folder / LOOKS_FILE
    try:
        return tuple(Look.model_validate(line) for line in read_json_lines(path))
    except ValueError as error:
        raise HarnessError(
            f"{path}: damaged or changed by hand ({first_line(error)}); put back what was there: "
            "the looks at a test part are counted by it"
        ) from None


def record_looks(folder: Path, looks: Iterable[Look]) -> None:
    """Append the looks that the folder's file lacks; on return they are on the disk.

    Raises:
        HarnessError: The file was changed by hand.
        LockedError: Another process has held it for a minute.
        DiskFullError: There is no space left.
    """
    with held(folder / LOCK_FILE, wait_s=LOCK_WAIT_S):
        known = {look.id for look in read_looks(folder)}
        new = {look.id: look for look in looks if look.id not in known}
        if new:
            # A line cut off by a crash was never a look: labels are read after the whole line.
            values = [look.model_dump(mode="json") for look in new.values()]
            append_json_lines(folder / LOOKS_FILE, values, is_synced=True)


def collect_looks(results: Path, runs: Iterable[Path]) -> None:
    """Bring the looks of runs' folders together in the results folder.

    Raises:
        HarnessError: As `record_looks` and `read_looks`.
    """
    record_looks(results, [look for run in runs for look in read_looks(run)])


def count_looks(results: Path, split_sha256: str) -> int:
    """How many different looks there were at the test part of a split."""
    return len({look.id for look in read_looks(results) if look.split_sha256 == split_sha256})
