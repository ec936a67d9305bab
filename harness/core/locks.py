"""Locks on files that die with the process that holds them, `kill -9` included.

They are `flock` locks (flock(2)): the kernel lets go of one when the process ends. The file
itself stays where it is: taking it away would let two processes lock two files of one name.
"""

import errno
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.core.errors import HarnessError
from harness.core.files import naming_a_full_disk
from harness.core.records import now

log = logging.getLogger(__name__)

POLL_S = 0.1
SHORTEST_WAIT_S = 0.3
"""`is_held` takes the lock for an instant, which must not look like another holder."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a network file system without locks answers."""


class LockedError(HarnessError):
    """Another process holds the lock; it goes on undisturbed."""


@contextmanager
def held(path: Path, *, of: Path | None = None, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock `path`, a file that is made where there is none.

    On a file system that has no locks a warning is logged, and nothing is held.

    Args:
        path: The lock file; whoever reads it sees process, host and time of the holder.
        of: What is locked, for messages; by default the folder of the lock file.
        wait_s: How long to wait for another holder to let go.

    Raises:
        LockedError: It is still held; the message names the holder.
        DiskFullError: There is no room for even this file.
    """
    with naming_a_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8")
    with stream:
        _wait_for(stream, path, of or path.parent, wait_s)
        _write_holder(stream)
        try:
            yield
        finally:
            with suppress(OSError):
                stream.truncate(0)


def is_held(path: Path) -> bool:
    """True while some process, this one or another, holds the lock `path`."""
    try:
        with path.open("r", encoding="utf-8") as stream:
            return not _try(stream, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def holder_of(path: Path) -> str:
    """`process 4711 on node3 since ...`, or `another process` where the file does not say."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return f"process {told['pid']} on {told['host']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _wait_for(stream: IO[str], path: Path, of: Path, wait_s: float) -> None:
    deadline = time.monotonic() + max(wait_s, SHORTEST_WAIT_S)
    is_told = False
    while not _try(stream, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            raise LockedError(
                f"{of}: in use by {holder_of(path)}; wait for it, or end that process"
            )
        if wait_s > SHORTEST_WAIT_S and not is_told:
            log.info("%s: waiting for %s", of, holder_of(path))
            is_told = True
        time.sleep(POLL_S)


def _try(stream: IO[str], operation: int) -> bool:
    try:
        fcntl.flock(stream, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        log.warning("%s: this file system has no locks (%s)", stream.name, error.strerror)
    return True


def _write_holder(stream: IO[str]) -> None:
    """The name is for people: the lock holds without it, on a full disk too."""
    told = {"pid": os.getpid(), "host": socket.gethostname(), "since": now()}
    with suppress(OSError):
        stream.truncate(0)
        stream.write(json.dumps(told) + "\n")
        stream.flush()
