"""Large files over HTTP that arrive whole or not at all, whatever the connection does.

What has arrived of a file lies beside it under the name `NAME.part`, so that every try, and every
later run, asks for the rest only. A file gets its name once its MD5 is right. Knows no data set.
"""

import hashlib
import os
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError, named
from harness.core.files import check_space, naming_a_full_disk
from harness.core.locks import held
from harness.core.progress import Progress, ignore
from harness.data.http_ranges import (
    TERMS,
    Terms,
    UnavailableError,
    check_address,
    length_of,
    rest_of,
)

NUM_AT_ONCE = 4
HASH_BYTES = 2**22
PROGRESS_EVERY_S = 0.5
NUM_ARRIVALS = 2
"""A file that arrives whole and wrong is fetched once more, from its beginning."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name here, its length, its MD5 and where it is."""

    name: str
    num_bytes: int
    md5: str
    url: str


def download(
    files: Sequence[RemoteFile],
    folder: Path,
    *,
    num_at_once: int = NUM_AT_ONCE,
    terms: Terms = TERMS,
    progress: Progress = ignore,
) -> None:
    """Have every file in `folder`, whole; those that are there already are checked, not fetched.

    The threads that fetch may be left behind at any moment, as by an interrupt: what they leave
    on the disk is good to continue from.

    Args:
        num_at_once: Files that are fetched at the same time.

    Raises:
        HarnessError: Files could not be had, and the others are there; or an address is not safe,
            or another process fetches into this folder.
        DiskFullError: There is no room for all of them.
    """
    for file in files:
        check_address(file.url, terms)
    with held(folder / ".download.lock"):
        transfers = [Transfer(file, folder, terms) for file in files]
        check_space(folder, sum(transfer.num_missing_bytes for transfer in transfers))
        problems = _run_all(transfers, num_at_once, progress)
    if problems:
        told = named([f"{name} ({problem})" for name, problem in sorted(problems.items())])
        raise HarnessError(
            f"{folder}: {len(problems)} of {len(files)} files could not be had: {told}; what has "
            "arrived is kept: run it again"
        )


def remote_file(name: str, md5: str, url: str, terms: Terms = TERMS) -> RemoteFile:
    """A file whose length its server is asked for, as often as `terms` bear.

    Raises:
        HarnessError: The address is not safe, or the server does not say.
    """
    check_address(url, terms)
    wait_s = terms.wait_s
    for num_left in reversed(range(terms.num_tries)):
        try:
            return RemoteFile(name, length_of(url, terms), md5, url)
        except UnavailableError as error:
            if error.is_final or not num_left:
                raise HarnessError(f"{name} could not be had: {error}; run it again") from None
            time.sleep(min(max(wait_s, error.wait_s), terms.max_wait_s))
            wait_s *= 2
    raise AssertionError("a file is tried at least once")


def _run_all(
    transfers: Sequence["Transfer"], num_at_once: int, progress: Progress
) -> dict[str, str]:
    """Run them in threads; the problem of each that failed, by the name of its file."""
    waiting: queue.SimpleQueue[Transfer] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[str, Exception | None]] = queue.SimpleQueue()
    for transfer in transfers:
        waiting.put(transfer)
    for _ in range(min(num_at_once, len(transfers))):
        threading.Thread(target=_work_through, args=(waiting, ended), daemon=True).start()
    total = sum(transfer.file.num_bytes for transfer in transfers)
    num_ended, problems = 0, {}
    try:
        while num_ended < len(transfers):
            try:
                name, error = ended.get(timeout=PROGRESS_EVERY_S)
            except queue.Empty:
                pass
            else:
                num_ended += 1
                if error is not None:
                    problems[name] = _words_of(error)
            progress(sum(transfer.num_bytes_here for transfer in transfers), total)
    finally:
        for transfer in transfers:
            transfer.stop.set()
    return problems


def _work_through(
    waiting: "queue.SimpleQueue[Transfer]",
    ended: "queue.SimpleQueue[tuple[str, Exception | None]]",
) -> None:
    while True:
        try:
            transfer = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            transfer.run()
            ended.put((transfer.file.name, None))
        except Exception as error:  # goes to the thread that waits for it
            ended.put((transfer.file.name, error))


def _words_of(error: Exception) -> str:
    """What a user can be told.

    Raises:
        Exception: The error is none that a server, a disk or a user can cause.
    """
    if not isinstance(error, HarnessError | UnavailableError | OSError):
        raise error
    return str(error)


class Transfer:
    """One file on its way into a folder.

    Attributes:
        num_bytes_here: Bytes that have arrived, or been checked where the file was there.
        stop: Once it is set the transfer ends at its next piece, with a `.part` to continue from.
    """

    def __init__(self, file: RemoteFile, folder: Path, terms: Terms) -> None:
        self.file = file
        self.path = folder / file.name
        self.part = folder / f"{file.name}.part"
        self.terms = terms
        self.stop = threading.Event()
        self.num_bytes_here = 0

    @property
    def num_missing_bytes(self) -> int:
        """What has to be fetched, unless what is here turns out to be wrong."""
        if _size_of(self.path) == self.file.num_bytes:
            return 0
        return max(0, self.file.num_bytes - _size_of(self.part))

    def run(self) -> None:
        """Have the file, whole and checked.

        Raises:
            UnavailableError: The server did not give it, or gave something else.
            DiskFullError: There is no space left.
        """
        if _size_of(self.path) == self.file.num_bytes and self._md5_of(self.path) == self.file.md5:
            return
        for _ in range(NUM_ARRIVALS):
            self._fetch()
            found = self._md5_of(self.part)
            if found == self.file.md5:
                self.part.replace(self.path)
                return
            self.part.unlink()
        raise UnavailableError(
            f"arrived {NUM_ARRIVALS} times with the wrong MD5 {found}, not {self.file.md5}, from "
            f"{self.file.url}"
        )

    def _fetch(self) -> None:
        """Try until the whole file has arrived, or the tries that bring nothing are used up."""
        num_failed, furthest = 0, 0
        while (start := self._num_arrived()) < self.file.num_bytes:
            furthest = max(furthest, start)
            wait_s, problem = 0.0, "the connection ended early"
            try:
                self._fetch_from(start)
            except UnavailableError as error:
                if error.is_final:
                    raise
                wait_s, problem = error.wait_s, str(error)
            arrived = _size_of(self.part)
            if arrived == self.file.num_bytes:
                return
            num_failed = 0 if arrived > furthest else num_failed + 1
            if num_failed == self.terms.num_tries:
                raise UnavailableError(f"{problem}, {num_failed} times in a row, {self.file.url}")
            wait_s = max(wait_s, self.terms.wait_s * 2 ** max(0, num_failed - 1))
            if self.stop.wait(min(wait_s, self.terms.max_wait_s)):
                raise UnavailableError("was stopped")

    def _fetch_from(self, start: int) -> None:
        """Append what one request brings to the `.part`, or begin it anew."""
        mode = "r+b" if self.part.exists() else "w+b"
        with (
            naming_a_full_disk(self.part),
            rest_of(self.file.url, start, self.file.num_bytes, self.terms) as (place, pieces),
            self.part.open(mode) as stream,
        ):
            stream.truncate(place)
            stream.seek(place)
            self.num_bytes_here = place
            for piece in pieces:
                stream.write(piece)
                self.num_bytes_here += len(piece)
                if self.stop.is_set():
                    raise UnavailableError("was stopped", is_final=True)
            stream.flush()
            os.fsync(stream.fileno())

    def _num_arrived(self) -> int:
        """Bytes of the `.part`; one that is too long is of another file, and is taken away."""
        if _size_of(self.part) > self.file.num_bytes:
            self.part.unlink()
        self.num_bytes_here = _size_of(self.part)
        return self.num_bytes_here

    def _md5_of(self, path: Path) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        is_counted = path == self.path
        with path.open("rb") as stream:
            while piece := stream.read(HASH_BYTES):
                digest.update(piece)
                if is_counted:
                    self.num_bytes_here += len(piece)
        return digest.hexdigest()


def _size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0
