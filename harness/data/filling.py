"""`Filling`: the pixels of an unfinished store, decoded from files and archives, a kill at a time.

It survives one at any moment, by four files:

    images.npy          every image of the source, a row each
    work/marks.npy      uint8, DONE for every row whose pixels are in images.npy
    work/sources.npy    which file of an archive each row has its pixels from
    work/archives.json  archives that were read to their end
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, named
from harness.core.machine import num_cpus
from harness.core.progress import Progress, ignore
from harness.data.archive_book import ArchiveBook
from harness.data.decoding import (
    CHUNK_IMAGES,
    FAILED,
    TO_DO,
    Archive,
    Files,
    Outcome,
    Source,
    Target,
    decode_all,
)
from harness.data.row_sources import RowSources, create_row_sources
from harness.data.rows_file import RowsFile, create_rows

Found = Mapping[str, Path | str | None]
"""Each image in the order of the rows: its file, why it has none, or None for one not found."""

MAX_WORKERS = 16
"""Threads by default at most: from there on they wait for one another and for the disk."""
logger = logging.getLogger(__name__)


class Filling:
    """Rows of pixels on disk, and which of them are done."""

    def __init__(self, folder: Path, out: Path) -> None:
        """Of the store that is made in `folder` and is to be `out`, which messages name."""
        self.images_file = folder / "images.npy"
        self._out = out
        self._marks_file = folder / "work" / "marks.npy"
        self._sources_file = folder / "work" / "sources.npy"
        self._book = ArchiveBook(folder / "work" / "archives.json")

    @property
    def is_begun(self) -> bool:
        """True where there is something to continue."""
        return self._marks_file.exists() and self._sources_file.exists()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over in the archives."""
        return self._book.notes

    def create(self, num_images: int, size_px: int) -> None:
        """Begin with no image done; the folder and its `work` are there.

        Raises:
            DiskFullError: There is no space even for headers.
        """
        create_rows(self.images_file, (num_images, size_px, size_px))
        create_rows(self._marks_file, (num_images,))
        create_row_sources(self._sources_file, num_images)

    def fill(
        self,
        files: Found,
        *,
        archives: Sequence[Path] = (),
        max_bad: int,
        num_workers: int | None = None,
        progress: Progress = ignore,
    ) -> dict[str, str]:
        """Decode every image that is not done yet.

        Args:
            files: Where each image is.
            archives: Where images that were not found may be; read only if there are any.
            max_bad: Images that may fail.
            num_workers: Threads; by default one per processor, and no more than `MAX_WORKERS`.
            progress: Called with the number of images that are done, and of all.

        Returns:
            The images that failed, and why.

        Raises:
            HarnessError: More than `max_bad` images failed or an archive is damaged; those that
                are done stay done.
        """
        archives = archives if None in files.values() else ()
        with RowSources(self._sources_file, (path.name for path in archives)) as row_sources:
            mark_N = self._begin_again(row_sources)
            absent = _absent(files, mark_N, may_be_found=bool(archives))
            self._check_failures(absent, max_bad)

            def is_over() -> bool:
                mark_N = self._marks()
                progress(int(np.count_nonzero(mark_N)) + len(absent), len(mark_N))
                return int(np.count_nonzero(mark_N == FAILED)) + len(absent) > max_bad

            sources = [
                *_files_to_do(files, mark_N),
                *self._archives_to_do(archives, files, row_sources),
            ]
            outcomes = self._decode(sources, num_workers, is_over)
        names = list(files)
        failures = {
            names[row]: reason for outcome in outcomes for row, reason in outcome.failures.items()
        }
        self._check_failures(absent | failures, max_bad)
        _refuse_damaged(outcomes)
        absent = _absent(files, self._marks(), may_be_found=False)
        self._check_failures(absent | failures, max_bad)
        is_over()  # the last progress
        return dict(sorted((absent | failures).items()))

    def _begin_again(self, row_sources: RowSources) -> NDArray[np.uint8]:
        """The marks of each row, once those that were not stored for good are to do again.

        Where two archives had different files of one name, all are read again: any of them may have
        been mended.
        """
        mark_N, disputed_N = self._marks(), row_sources.disputed_N
        if disputed_N.any():
            self._book.reopen()
        mark_N[(mark_N == FAILED) | disputed_N] = TO_DO
        with RowsFile(self._marks_file) as marks:
            marks.write(0, mark_N)
        row_sources.forget(mark_N == TO_DO)
        if mark_N.any():
            logger.info("%s: continues, %d of %d are done", self._out, mark_N.sum(), len(mark_N))
        return mark_N

    def _marks(self) -> NDArray[np.uint8]:
        with RowsFile(self._marks_file) as marks:
            return marks[:].copy()

    def _decode(
        self, sources: Sequence[Source], num_workers: int | None, is_over: Callable[[], bool]
    ) -> list[Outcome]:
        """What came of every source; archives that gave all they have are noted on the way."""
        outcomes = []
        num_workers = num_workers or min(num_cpus(), MAX_WORKERS)
        num_workers = max(1, min(num_workers, len(sources)))
        target = Target(self.images_file, self._marks_file)
        for outcome in decode_all(sources, target, num_workers=num_workers, is_over=is_over):
            outcomes.append(outcome)
            if outcome.archive:
                is_done = outcome.is_whole and not (outcome.failures or outcome.report.damage)
                self._book.enter(outcome.archive, outcome.report, is_done=is_done)
        return outcomes

    def _archives_to_do(
        self, archives: Sequence[Path], files: Found, row_sources: RowSources
    ) -> list[Source]:
        """Those that were not read to their end: also where all is there, since they may differ."""
        rows = {image: row for row, (image, file) in enumerate(files.items()) if file is None}
        return [
            Archive(path, rows, row_sources) for path in archives if not self._book.has_all_of(path)
        ]

    def _check_failures(self, failures: dict[str, str], max_bad: int) -> None:
        if len(failures) <= max_bad:
            return
        told = named([f"{image} ({reason})" for image, reason in sorted(failures.items())])
        raise HarnessError(
            f"{self._out}: {len(failures)} images cannot be had, more than the {max_bad} that "
            f"--max-bad allows: {told}; mend them or raise --max-bad, then run it again: what is "
            "done is kept"
        )


def _absent(files: Found, mark_N: NDArray[np.uint8], *, may_be_found: bool) -> dict[str, str]:
    """The images that cannot be had, and why; `may_be_found` those that no folder has."""
    absent = {}
    for (image, file), mark in zip(files.items(), mark_N, strict=True):
        if mark == TO_DO and isinstance(file, str):
            absent[image] = file
        elif mark == TO_DO and file is None and not may_be_found:
            absent[image] = "no such file"
    return absent


def _files_to_do(files: Found, mark_N: NDArray[np.uint8]) -> Iterator[Source]:
    """The image files that are not done yet, in pieces."""
    jobs = [
        (row, file)
        for row, file in enumerate(files.values())
        if isinstance(file, Path) and mark_N[row] == TO_DO
    ]
    for start in range(0, len(jobs), CHUNK_IMAGES):
        yield Files(jobs[start : start + CHUNK_IMAGES])


def _refuse_damaged(outcomes: Sequence[Outcome]) -> None:
    damaged = [
        f"{outcome.archive} ({outcome.report.damage})"
        for outcome in outcomes
        if outcome.archive and outcome.report.damage
    ]
    if damaged:
        raise HarnessError(
            f"{', '.join(sorted(damaged))}: damaged or cut off; fetch it again (`harness data "
            "download nih` checks every archive), then run this again: what is done is kept"
        )
