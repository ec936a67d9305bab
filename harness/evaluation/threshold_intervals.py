"""How sure a tuned threshold is: its interval over resamples of the patients it was tuned on.

Axes: N images, L findings, R resamples, U units (patients), K distinct scores of one finding.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from harness.evaluation.intervals import Interval, interval
from harness.evaluation.metrics import (
    BoolArray,
    FloatArray,
    IntArray,
    OperatingPoints,
    ScoreArray,
    known_columns,
)
from harness.evaluation.order import falling
from harness.evaluation.resampling import Resamples
from harness.evaluation.thresholds import apply_rule, find_rule


def threshold_intervals(
    score_NL: ScoreArray,
    label_NL: BoolArray,
    is_known_NL: BoolArray | None = None,
    *,
    rule: str,
    resamples: Resamples,
    level: float = 0.95,
) -> list[Interval]:
    """Bootstrap intervals of thresholds: the rule is applied to every resample anew, exactly.

    A resample without positives or without negatives of a finding says nothing of it.

    Args:
        score_NL: The scores that were tuned on.
        label_NL: Their labels.
        is_known_NL: Which of these are known.
        rule: A name of `RULES`.
        resamples: Of the images' patients.
        level: Share of the resamples between the two ends.

    Returns:
        Per finding (low, high); (None, None) where too few resamples have a threshold (`interval`).

    Raises:
        HarnessError: The rule is unknown.
    """
    chosen = find_rule(rule)
    curves = [
        _Curve.of(score_N, label_N, resamples.unit_N[is_known_N])
        for score_N, label_N, is_known_N in known_columns(score_NL, label_NL, is_known_NL)
    ]
    threshold_RL = np.array(
        [
            apply_rule(chosen, [curve.resampled(count_U) for curve in curves])
            for count_U in resamples.count_RU
        ]
    ).reshape(-1, len(curves))
    return [interval(threshold_R, level=level) for threshold_R in threshold_RL.T]


@dataclass(frozen=True, eq=False)
class _Curve:
    """Images whose label of a finding is known, sorted once by falling score, to be counted anew.

    Attributes:
        unit_N: Units of the images.
        label_N: Their labels.
        last_K: The last image with each distinct score.
        threshold_K: That score, strictly falling.
    """

    unit_N: NDArray[np.int32]
    label_N: BoolArray
    last_K: IntArray
    threshold_K: FloatArray

    @classmethod
    def of(cls, score_N: ScoreArray, label_N: BoolArray, unit_N: NDArray[np.int32]) -> Self:
        order_N, falling_N, last_K = falling(score_N, label_N)
        threshold_K = falling_N[last_K].astype(np.float64)
        return cls(unit_N[order_N], label_N[order_N], last_K, threshold_K)

    def resampled(self, count_U: NDArray[np.uint8]) -> OperatingPoints:
        """What `operating_points` gives for images that stand there as often as their unit.

        Scores above the first that was drawn are left out; one below it that was not has the
        counts of the one above it, to which equally good thresholds go.
        """
        count_N = count_U[self.unit_N]
        called_K = np.cumsum(count_N, dtype=np.int64)[self.last_K]
        tp_K = np.cumsum(count_N * self.label_N, dtype=np.int64)[self.last_K]
        # Slices, as a finding of which no label is known has no scores.
        num_images, num_positives = int(called_K[-1:].sum()), int(tp_K[-1:].sum())
        first = int(np.searchsorted(called_K, 0, side="right"))
        return OperatingPoints(
            threshold_K=self.threshold_K[first:],
            tp_K=tp_K[first:],
            fp_K=(called_K - tp_K)[first:],
            num_positives=num_positives,
            num_negatives=num_images - num_positives,
        )
