"""`PartialStore`: a store that is being filled from image files, and survives a kill at any moment.

It lies in a hidden folder beside the store that it will become:

    .nih-256.partial/images.npy          every image of the source, a row each
    .nih-256.partial/work/inputs.json    what it is made from; the last file that `begin` writes
    .nih-256.partial/work/marks.npy      uint8, DONE for every row whose pixels are in images.npy
    .nih-256.partial/work/contents.npy   which file of an archive each row has its pixels from
    .nih-256.partial/work/archives.json  archives that were read to their end
    .nih-256.partial/manifest.json       written when all is decided; then only renames are left
"""

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import check_space, read_json, write_json
from harness.core.progress import Progress
from harness.data.archive_book import ArchiveBook
from harness.data.contents import Contents, create_contents
from harness.data.decode import num_cpus
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
from harness.data.manifest import Failure, StoreOrigin, read_manifest
from harness.data.rows_file import RowsFile, copy_rows, create_rows
from harness.data.store import ImageStore, complete_store

Found = Mapping[str, Path | str | None]
"""Each image in the order of the rows: its file, why it has none, or None for one not found."""

MAX_WORKERS = 16
"""Threads by default at most: from there on they wait for one another and for the disk."""
logger = logging.getLogger(__name__)


class PartialStore:
    """Rows of pixels on disk, and which of them are done."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder = folder
        self.out = out
        self.images_file = folder / "images.npy"
        self._kept_file = folder / "work" / "kept.npy"
        self._marks_file = folder / "work" / "marks.npy"
        self._contents_file = folder / "work" / "contents.npy"
        self._book = ArchiveBook(folder / "work" / "archives.json")
        self._inputs_file = folder / "work" / "inputs.json"

    @classmethod
    def begin(
        cls, out: Path, *, inputs: dict[str, str], num_images: int, size_px: int
    ) -> "PartialStore":
        """The unfinished store of these inputs, begun anew where there is none.

        Raises:
            HarnessError: One was begun from other inputs, or the disk is too small.
        """
        partial = cls(out.with_name(f".{out.name}.partial"), out)
        begun_with = partial._inputs()
        if begun_with is None:
            partial._create(inputs, num_images, size_px)
        elif difference := first_difference(begun_with, inputs):
            raise HarnessError(
                f"{partial.folder}: begun with {difference}; remove this folder to begin again, "
                "or choose another --out"
            )
        return partial

    @property
    def is_complete(self) -> bool:
        """True where a kill came between the manifest and the last rename."""
        return (self.folder / "manifest.json").exists()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over in the archives."""
        return self._book.notes

    def fill(
        self,
        files: Found,
        *,
        archives: Sequence[Path] = (),
        max_bad: int,
        num_workers: int | None = None,
        progress: Progress | None = None,
    ) -> dict[str, str]:
        """Decode every image that is not done yet.

        Args:
            files: Where each image is.
            archives: Where images that were not found may be; read only if there are any.
            max_bad: Images that may fail.
            num_workers: Threads; by default one per processor, and no more than `MAX_WORKERS`.

        Returns:
            The images that failed, and why.

        Raises:
            HarnessError: More than `max_bad` images failed or an archive is damaged; those that
                are done stay done.
        """
        archives = archives if None in files.values() else ()
        with Contents(self._contents_file) as contents:
            mark_N = self._begin_again(contents)
            absent = _absent(files, mark_N, may_be_found=bool(archives))
            self._check_failures(absent, max_bad)

            def is_over() -> bool:
                mark_N = self._marks()
                if progress:
                    progress(int(np.count_nonzero(mark_N)) + len(absent), len(mark_N))
                return int(np.count_nonzero(mark_N == FAILED)) + len(absent) > max_bad

            sources = [
                *_files_to_do(files, mark_N),
                *self._archives_to_do(archives, files, contents),
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

    def complete(
        self,
        *,
        table: pd.DataFrame,
        boxes: pd.DataFrame,
        failures: dict[str, str],
        origin: StoreOrigin,
    ) -> None:
        """Write everything else beside the images, without the rows of those that failed."""
        pixels_file = self.images_file
        self._kept_file.unlink(missing_ok=True)
        if failures:
            is_kept_N = ~table["image"].isin(list(failures)).to_numpy()
            copy_rows(self.images_file, is_kept_N, self._kept_file)
            pixels_file = self._kept_file
            table = table[is_kept_N]
        named = tuple(Failure(image=image, reason=reason) for image, reason in failures.items())
        with RowsFile(pixels_file) as pixels:
            complete_store(
                self.folder,
                images=cast("NDArray[np.uint8]", pixels),  # is asked for slices alone
                table=table,
                boxes=boxes[boxes["image"].isin(table["image"])],
                origin=origin.model_copy(update={"failures": named}),
            )

    def publish(self) -> ImageStore:
        """Move the complete store to its place; every step may be repeated after a kill."""
        assert self.is_complete
        if self._kept_file.exists():
            self._kept_file.replace(self.images_file)
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        self.folder.rename(self.out)
        return ImageStore.open(self.out)

    def _inputs(self) -> dict[str, str] | None:
        """What the folder was begun with; None where nothing in it can be continued."""
        if self.is_complete:
            return read_manifest(self.folder).inputs
        needed = (self._inputs_file, self._marks_file, self._contents_file)
        return dict(read_json(self._inputs_file)) if all(map(Path.exists, needed)) else None

    def _create(self, inputs: dict[str, str], num_images: int, size_px: int) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        check_space(self.out, num_images * size_px**2)
        self._inputs_file.parent.mkdir(parents=True)
        create_rows(self.images_file, (num_images, size_px, size_px))
        create_rows(self._marks_file, (num_images,))
        create_contents(self._contents_file, num_images)
        write_json(self._inputs_file, inputs)

    def _begin_again(self, contents: Contents) -> NDArray[np.uint8]:
        """The marks of each row, once those that were not stored for good are to do again.

        Where two archives had different files of one name, all are read again: any of them may have
        been mended.
        """
        mark_N, disputed_N = self._marks(), contents.disputed_N
        if disputed_N.any():
            self._book.reopen()
        mark_N[(mark_N == FAILED) | disputed_N] = TO_DO
        self._write_marks(mark_N)
        contents.forget(mark_N == TO_DO)
        if mark_N.any():
            logger.info("%s: continues, %d of %d are done", self.out, mark_N.sum(), len(mark_N))
        return mark_N

    def _marks(self) -> NDArray[np.uint8]:
        with RowsFile(self._marks_file) as marks:
            return marks[:].copy()

    def _write_marks(self, mark_N: NDArray[np.uint8]) -> None:
        with RowsFile(self._marks_file) as marks:
            marks.write(0, mark_N)

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
        self, archives: Sequence[Path], files: Found, contents: Contents
    ) -> list[Source]:
        """Those that were not read to their end: also where all is there, since they may differ."""
        rows = {image: row for row, (image, file) in enumerate(files.items()) if file is None}
        return [
            Archive(path, rows, contents) for path in archives if not self._book.has_all_of(path)
        ]

    def _check_failures(self, failures: dict[str, str], max_bad: int) -> None:
        if len(failures) <= max_bad:
            return
        named = [f"{image} ({reason})" for image, reason in sorted(failures.items())[:3]]
        raise HarnessError(
            f"{self.out}: {len(failures)} images cannot be had, more than the {max_bad} that "
            f"--max-bad allows: {', '.join(named)}{', ...' if len(failures) > 3 else ''}; mend "
            "them or raise --max-bad, then run it again: what is done is kept"
        )


def first_difference(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """`size_px 128, now 256` for the first entry that differs; empty where none does."""
    for name in sorted(theirs.keys() | ours.keys()):
        was, now = theirs.get(name, "absent"), ours.get(name, "absent")
        if was != now:
            return f"{name} {was[:12]}, now {now[:12]}"
    return ""


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
