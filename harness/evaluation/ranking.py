"""Figures that need the order of the images, for many resamples at once and exactly.

Axes: R resamples (B of one block), L findings, U units that are drawn, N images, I of them that no
positive image lies above, S ends of steps. For AUROC, average precision and the best F1 it is
enough to know what a resample counts at each score that a positive image has, and between them. The
images are sorted once; a compiled loop goes down the order and counts each image as often as each
resample of a block drew its unit. No resample is ever sorted.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.core.machine_code import compiled
from harness.evaluation.metrics import (
    BoolArray,
    FloatArray,
    IntArray,
    ScoreArray,
    all_known,
    known_columns,
    ratio,
)
from harness.evaluation.order import falling
from harness.evaluation.resampling import Resamples

NUM_AT_ONCE = 64
"""Resamples that are counted together: their sums fill the vector registers and stay in the cache.

Half or twice as many take two to three times as long.
"""


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
        Ranking.of(score_N, label_N, resamples.of(is_known_N))
        for score_N, label_N, is_known_N in known_columns(score_NL, label_NL, is_known_NL)
    ]
    truths = [label_NL & is_known_NL, ~label_NL & is_known_NL]
    counted = resamples.totals(np.concatenate(truths, axis=1)).astype(np.int64)
    num_positives_RL, num_negatives_RL = np.split(counted, 2, axis=1)
    value_MRL = np.empty((3, *num_positives_RL.shape))
    for rows in resamples.blocks(NUM_AT_ONCE):
        count_UB = _widened(resamples.count_RU[rows]).T.copy()
        for column, ranking in enumerate(rankings):
            value_MRL[:, rows, column] = ranking.metrics(
                count_UB, num_positives_RL[rows, column], num_negatives_RL[rows, column]
            )
    return dict(zip(("auroc", "auprc", "f1_oracle"), value_MRL, strict=True))


@dataclass(frozen=True, eq=False)
class Ranking:
    """The images of one finding in steps, from the highest score of a positive to the lowest.

    A step has first the negatives between the step before and this one, then those that have the
    score of this one, then its positives.

    Attributes:
        unit_I: int32, the units of the images; negatives below the last positive are left out.
        end_S: int64, a 0 and then the ends of the three parts of each step within `unit_I`.
    """

    unit_I: NDArray[np.int32]
    end_S: IntArray

    @classmethod
    def of(cls, score_N: ScoreArray, label_N: BoolArray, resamples: Resamples) -> Self:
        """The steps of one finding, of images whose label is known.

        Raises:
            ValueError: A score is not finite.
        """
        order_N, falling_N, _ = falling(score_N, label_N)
        rising_N = -falling_N
        place_P = np.flatnonzero(label_N[order_N])
        is_first_P = np.diff(rising_N[place_P], prepend=-np.inf) > 0
        first_G = place_P[is_first_P]
        end_G = place_P[np.append(is_first_P[1:], True)[: len(place_P)]] + 1
        tied_G = np.searchsorted(rising_N, rising_N[first_G])
        end_S = np.append(0, np.stack([tied_G, first_G, end_G], axis=1))
        return cls(unit_I=resamples.unit_N[order_N[: end_S[-1]]], end_S=end_S)

    def metrics(
        self, count_UB: NDArray[np.uint8], num_positives_B: IntArray, num_negatives_B: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """AUROC, average precision and best F1 of B resamples; NaN as in `metrics`.

        Args:
            count_UB: How often each resample drew a unit, filled up to `NUM_AT_ONCE` columns.
            num_positives_B: Positives in each resample.
            num_negatives_B: Negatives in each.
        """
        num = len(num_positives_B)
        wrong_B = np.zeros(NUM_AT_ONCE, dtype=np.int64)
        precision_B, f1_B = np.zeros(NUM_AT_ONCE), np.zeros(NUM_AT_ONCE)
        positives_B = _widened(num_positives_B.astype(np.float64))
        _descent()(self.unit_I, self.end_S, count_UB, positives_B, wrong_B, precision_B, f1_B)
        # Twice the pairs in the wrong order, ties once: whole numbers, as in `metrics`.
        pairs_B = 2 * num_positives_B * num_negatives_B
        return (
            ratio(pairs_B - wrong_B[:num], pairs_B),
            ratio(precision_B[:num], num_positives_B),
            np.where(num_positives_B > 0, f1_B[:num], np.nan),
        )


def _widened(value_BX: NDArray[Any]) -> NDArray[Any]:
    """With zeros below, up to `NUM_AT_ONCE` rows."""
    lacking = NUM_AT_ONCE - len(value_BX)
    return np.concatenate([value_BX, np.zeros((lacking, *value_BX.shape[1:]), value_BX.dtype)])


@cache
def _descent() -> Any:
    return compiled(_descend)  # when it is first needed: a node that only trains has no numba


def _descend(
    unit_I: NDArray[np.int32],
    end_S: IntArray,
    count_UB: NDArray[np.uint8],
    num_positives_B: FloatArray,
    wrong_B: IntArray,
    precision_B: FloatArray,
    f1_B: FloatArray,
) -> None:
    """Go down the steps of a `Ranking`.

    Adds twice the wrongly ordered pairs, ties once, to `wrong_B` and found x precision to
    `precision_B`, and raises `f1_B` to the best F1.
    """
    fp_B, tp_B = np.zeros(NUM_AT_ONCE, np.int32), np.zeros(NUM_AT_ONCE, np.int32)
    tied_B, found_B = np.zeros(NUM_AT_ONCE, np.int32), np.zeros(NUM_AT_ONCE, np.int32)
    for step in range(0, len(end_S) - 1, 3):
        for image in range(end_S[step], end_S[step + 1]):
            count_B = count_UB[unit_I[image]]
            for b in range(NUM_AT_ONCE):
                fp_B[b] += count_B[b]
        tied_B[:] = 0
        for image in range(end_S[step + 1], end_S[step + 2]):
            count_B = count_UB[unit_I[image]]
            for b in range(NUM_AT_ONCE):
                tied_B[b] += count_B[b]
        found_B[:] = 0
        for image in range(end_S[step + 2], end_S[step + 3]):
            count_B = count_UB[unit_I[image]]
            for b in range(NUM_AT_ONCE):
                found_B[b] += count_B[b]
        for b in range(NUM_AT_ONCE):
            wrong_B[b] += np.int64(found_B[b]) * np.int64(2 * fp_B[b] + tied_B[b])
            fp_B[b] += tied_B[b]
            tp_B[b] += found_B[b]
        for b in range(NUM_AT_ONCE):
            # A step of which a resample drew no image divides 0 by 1: it adds nothing.
            tp, called = float(tp_B[b]), float(tp_B[b] + fp_B[b])
            precision_B[b] += found_B[b] * (tp / max(called, 1.0))
            f1_B[b] = max(f1_B[b], 2 * tp / max(called + num_positives_B[b], 1.0))
