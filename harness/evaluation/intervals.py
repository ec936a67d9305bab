"""Every metric of every resample, and the intervals and standard errors that follow.

Axes: R resamples, N images, L findings, M calibration bins. Differences are paired by using the
same `Resamples` for both sides. Training seeds are another source of variance, not seen here.
"""

from collections.abc import Collection
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtrit

from harness.core.records import METRICS
from harness.evaluation.calibration import NUM_BINS, bins_of
from harness.evaluation.metrics import (
    BoolArray,
    FloatArray,
    IntArray,
    ScoreArray,
    all_known,
    confusion,
    ratio,
)
from harness.evaluation.ranking import ranking_metrics
from harness.evaluation.resampling import Resamples

Interval = tuple[float, float] | tuple[None, None]
"""(low, high), or (None, None) where there is none."""

LEAST_DEFINED = 0.9
"""Share of the resamples that must have a figure for it to have an interval.

A resample of patients misses all of k positive ones with a probability near exp(-k): 5 % of them
for three, and 13 % for two, of whom no interval could be trusted.
"""


ALL_METRICS = (*METRICS, "f1_oracle")
RANKED = ("auroc", "auprc", "f1_oracle")
TUNED = ("f1", "sensitivity", "specificity", "mcc")
CALIBRATED = ("brier", "ece")


def resampled_metrics(
    score_NL: ScoreArray,
    label_NL: BoolArray,
    *,
    threshold_L: ArrayLike,
    resamples: Resamples,
    is_known_NL: BoolArray | None = None,
    metrics: Collection[str] = ALL_METRICS,
) -> dict[str, FloatArray]:
    """Each of `METRICS` in each resample, R x L, as `metrics` would find it on the drawn images.

    Also `f1_oracle`, the best F1 that any threshold has within the resample. A value is NaN where
    the resample leaves it undefined: without positives, for some metrics without negatives. A
    finding of one class, which `evaluate` leaves out, still has its `brier` and `ece` here.

    Args:
        score_NL: Probabilities in [0, 1].
        label_NL: Labels.
        threshold_L: One threshold per finding, NaN for none (then `f1`, `sensitivity`,
            `specificity` and `mcc` are NaN), or one number for all.
        resamples: Of these N images.
        is_known_NL: Which labels are known; the others weigh nothing in any resample.
        metrics: Those that are wanted, of `ALL_METRICS`.
    """
    found: dict[str, FloatArray] = {}
    is_known_NL = all_known(label_NL, is_known_NL)
    counted_at = partial(confusion, is_known_NL=is_known_NL, count=resamples.totals)
    if not set(RANKED).isdisjoint(metrics):
        found |= ranking_metrics(score_NL, label_NL, resamples, is_known_NL)
    if not set(TUNED).isdisjoint(metrics):
        tuned = counted_at(score_NL, label_NL, threshold_L)
        found |= {name: getattr(tuned, name) for name in TUNED}
    if "f1_at_half" in metrics:
        found["f1_at_half"] = counted_at(score_NL, label_NL, 0.5).f1
    if not set(CALIBRATED).isdisjoint(metrics):
        found |= _calibration_metrics(score_NL, label_NL, is_known_NL, resamples)
    return {name: found[name] for name in metrics}


def resampled_macro(value_RL: FloatArray, is_kept_L: BoolArray) -> FloatArray:
    """Mean over the kept findings in each resample.

    A finding without a figure in a resample (all its positive patients missed) counts there with
    its mean over the other resamples. To leave it out would move the mean by how easy the finding
    is, which is no uncertainty of the model.

    Args:
        value_RL: As `resampled_metrics` gives it.
        is_kept_L: Findings that have the figure in the full sample.

    Returns:
        R values; NaN only where a kept finding has a figure in no resample, or none is kept.
    """
    known_RL = value_RL[:, is_kept_L]
    is_known_RL = ~np.isnan(known_RL)
    total_L = np.where(is_known_RL, known_RL, 0.0).sum(axis=0)
    mean_L = ratio(total_L, is_known_RL.sum(axis=0))
    filled_RL = np.where(is_known_RL, known_RL, mean_L)
    return ratio(filled_RL.sum(axis=1), filled_RL.shape[1])


def interval(value_R: FloatArray, *, level: float = 0.95, num_units: int | None = None) -> Interval:
    """The percentile interval of a figure (Efron & Tibshirani 1993, chapter 13).

    Where few units carry the figure it is too narrow. With their number it is the expanded one,
    whose tails are those of Student's t (Hesterberg 2015, doi:10.1080/00031305.2015.1089789). In
    simulations, 95 % intervals of AUROC covered 89 % with 15 positive patients and, expanded, 94 %;
    with 5 patients 82 % and 89 %; with 40 or more 93 to 96 % either way.

    Args:
        value_R: The figure in each resample; NaN is left out.
        level: Share of all cases in which the true value is meant to lie inside.
        num_units: As `ClassUnits.of` counts them; left out, nothing is expanded.

    Returns:
        (low, high); (None, None) where fewer than `LEAST_DEFINED` of the resamples have the figure,
        or too few for one to lie beyond each end, or a single unit carries it.
    """
    known_R = _known(value_R)
    if len(known_R) * (1 - level) < 2 or num_units in (0, 1):
        return None, None
    tail = (1 - level) / 2
    if num_units is not None:
        tail = ndtr(stdtrit(num_units - 1, tail) * np.sqrt(num_units / (num_units - 1)))
    low, high = np.quantile(known_R, (tail, 1 - tail))
    return float(low), float(high)


class ClassUnits(NamedTuple):
    """How many units have a positive image of each finding, and how many a negative one."""

    positive_L: IntArray
    negative_L: IntArray

    def of(self, metric: str) -> IntArray:
        """How many carry a metric: of a proportion those of its class, else of the rarer one."""
        carriers = {"sensitivity": self.positive_L, "specificity": self.negative_L}
        return carriers.get(metric, np.minimum(self.positive_L, self.negative_L))


def units_of_classes(
    label_NL: BoolArray, resamples: Resamples, is_known_NL: BoolArray | None = None
) -> ClassUnits:
    """The units of both classes. Images whose label `is_known_NL` calls unknown are of neither."""
    is_known_NL = all_known(label_NL, is_known_NL)

    def num_with(is_counted_NL: BoolArray) -> IntArray:
        columns = (resamples.of(is_counted_N).num_units for is_counted_N in is_counted_NL.T)
        return np.fromiter(columns, dtype=np.int64)

    return ClassUnits(num_with(label_NL & is_known_NL), num_with(~label_NL & is_known_NL))


def centred(value_R: FloatArray, observed: float) -> FloatArray:
    """The resamples moved so that their mean is the observed figure.

    Resampling adds a bias of its own: repeated images raise average precision and the best F1, and
    noise in the bins raises ECE, so much that a percentile interval can leave out the figure. The
    bias is estimated by the resamples' mean and taken out (Efron & Tibshirani 1993, chapter 10).
    In simulations with few positive patients, 95 % percentile intervals of average precision
    covered 90 % and centred ones 92 %; those of AUROC hardly move.
    """
    known_R = value_R[~np.isnan(value_R)]
    return value_R - known_R.mean() + observed if len(known_R) else value_R


def standard_error(value_R: FloatArray) -> float | None:
    """Standard deviation of a figure over resamples; None where too few of them have it."""
    known_R = _known(value_R)
    return float(known_R.std(ddof=1)) if len(known_R) > 1 else None


def _known(value_R: FloatArray) -> FloatArray:
    """The values that are not NaN; none of them where they are too few."""
    known_R = value_R[~np.isnan(value_R)]
    return known_R if len(known_R) >= LEAST_DEFINED * len(value_R) else known_R[:0]


def _calibration_metrics(
    score_NL: ScoreArray, label_NL: BoolArray, is_known_NL: BoolArray, resamples: Resamples
) -> dict[str, FloatArray]:
    """`brier` and `ece` of each resample, R x L."""
    error_NL = np.where(is_known_NL, score_NL.astype(np.float64) - label_NL, 0.0)
    # Where all labels are known, one column counts the images of every finding.
    num_images_RL = resamples.totals(is_known_NL[:, :1] if is_known_NL.all() else is_known_NL)
    gap_RC = resamples.totals(error_NL, bin_NL=bins_of(score_NL), num_bins=NUM_BINS)
    # Of each finding the sum over its bins of |sum of scores - positives|.
    gap_RL = np.abs(gap_RC).reshape(resamples.num, -1, NUM_BINS).sum(axis=2)
    return {
        "brier": ratio(resamples.totals(error_NL**2), num_images_RL),
        "ece": ratio(gap_RL, num_images_RL),
    }
