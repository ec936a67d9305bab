"""Metrics of scores against labels, one value per finding; NaN where a metric is undefined.

Axes: N images, L findings, K distinct scores of one finding. Arrays in, arrays out: nothing here
picks a threshold (see `thresholds.py`).

A figure of a finding is over the images whose label of it is known. `is_known_NL` tells which these
are, None that all are; what stands in the scores and labels of the others changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.evaluation.order import falling

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ScoreArray = NDArray[np.floating]


def all_known(label_NL: BoolArray, is_known_NL: BoolArray | None) -> BoolArray:
    """The mask itself, and where there is none one that is True everywhere (and takes no room)."""
    return np.broadcast_to(True, label_NL.shape) if is_known_NL is None else is_known_NL


def known_columns(
    score_NL: ScoreArray, label_NL: BoolArray, is_known_NL: BoolArray | None
) -> Iterator[tuple[ScoreArray, BoolArray, BoolArray]]:
    """For each finding the scores and labels of the images whose label is known, and which are."""
    columns = (
        np.ascontiguousarray(score_NL.T),
        np.ascontiguousarray(label_NL.T),
        all_known(label_NL, is_known_NL).T,
    )
    for score_N, label_N, is_known_N in zip(*columns, strict=True):
        if is_known_N.all():
            yield score_N, label_N, is_known_N
        else:
            yield score_N[is_known_N], label_N[is_known_N], is_known_N


def call_positive(score: ScoreArray, threshold: ArrayLike) -> BoolArray:
    """Where a finding is called present: `score >= threshold`, the one rule of the project.

    Both sides are compared as float64. NumPy would round a Python float to the float32 of the
    scores, and a threshold just above a score would then let that score through.
    """
    return np.asarray(score, dtype=np.float64) >= np.asarray(threshold, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """Counts at every distinct score of one finding, used as a threshold, highest first.

    Images with equal scores are called together, so that ties have one home: here. The rates are
    arrays of K values too, NaN where there is nothing to divide by.

    Attributes:
        threshold_K: float64, strictly falling.
        tp_K: Positive images with `score >= threshold`.
        fp_K: Negative images with `score >= threshold`.
        num_positives: Positive images at all.
        num_negatives: Negative images at all.
    """

    threshold_K: FloatArray
    tp_K: IntArray
    fp_K: IntArray
    num_positives: int
    num_negatives: int

    @property
    def has_both_classes(self) -> bool:
        return self.num_positives > 0 and self.num_negatives > 0

    @property
    def sensitivity(self) -> FloatArray:
        return ratio(self.tp_K, self.num_positives)

    @property
    def false_positive_rate(self) -> FloatArray:
        return ratio(self.fp_K, self.num_negatives)

    @property
    def precision(self) -> FloatArray:
        return ratio(self.tp_K, self.tp_K + self.fp_K)

    @property
    def f1(self) -> FloatArray:
        """F1 as 2 TP / (called + positives), the same number for the same counts."""
        return ratio(2 * self.tp_K, self.tp_K + self.fp_K + self.num_positives)

    @property
    def auroc(self) -> float:
        """As the function `auroc` says."""
        if not self.has_both_classes:
            return float("nan")
        tp_K = np.append(0, self.tp_K)
        wrong_K = np.diff(self.fp_K, prepend=0)
        # Twice the area, in whole numbers: exact, and equal for equal rankings on any machine.
        twice_area = int((wrong_K * (tp_K[1:] + tp_K[:-1])).sum())
        return twice_area / (2 * self.num_positives * self.num_negatives)

    @property
    def auprc(self) -> float:
        """As the function `auprc` says."""
        if self.num_positives == 0:
            return float("nan")
        found_K = np.diff(self.tp_K, prepend=0)
        return float((found_K * self.precision).sum() / self.num_positives)


def operating_points(score_N: ScoreArray, label_N: BoolArray) -> OperatingPoints:
    """The counts at every distinct score of one finding, of images whose label is known.

    Raises:
        ValueError: A score is not finite.
    """
    order_N, falling_N, last_K = falling(score_N, label_N)
    tp_K = np.cumsum(label_N[order_N], dtype=np.int64)[last_K]
    num_positives = int(np.count_nonzero(label_N))
    return OperatingPoints(
        threshold_K=falling_N[last_K].astype(np.float64),
        tp_K=tp_K,
        fp_K=last_K + 1 - tp_K,
        num_positives=num_positives,
        num_negatives=len(label_N) - num_positives,
    )


def points_per_finding(
    score_NL: ScoreArray, label_NL: BoolArray, is_known_NL: BoolArray | None = None
) -> list[OperatingPoints]:
    """The `operating_points` of each finding: one sort, shared by all that needs the order."""
    columns = known_columns(score_NL, label_NL, is_known_NL)
    return [operating_points(score_N, label_N) for score_N, label_N, _ in columns]


def auroc(
    score_NL: ScoreArray, label_NL: BoolArray, is_known_NL: BoolArray | None = None
) -> FloatArray:
    """Area under the ROC curve per finding; NaN where positives or negatives are missing.

    The share of (positive, negative) pairs in the right order, ties counting half: Mann-Whitney's
    U with midranks (Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747).
    """
    points_L = points_per_finding(score_NL, label_NL, is_known_NL)
    return np.array([points.auroc for points in points_L])


def auprc(
    score_NL: ScoreArray, label_NL: BoolArray, is_known_NL: BoolArray | None = None
) -> FloatArray:
    """Average precision per finding, the sum of recall steps x precision; NaN without positives.

    No interpolation between points, as in scikit-learn's `average_precision_score`; the linear
    one is too optimistic (Davis & Goadrich 2006, doi:10.1145/1143844.1143874).
    """
    points_L = points_per_finding(score_NL, label_NL, is_known_NL)
    return np.array([points.auprc for points in points_L])


def macro_auroc(
    score_NL: ScoreArray, label_NL: BoolArray, is_known_NL: BoolArray | None = None
) -> float:
    """Mean AUROC over the findings that have one; NaN where none has."""
    return mean_known(auroc(score_NL, label_NL, is_known_NL))


def mean_known(value_L: FloatArray) -> float:
    """Mean of the values that are not NaN; NaN where all are."""
    known = value_L[~np.isnan(value_L)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts at one threshold per finding, and what follows from them: arrays of L values.

    All of them are NaN where the threshold is.
    """

    tp_L: FloatArray
    fp_L: FloatArray
    fn_L: FloatArray
    tn_L: FloatArray

    @property
    def sensitivity(self) -> FloatArray:
        """TP / positives; NaN without positives."""
        return ratio(self.tp_L, self.tp_L + self.fn_L)

    @property
    def specificity(self) -> FloatArray:
        """TN / negatives; NaN without negatives."""
        return ratio(self.tn_L, self.tn_L + self.fp_L)

    @property
    def f1(self) -> FloatArray:
        """2 TP / (2 TP + FP + FN); NaN without positives, where scikit-learn says 0."""
        has_positives_L = self.tp_L + self.fn_L > 0
        value_L = ratio(2 * self.tp_L, 2 * self.tp_L + self.fp_L + self.fn_L)
        return np.where(has_positives_L, value_L, np.nan)

    @property
    def mcc(self) -> FloatArray:
        """Matthews' correlation in [-1, 1]; NaN where positives or negatives are missing.

        0 where all images are called alike (Chicco & Jurman 2020, doi:10.1186/s12864-019-6413-7).
        """
        positives_L, negatives_L = self.tp_L + self.fn_L, self.tn_L + self.fp_L
        called_L, passed_L = self.tp_L + self.fp_L, self.tn_L + self.fn_L
        covariance_L = self.tp_L * self.tn_L - self.fp_L * self.fn_L
        norm_L = np.sqrt(positives_L * negatives_L) * np.sqrt(called_L * passed_L)
        value_L = np.where(norm_L == 0, 0.0, ratio(covariance_L, norm_L))
        return np.where(positives_L * negatives_L > 0, value_L, np.nan)


def count_images(is_counted_NL: BoolArray) -> IntArray:
    """For how many images something is true, per finding."""
    return np.count_nonzero(is_counted_NL, axis=0)


def confusion(
    score_NL: ScoreArray,
    label_NL: BoolArray,
    threshold_L: ArrayLike,
    *,
    is_known_NL: BoolArray | None = None,
    count: Callable[[BoolArray], NDArray[np.number]] = count_images,
) -> Confusion:
    """Counts at `score >= threshold`.

    Args:
        score_NL: Scores.
        label_NL: Labels.
        threshold_L: One threshold per finding, NaN for none, or one number for all.
        is_known_NL: Which labels are known.
        count: How images are counted; with `Resamples.totals` in each of R resamples, and all
            that follows from the counts is R x L.
    """
    threshold_L = np.broadcast_to(np.asarray(threshold_L, np.float64), score_NL.shape[1:])
    called_NL = call_positive(score_NL, threshold_L)
    is_known_NL = all_known(label_NL, is_known_NL)
    truths = (label_NL & is_known_NL, ~label_NL & is_known_NL)
    cells = [call & truth for call in (called_NL, ~called_NL) for truth in truths]
    counts = np.split(count(np.concatenate(cells, axis=1)), len(cells), axis=-1)
    tp_L, fp_L, fn_L, tn_L = (np.where(np.isnan(threshold_L), np.nan, each) for each in counts)
    return Confusion(tp_L=tp_L, fp_L=fp_L, fn_L=fn_L, tn_L=tn_L)


def brier(
    score_NL: ScoreArray, label_NL: BoolArray, is_known_NL: BoolArray | None = None
) -> FloatArray:
    """Mean squared error of the scores as probabilities, in [0, 1]; NaN without images.

    The binary half of Brier's two-class sum (Brier 1950), as in scikit-learn.
    """
    is_known_NL = all_known(label_NL, is_known_NL)
    error_NL = np.where(is_known_NL, score_NL.astype(np.float64) - label_NL, 0.0)
    return ratio((error_NL**2).sum(axis=0), count_images(is_known_NL))


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Quotients, NaN where the denominator is 0 or NaN."""
    bottom = np.asarray(denominator, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.asarray(np.asarray(numerator, dtype=np.float64) / bottom)
    has_bottom = bottom > 0
    return quotient if has_bottom.all() else np.where(has_bottom, quotient, np.nan)
