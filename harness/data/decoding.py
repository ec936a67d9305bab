"""Many image files to the rows of a store, in threads that share two files on the disk.

Pixels go to one file of rows. A mark for each row goes to the other, after its pixels are on the
disk for good, so that whatever ends the work, and whenever, what is marked is done. Threads are
enough: what takes time (reading, inflating, filters, resizing) lets go of the interpreter, and a
process would need 60 MB for the compiler of the filters alone.
"""

import io
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from harness.core.errors import first_line
from harness.data.archives import ArchiveReport, images_in
from harness.data.decode import BROKEN_FILE, content_of, decode_gray
from harness.data.row_sources import RowSources
from harness.data.rows_file import RowsFile

CHUNK_IMAGES = 128
"""Images that are written to the disk for good at a time: what a kill can cost."""
POLL_S = 0.2

TO_DO, DONE, FAILED = range(3)
"""Marks of a row."""

Job = tuple[int, Path | IO[bytes] | str]
"""The row of an image, and its file, or why it cannot be had."""


@dataclass(frozen=True)
class Target:
    """Where pixels and marks go: a file of N x H x H, and one of N."""

    images_file: Path
    marks_file: Path


@dataclass
class Outcome:
    """What came of a source.

    Attributes:
        failures: The rows that failed, and why.
        is_whole: It was gone through to its end.
        archive: Its file, where it is one.
        report: What was met in the archive beside images.
    """

    failures: dict[int, str] = field(default_factory=dict)
    is_whole: bool = False
    archive: Path | None = None
    report: ArchiveReport = field(default_factory=ArchiveReport)


class Source(Protocol):
    """Where images come from: what one thread works through."""

    def jobs(self, outcome: Outcome) -> Generator[Job, None, None]:
        """Each image once; what else is met is noted in `outcome`."""
        ...


@dataclass(frozen=True)
class Files:
    """Image files of their own."""

    files: Sequence[tuple[int, Path]]

    def jobs(self, outcome: Outcome) -> Generator[Job, None, None]:
        yield from self.files


@dataclass(frozen=True)
class Archive:
    """An archive, the row of each image that is wanted from it, and where those rows are from."""

    path: Path
    rows: Mapping[str, int]
    row_sources: RowSources

    def jobs(self, outcome: Outcome) -> Generator[Job, None, None]:
        outcome.archive = self.path
        for row, member in images_in(self.path, self.rows, outcome.report):
            try:
                content = content_of(member)
            except BROKEN_FILE as error:
                yield row, _reason(error, member)
                continue
            claim = self.row_sources.claim(row, content, self.path.name)
            if claim == "new":
                yield row, io.BytesIO(content)
            elif claim == "other":
                yield row, self.row_sources.dispute(row, self.path.name)


def decode_all(
    sources: Sequence[Source], target: Target, *, num_workers: int, is_over: Callable[[], bool]
) -> Iterator[Outcome]:
    """Decode every source into the rows of `target`; outcomes come in any order.

    Args:
        is_over: Called at first, and every now and then; True ends the work early.

    Raises:
        DiskFullError: There is no space left; what is marked is done.
    """
    if is_over():
        return
    ended = threading.Event()
    with ThreadPoolExecutor(num_workers) as pool:
        try:
            pending = {
                pool.submit(decode_source, source, target, is_over=ended.is_set)
                for source in sources
            }
            while pending:
                done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
                if is_over():
                    ended.set()
                yield from (future.result() for future in done)
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)


def decode_source(source: Source, target: Target, *, is_over: Callable[[], bool]) -> Outcome:
    """Decode one source into the rows of `target`, until it ends or all is over.

    Args:
        is_over: Called before each image.

    Raises:
        DiskFullError: There is no space left; what is marked is done.
    """
    outcome = Outcome()
    with (
        RowsFile(target.images_file) as pixels,
        RowsFile(target.marks_file) as marks,
        closing(source.jobs(outcome)) as jobs,
    ):
        while not (outcome.is_whole or is_over()):
            wanted = takewhile(lambda _: not is_over(), islice(jobs, CHUNK_IMAGES))
            chunk = list(_decoded(wanted, pixels))
            outcome.is_whole = len(chunk) < CHUNK_IMAGES and not is_over()
            pixels.sync()
            for row, reason in chunk:
                marks.write(row, np.full(1, FAILED if reason else DONE, dtype=np.uint8))
            outcome.failures |= {row: reason for row, reason in chunk if reason}
    return outcome


def _decoded(jobs: Iterable[Job], pixels: RowsFile) -> Iterator[tuple[int, str]]:
    """Each row, and why its image failed, or an empty string once its pixels are written."""
    for row, file in jobs:
        if isinstance(file, str):
            yield row, file
            continue
        try:
            gray_HW = decode_gray(file, pixels.shape[1])
        except BROKEN_FILE as error:
            yield row, _reason(error, file)
        else:
            pixels.write(row, gray_HW)
            yield row, ""


def _reason(error: BaseException, file: Path | IO[bytes]) -> str:
    """The first line of an error; without the file's folder, which says nothing of the image."""
    text = first_line(error)
    if isinstance(file, Path):
        text = text.replace(str(file), file.name)
    return f"{type(error).__name__}: {text}"
