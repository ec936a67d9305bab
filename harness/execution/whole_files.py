"""`WholeFiles`: files of a place, each written whole or not at all, patiently.

Failures that pass by themselves (a lost connection, a busy service) are waited out for about 30 s.
It knows nothing of runs.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
from pyarrow import fs

from harness.core.errors import DiskFullError, HarnessError
from harness.core.files import FULL, write_atomic
from harness.execution.filesystems import Location, describe, is_passing

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
PATIENCE_S = 30.0
"""A failing request is given up when its pauses, or this time, are used up."""

CHUNK_BYTES = 32 << 20


class Stamp(NamedTuple):
    """How a change of a file is seen. A file that was replaced has another inode."""

    size: int
    mtime_ns: int
    inode: int = 0


class WholeFiles:
    """The files of one place, by absolute path (or bucket and key).

    Every method raises HarnessError (DiskFullError where a disk is full) with one line when the
    place fails for good, or for longer than patience lasts.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._filesystem = location.filesystem

    def stamps(self, path: str) -> dict[str, Stamp]:
        """Stamp of each stored file by its path below `path`."""
        selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
        found = self._patiently("listing", lambda: self._filesystem.get_file_info(selector))
        return {
            info.path.removeprefix(f"{path}/"): Stamp(info.size, info.mtime_ns)
            for info in found
            if info.type == fs.FileType.File
        }

    def read(self, path: str) -> bytes:
        """All of a file."""

        def read() -> bytes:
            with self._filesystem.open_input_stream(path, compression=None) as stream:
                data: bytes = stream.read()
            return data

        return self._patiently(f"reading {self._short(path)}", read)

    def write(self, path: str, data: bytes) -> None:
        """Make a file of these bytes, or replace it."""
        self._patiently(f"writing {self._short(path)}", lambda: self._write(path, data))

    def send(self, source: Path, target: str) -> bool:
        """False where the file has gone since it was seen."""

        def upload() -> bool:
            try:
                is_empty = source.stat().st_size == 0
                data = b"" if is_empty else pa.memory_map(str(source)).read_buffer()
            except FileNotFoundError:
                return False
            self._write(target, data)
            return True

        # In a thread of its own no signal can raise between opening and writing: closing what is
        # half written, as unwinding would, makes it a whole object of half the bytes.
        what = f"writing {self._short(target)}"
        with ThreadPoolExecutor(1) as thread:
            # The pool waits at its end only for a thread that it knows to have started, and a
            # signal could come between the two: so it starts before there is anything to cut.
            thread.submit(int).result()
            return self._patiently(what, lambda: thread.submit(upload).result())

    def fetch(self, source: str, target: Path) -> int:
        """Number of bytes fetched; -1 where the file has gone since it was listed."""

        def copy(half: Path) -> None:
            stream = self._filesystem.open_input_stream(source, compression=None)
            with stream, half.open("wb") as local:
                shutil.copyfileobj(stream, local, CHUNK_BYTES)

        def download() -> int:
            try:
                write_atomic(target, copy)
            except FileNotFoundError:
                return -1
            return target.stat().st_size

        return self._patiently(f"fetching {self._short(source)} into {target.parent}", download)

    def delete(self, paths: Iterable[str]) -> None:
        """Remove files; one that is not there is no fault."""

        def delete(path: str) -> None:
            with suppress(FileNotFoundError):
                self._filesystem.delete_file(path)

        for path in sorted(paths):
            self._patiently(f"removing {self._short(path)}", partial(delete, path))

    def sweep(self, target: str) -> None:
        """Remove what an uploader that was killed left half written; a bucket shows no such."""
        if self._location.is_local:
            for half in Path(target).rglob(".*.partial*"):
                half.unlink(missing_ok=True)

    def _write(self, path: str, data: Any) -> None:
        """Write one file whole: an object store shows it at its end, a folder gets it by rename."""
        if not self._location.is_local:
            self._write_stream(path, data)
            return
        folder, _, file = path.rpartition("/")
        self._filesystem.create_dir(folder)
        half = f"{folder}/.{file}.{os.getpid()}.partial"
        try:
            self._write_stream(half, data)
            self._filesystem.move(half, path)
        finally:
            Path(half).unlink(missing_ok=True)

    def _write_stream(self, path: str, data: Any) -> None:
        # Not `fs.copy_files`: it drops the errors of closing, which are those of small uploads.
        stream = self._filesystem.open_output_stream(path, compression=None)
        try:
            stream.write(data)
        finally:
            stream.close()

    def _short(self, path: str) -> str:
        return path.removeprefix(f"{self._location.root}/")

    def _patiently(self, what: str, act: Callable[[], T]) -> T:
        """What `act` returns, tried again with growing pauses while its failure may pass."""
        give_up_at = time.monotonic() + PATIENCE_S
        pauses = iter(PAUSES_S)
        while True:
            try:
                return act()
            except OSError as error:
                told = f"storage {self._location.shown}: {what}: {describe(error)}"
                pause = next(pauses, PATIENCE_S)
                if not is_passing(error) or time.monotonic() + pause > give_up_at:
                    is_full = error.errno in FULL
                    raise (DiskFullError if is_full else HarnessError)(told) from None
            log.warning("%s; trying again in %g s", told, pause)
            time.sleep(pause)
