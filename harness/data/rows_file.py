"""`RowsFile`: a .npy file of bytes that many threads fill, each its own rows.

It is read and written by position and never mapped into memory: a mapping would count as the
memory of the process, and a full disk would end it with a signal instead of an error.
"""

import math
import os
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from harness.core.files import check_space, naming_a_full_disk, write_atomic

COPY_ROWS = 1024


class PixelRows(Protocol):
    """Uint8, rows x ..., of which slices are read: an array, or a `RowsFile`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[np.uint8]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]: ...


class RowsFile:
    """An open file of uint8; `shape[0]` rows of `shape[1:]`, of which slices are read."""

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, *, is_writable: bool = True) -> None:
        """`is_writable` False gets by where nobody may write."""
        self.path = path
        with path.open("rb") as stream:
            np.lib.format.read_magic(stream)
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            self._offset = stream.tell()
        assert dtype == self.dtype
        assert not is_fortran
        self.shape: tuple[int, ...] = shape
        self._row_bytes = math.prod(shape[1:])
        self._file = os.open(path, os.O_RDWR if is_writable else os.O_RDONLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        """A copy of neighbouring rows, read-only."""
        start, stop, step = rows.indices(len(self))
        assert step == 1
        num_rows = max(0, stop - start)
        place = self._offset + start * self._row_bytes
        content = os.pread(self._file, num_rows * self._row_bytes, place)
        return np.frombuffer(content, dtype=np.uint8).reshape(num_rows, *self.shape[1:])

    def write(self, start: int, row_NX: NDArray[np.uint8]) -> None:
        """Write rows from `start` on.

        Raises:
            DiskFullError: There is no space left.
        """
        rest = np.ascontiguousarray(row_NX).reshape(-1).data
        place = self._offset + start * self._row_bytes
        with naming_a_full_disk(self.path):
            while rest:
                num_written = os.pwrite(self._file, rest, place)
                rest, place = rest[num_written:], place + num_written

    def sync(self) -> None:
        """Return when all that was written is on the disk.

        Raises:
            DiskFullError: There is no space left, which some file systems tell only now.
        """
        with naming_a_full_disk(self.path):
            os.fsync(self._file)


def create_rows(path: Path, shape: tuple[int, ...]) -> None:
    """Make a file of zeros, which take no room before they are written.

    Raises:
        DiskFullError: There is no space even for its header.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with naming_a_full_disk(path), path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + math.prod(shape))


def copy_rows(source: Path, is_kept_N: NDArray[np.bool_], path: Path) -> None:
    """Some rows of an array in a file of their own, written whole or not at all.

    Raises:
        DiskFullError: There is no space left.
    """

    def write(partial: Path) -> None:
        with RowsFile(source) as pixels:
            create_rows(partial, (int(np.count_nonzero(is_kept_N)), *pixels.shape[1:]))
            with RowsFile(partial) as copy:
                place = 0
                for start in range(0, len(is_kept_N), COPY_ROWS):
                    is_kept = is_kept_N[start : start + COPY_ROWS]
                    kept = pixels[start : start + len(is_kept)][is_kept]
                    copy.write(place, kept)
                    place += len(kept)
                copy.sync()

    check_space(path, source.stat().st_size)
    write_atomic(path, write)
