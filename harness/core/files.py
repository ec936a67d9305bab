"""Files written whole or not at all, the space that they need, and their hashes."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.core.errors import DiskFullError

FULL = (errno.ENOSPC, errno.EDQUOT)
MARGIN_BYTES = 8_000_000
MARGIN_PART = 20
"""Beside what is written, 8 MB stay free, or one part in 20 of it where that is more.

That is room for the small files of a run (metrics, predictions, record) and for the headers and
the padding of the large ones, and little enough not to refuse a disk on which all would fit.
"""
WHAT_TO_DO = (
    "make room there with `harness gc`, keep the weights of fewer runs (--keep), or take another "
    "disk, then run the same command again"
)


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it into place.

    Raises:
        DiskFullError: There is no space left; what was at `path` is still there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial{path.suffix}")
    try:
        with naming_a_full_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(partial)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    Raises:
        DiskFullError: As `write_atomic`.
    """

    def write(partial: Path) -> None:
        partial.write_text(text, encoding="utf-8")

    write_atomic(path, write)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, whole or not at all.

    Raises:
        ValueError: There is a NaN or an infinity, which JSON does not have.
        DiskFullError: As `write_atomic`.
    """
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """The text that `write_json` writes."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def overwrite_text(path: Path, text: str) -> None:
    """Write over the beginning of a small file, blanks after it up to the file's old length.

    Not atomic, but it gets by with the blocks that the file has: for a disk with no byte left.
    """
    with path.open("r+b") as stream:
        stream.write(text.encode().ljust(path.stat().st_size))


def read_json(path: Path) -> Any:
    """The value in a file of JSON.

    Raises:
        OSError: There is no such file.
        ValueError: It is not JSON.
    """
    return json.loads(path.read_text(encoding="utf-8"))


# Space ------------------------------------------------------------------------------------------


def check_space(path: Path, num_bytes: int) -> None:
    """Nothing, where `num_bytes` and a margin are free on the disk of `path`.

    Raises:
        DiskFullError: They are not.
    """
    margin = max(MARGIN_BYTES, num_bytes // MARGIN_PART)
    free = free_bytes(path)
    if free < num_bytes + margin:
        raise DiskFullError(
            f"{path}: {megabytes(num_bytes)} are to be written and {megabytes(margin)} to stay "
            f"free, but the disk has only {megabytes(free)} left; {WHAT_TO_DO}"
        )


def free_bytes(path: Path) -> int:
    """Bytes that are free for this user on the disk of `path`, which need not exist yet."""
    folder = next(parent for parent in (path, *path.parents) if parent.exists())
    return shutil.disk_usage(folder).free


@contextmanager
def naming_a_full_disk(path: Path) -> Iterator[None]:
    """The system's errors for a full disk or quota become one that names `path`.

    Raises:
        DiskFullError: In place of them.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise disk_full(path) from error


def disk_full(path: Path) -> DiskFullError:
    """The error for a write to `path` for which there was no space."""
    try:
        left = megabytes(free_bytes(path))
    except OSError:  # the disk itself is in trouble
        left = "unknown space"
    return DiskFullError(
        f"{path}: could not be written, the disk or the quota is full ({left} left); {WHAT_TO_DO}"
    )


def megabytes(num_bytes: int) -> str:
    """`12.3 MB`, to a tenth below 100."""
    value = num_bytes / 1e6
    return f"{value:.1f} MB" if value < 100 else f"{value:,.0f} MB"


# Hashes -----------------------------------------------------------------------------------------


def sha256_of_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`: sorted keys, no white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the content, remembered for as long as nobody writes to the file."""
    stat = path.stat()
    return _sha256_of_file(path.resolve(), (stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=256)
def _sha256_of_file(path: Path, state: tuple[int, ...]) -> str:
    del state  # what it is told apart by
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
