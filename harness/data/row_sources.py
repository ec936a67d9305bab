"""`RowSources`: which file of which archive each row of an unfinished store has its pixels from.

Two archives may have an image of one name, and so may one of them twice. Where both files are the
same nothing is lost. Where they are not, nobody can tell to which of them the label belongs.
"""

import threading
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from harness.data.rows_file import RowsFile, create_rows

ROW = np.dtype([("content", "<u8"), ("archive", "<u4")])
"""Length and CRC-32 of the file, 0 where no archive gave it, and CRC-32 of the archive's name.

That is enough to tell two X-rays, or two archives of a release, apart, and no work to compute.
"""
DISPUTED = np.uint64(2**64 - 1)

Claim = Literal["new", "same", "other"]


class RowSources:
    """A file of a `ROW` for each row; threads share one object."""

    def __init__(self, path: Path, archives: Iterable[str] = ()) -> None:
        """`archives` are the names of those that can be told by name."""
        self._file = RowsFile(path)
        self._row_N = self._file[:].reshape(-1).view(ROW).copy()
        self._names = {zlib.crc32(name.encode()): name for name in archives}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @property
    def disputed_N(self) -> NDArray[np.bool_]:  # noqa: N802
        """bool, N: rows for which there were two files, now or when the work was begun."""
        return np.asarray(self._row_N["content"] == DISPUTED)

    def forget(self, is_forgotten_N: NDArray[np.bool_]) -> None:
        """Let these rows be claimed anew."""
        self._row_N[is_forgotten_N] = 0
        self._file.write(0, self._row_N.view(np.uint8))

    def claim(self, row: int, content: bytes, archive: str) -> Claim:
        """Whether a file of an archive is the first one of a row, the same as it, or another.

        Raises:
            DiskFullError: There is no space left.
        """
        found = np.uint64((len(content) + 1) << 32 | isal_zlib.crc32(content))
        with self._lock:
            first = self._row_N["content"][row]
            if first == found:
                return "same"
            if first == 0:
                self._row_N[row] = (found, zlib.crc32(archive.encode()))
            else:
                self._row_N["content"][row] = DISPUTED
            self._file.write(row, self._row_N[row : row + 1].view(np.uint8))
            return "new" if first == 0 else "other"

    def dispute(self, row: int, archive: str) -> str:
        """Why a row whose claim by `archive` is of another file cannot be had."""
        first = self._names.get(int(self._row_N["archive"][row]), "an archive that is gone")
        if first == archive:
            return f"two files of this name in {archive} differ"
        return f"files of this name in {' and '.join(sorted((first, archive)))} differ"


def create_row_sources(path: Path, num_rows: int) -> None:
    """Make the file of rows that no archive gave yet."""
    create_rows(path, (num_rows, ROW.itemsize))
