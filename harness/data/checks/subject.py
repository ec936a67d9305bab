"""What the checks are given: a store, its split and its measured images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.checks.pictures import Pictures
from harness.data.store import ImageStore

MAX_ROWS = 1000
"""Rows of a check at most, so that a report of a broken store can still be opened."""
MAX_SHOWN = 12
BLANK_SPREAD = 8
"""Gray levels between the darkest and the brightest of 32 x 32 cells: up to here there is nothing
to be seen. Real films have over 100."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is checked; `part_N` is the part of each row in the split, empty for none."""

    store: ImageStore
    part_N: NDArray[np.str_]
    pictures: Pictures

    @property
    def is_blank_N(self) -> NDArray[np.bool_]:  # noqa: N802
        return self.pictures.spread_N <= BLANK_SPREAD
