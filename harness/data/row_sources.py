"""`Contents`: which file each row of an unfinished store has its pixels from.

Two archives may have an image of one name, and so may one of them twice. Where both files are the
same nothing is lost. Where they are not, nobody can tell to which of them the label belongs.
"""

import threading
from pathlib import Path
from typing import Literal, Self

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from harness.data.rows_file import RowsFile, create_rows

SUM_BYTES = 8
"""Length and CRC-32 of a file: enough to tell two X-rays apart, and no work to compute."""
DISPUTED = np.uint64(2**64 - 1)

Claim = Literal["new", "same", "other"]


class Contents:
    """A file of `SUM_BYTES` for each row, 0 where no archive gave it; threads share one object."""

    def __init__(self, path: Path) -> None:
        self._file = RowsFile(path)
        self._sum_N = self._file[:].reshape(-1).view("<u8").copy()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @property
    def disputed_N(self) -> NDArray[np.bool_]:  # noqa: N802
        """bool, N: rows for which there were two files, now or when the work was begun."""
        return self._sum_N == DISPUTED

    def forget(self, is_forgotten_N: NDArray[np.bool_]) -> None:
        """Let these rows be claimed anew."""
        self._sum_N[is_forgotten_N] = 0
        self._file.write(0, self._sum_N.view(np.uint8))

    def claim(self, row: int, content: bytes) -> Claim:
        """Whether a file is the first one of a row, the same as the first, or another.

        Raises:
            DiskFullError: There is no space left.
        """
        found = np.uint64((len(content) + 1) << 32 | isal_zlib.crc32(content))
        with self._lock:
            first = self._sum_N[row]
            if first == found:
                return "same"
            self._sum_N[row] = found if first == 0 else DISPUTED
            self._file.write(row, self._sum_N[row : row + 1].view(np.uint8))
            return "new" if first == 0 else "other"


def create_contents(path: Path, num_rows: int) -> None:
    """Make the file of rows that no archive gave yet."""
    create_rows(path, (num_rows, SUM_BYTES))
