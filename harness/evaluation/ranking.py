"""Figures that need the order of the images, for many resamples at once and exactly.

Axes: R resamples (B of one block), L findings, U units that are drawn, N images, G distinct scores
that a positive image has. For AUROC, average precision and the best F1 it is enough to know what a
resample counts at each of those G scores and between them. These are sums over its units: a sparse
matrix of G x U times how often each unit was drawn. No resample is ever sorted.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from harness.evaluation.metrics import (
    BoolArray,
    FloatArray,
    IntArray,
    ScoreArray,
    all_known,
    operating_points,
    ratio,
)
from harness.evaluation.resampling import Resamples

NUM_AT_ONCE = 32
"""Resamples that are counted together: their counts of all units stay in the cache."""

Counts = NDArray[np.int32]


def ranking_metrics(
    score_NL: ScoreArray,
    label_NL: BoolArray,
    resamples: Resamples,
    is_known_NL: BoolArray | None = None,
) -> dict[str, FloatArray]:
    """`auroc`, `auprc` and `f1_oracle` of each resample, R x L.

    AUROC and the best F1 equal those of `metrics` to the last bit, average precision to rounding.
    Where `is_known_NL` is False, an image is drawn for no figure of the finding.

    Raises:
        ValueError: A score is not finite.
    """
    is_known_NL = all_known(label_NL, is_known_NL)
    rankings = [
        Ranking.of(score_N[is_known_N], label_N[is_known_N], resamples.of(is_known_N))
        for score_N, label_N, is_known_N in zip(score_NL.T, label_NL.T, is_known_NL.T, strict=True)
    ]
    truths = [label_NL & is_known_NL, ~label_NL & is_known_NL]
    counted = resamples.totals(np.concatenate(truths, axis=1)).astype(np.int64)
    num_positives_RL, num_negatives_RL = np.split(counted, 2, axis=1)
    value_MRL = np.empty((3, *num_positives_RL.shape))
    for rows in resamples.blocks(NUM_AT_ONCE):
        count_UB = np.ascontiguousarray(resamples.count_RU[rows].T, dtype=np.int32)
        for column, ranking in enumerate(rankings):
            value_MRL[:, rows, column] = ranking.metrics(
                count_UB, num_positives_RL[rows, column], num_negatives_RL[rows, column]
            )
    return dict(zip(("auroc", "auprc", "f1_oracle"), value_MRL, strict=True))


@dataclass(frozen=True, eq=False)
class Ranking:
    """The images of one finding in steps, from the highest score of a positive to the lowest.

    Attributes:
        positive_GU: How many positives of a unit have the score of a step.
        tied_GU: How many of its negatives have that same score.
        above_GU: How many of its negatives lie between the step before and this one.
    """

    positive_GU: csr_array
    tied_GU: csr_array
    above_GU: csr_array

    @classmethod
    def of(cls, score_N: ScoreArray, label_N: BoolArray, resamples: Resamples) -> Self:
        """The steps of one finding, of images whose label is known.

        Negatives below the last positive are in none.
        """
        points = operating_points(score_N, label_N)
        falling_G = points.threshold_K[np.diff(points.tp_K, prepend=0) > 0]
        score_N = score_N.astype(np.float64)
        step_N = np.searchsorted(-falling_G, -score_N)
        is_level_N = np.append(falling_G, -np.inf)[step_N] == score_N
        num_units = resamples.count_RU.shape[1]

        def count(is_counted_N: BoolArray) -> csr_array:
            rows = np.flatnonzero(is_counted_N & (step_N < len(falling_G)))
            cells = (step_N[rows], resamples.unit_N[rows])
            ones = np.ones(len(rows), dtype=np.int32)
            return csr_array((ones, cells), shape=(len(falling_G), num_units))

        return cls(
            positive_GU=count(label_N),
            tied_GU=count(~label_N & is_level_N),
            above_GU=count(~label_N & ~is_level_N),
        )

    def metrics(
        self, count_UB: Counts, num_positives_B: IntArray, num_negatives_B: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """AUROC, average precision and best F1 of B resamples; NaN as in `metrics`."""
        found_GB, tied_GB = self.positive_GU @ count_UB, self.tied_GU @ count_UB
        tp_GB = np.cumsum(found_GB, axis=0, dtype=np.int32)
        fp_GB = np.cumsum(self.above_GU @ count_UB + tied_GB, axis=0, dtype=np.int32)
        called_GB = tp_GB + fp_GB
        # Twice the pairs in the wrong order, ties once: whole numbers, as in `metrics`.
        wrong_B = np.einsum("gb,gb->b", found_GB, 2 * fp_GB - tied_GB, dtype=np.int64)
        pairs_B = 2 * num_positives_B * num_negatives_B
        # A step of which a resample drew no image divides 0 by 1: it adds nothing.
        precision_B = np.einsum("gb,gb->b", found_GB, tp_GB / np.maximum(called_GB, 1))
        f1_GB = 2 * tp_GB / np.maximum(called_GB + num_positives_B.astype(np.int32), 1)
        f1_B = np.where(num_positives_B > 0, f1_GB.max(axis=0, initial=0.0), np.nan)
        return ratio(pairs_B - wrong_B, pairs_B), ratio(precision_B, num_positives_B), f1_B
