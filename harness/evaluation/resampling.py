"""Resamples with replacement of patients (or of images), drawn once and shared by all models.

Axes: R resamples, U units that are drawn, N images, L findings, M bins. Images of one patient
resemble one another, so it is patients that are drawn: every image of a drawn patient comes with
it, as often as the patient was drawn (the cluster bootstrap, Davison & Hinkley 1997, section 3.8).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.seeds import derive_seed
from harness.evaluation.metrics import FloatArray

NUM_RESAMPLES = 2000
NUM_AT_ONCE = 500
"""Resamples whose counts are held as floats at one time."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """R resamples of U units; every image of a drawn unit comes with it.

    Attributes:
        count_RU: uint8, how often a resample drew a unit. A unit is drawn once on average, and
            more than 255 times never: either there are fewer units, or its odds are below 1e-500.
        unit_N: int32, which unit an image belongs to.
    """

    count_RU: NDArray[np.uint8]
    unit_N: NDArray[np.int32]

    @classmethod
    def draw(cls, unit_ids_N: ArrayLike, *, num: int = NUM_RESAMPLES, seed: int) -> Self:
        """`num` resamples, each of as many units as there are.

        The same for the same units and seed, in whatever order the images come.

        Args:
            unit_ids_N: The patient of each image, or its own name to resample images.
            num: Resamples.
            seed: The stream is derived from it by name.
        """
        unit_ids, unit_N = np.unique(np.asarray(unit_ids_N), return_inverse=True)
        num_units = len(unit_ids)
        rng = np.random.default_rng(derive_seed(seed, "resamples"))
        count_RU = np.empty((num, num_units), dtype=np.uint8)
        for count_U in count_RU:
            count_U[:] = np.bincount(rng.integers(num_units, size=num_units), minlength=num_units)
        return cls(count_RU=count_RU, unit_N=unit_N.astype(np.int32))

    @property
    def whole(self) -> Self:
        """One resample that has drawn each unit once: the sample as it is."""
        return replace(self, count_RU=np.ones_like(self.count_RU[:1]))

    @property
    def num(self) -> int:
        return len(self.count_RU)

    @property
    def num_units(self) -> int:
        """Units that have an image here; of some of the images (`of`) fewer than are drawn."""
        return len(np.unique(self.unit_N))

    def of(self, rows: ArrayLike) -> Self:
        """The same resamples as some of the images see them, for figures paired with the whole's.

        Args:
            rows: A mask over the N images, or their indices.
        """
        return replace(self, unit_N=self.unit_N[np.asarray(rows)])

    def blocks(self, size: int) -> Iterator[slice]:
        """All resamples in slices of at most `size`."""
        return (slice(start, start + size) for start in range(0, self.num, size))

    def totals(
        self, value_NL: NDArray[np.generic], *, bin_NL: ArrayLike = 0, num_bins: int = 1
    ) -> FloatArray:
        """Sums over the images of each resample, R x (L * M); exact for whole numbers.

        Args:
            value_NL: What is summed, in one column per finding.
            bin_NL: The bin, from 0 to M - 1, in which a value is counted.
            num_bins: M; the bins of a finding are M columns side by side.
        """
        num_units, num_columns = self.count_RU.shape[1], value_NL.shape[1] * num_bins
        column_NL = np.arange(0, num_columns, num_bins) + bin_NL
        cell_NL = self.unit_N[:, None].astype(np.int64) * num_columns + column_NL
        sums = np.bincount(cell_NL.ravel(), value_NL.ravel(), num_units * num_columns)
        sum_UC = sums.reshape(num_units, num_columns)
        return np.concatenate(
            [self.count_RU[rows].astype(np.float64) @ sum_UC for rows in self.blocks(NUM_AT_ONCE)]
        )
