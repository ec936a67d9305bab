"""Is one model better than another: tests of a difference, and what the seeds alone account for.

Axes: N images, S training seeds, P positives, Q negatives, R resamples. Differences come in as they
are; nothing here draws a resample.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, isnan, nan, sqrt
from statistics import stdev, variance
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from harness.evaluation.intervals import LEAST_DEFINED
from harness.evaluation.metrics import BoolArray, FloatArray, ScoreArray

Key = TypeVar("Key")

ROUNDING = 1e-9
"""Relative error of a difference of means, generously."""


def paired_p(difference_R: FloatArray, *, observed: float, num_units: int | None = None) -> float:
    """Two-sided p value of a difference, from the same resamples of both models.

    The resamples scatter about `observed` as, were there no difference, they would about 0:
    p = (1 + #{|difference - observed| >= |observed|}) / (R + 1) (Hall & Wilson 1991,
    doi:10.2307/2532163; Davison & Hinkley 1997, eq. 4.11, for the added ones). So p is never 0,
    and 1 for equal predictions.

    Where few units carry the figure it is too small, as the interval is too narrow, and is
    expanded by the same steps (`intervals.interval`). In simulations of two equal models with 3, 5
    and 10 positive patients, p of AUROC was below 0.05 in 18, 10 and 8 % of the cases and,
    expanded, in 0, 0 and 3 %.

    Args:
        difference_R: One model's figure minus the other's, per resample; those that are NaN, where
            a figure was undefined, are left out.
        observed: The difference on all images.
        num_units: As `intervals.ClassUnits.of` counts them; left out, nothing is expanded.

    Returns:
        In (0, 1]; NaN where `observed` is NaN, or where there is no interval: fewer than
        `LEAST_DEFINED` of the resamples have a difference, or a single unit carries it.
    """
    known = difference_R[~np.isnan(difference_R)]
    is_told = len(known) > 0 and len(known) >= LEAST_DEFINED * len(difference_R)
    if isnan(observed) or not is_told or num_units in (0, 1):
        return nan
    # Where models differ on a few patients only, many resamples lie exactly as far: a tie is a tie.
    num_as_far = np.count_nonzero(np.abs(known - observed) >= abs(observed) * (1 - ROUNDING))
    p = (1 + int(num_as_far)) / (1 + len(known))
    if num_units is None:
        return p
    return float(2 * stdtr(num_units - 1, ndtri(p / 2) * sqrt((num_units - 1) / num_units)))


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """P values adjusted for their number, so that any below a level counts at that level.

    Step-down: the i-th smallest of m is multiplied by m - i + 1, is no smaller than the one before
    it and at most 1 (Holm 1979, Scand. J. Stat. 6, 65-70). NaN stays NaN and counts in no m.
    """
    known = {name: value for name, value in p.items() if not isnan(value)}
    adjusted = dict.fromkeys(p, nan)
    highest = 0.0
    for rank, name in enumerate(sorted(known, key=known.__getitem__)):
        highest = max(highest, min(1.0, (len(known) - rank) * known[name]))
        adjusted[name] = highest
    return adjusted


@dataclass(frozen=True)
class DeLong:
    """Two AUROCs on the same images.

    Attributes:
        auroc_a, auroc_b: NaN without positives or without negatives.
        difference: a minus b.
        se: Its standard error; NaN with fewer than two positives or negatives.
        p: Two-sided, by the normal distribution; 1 for no difference, NaN where `se` tells nothing.
    """

    auroc_a: float
    auroc_b: float
    difference: float
    se: float
    p: float


def delong(score_a_SN: ScoreArray, score_b_SN: ScoreArray, label_N: BoolArray) -> DeLong:
    """DeLong's test of two AUROCs of one finding (DeLong et al. 1988, doi:10.2307/2531595).

    The mean AUROC of several training seeds is a U-statistic like that of one, whose components
    are the means of theirs.

    In O(N log N) by midranks (Sun & Xu 2014, doi:10.1109/LSP.2014.2337313). It takes images for
    independent, which those of one patient are not: second to a bootstrap over patients.

    Args:
        score_a_SN: One model's scores, N or S x N.
        score_b_SN: The other's; it may have another number of seeds.
        label_N: Labels; of images whose label is known.
    """
    num_positives = int(np.count_nonzero(label_N))
    num_negatives = len(label_N) - num_positives
    if num_positives == 0 or num_negatives == 0:
        return DeLong(nan, nan, nan, nan, nan)
    share_a_P, share_a_Q = _mean_shares(score_a_SN, label_N)
    share_b_P, share_b_Q = _mean_shares(score_b_SN, label_N)
    difference = float((share_a_P - share_b_P).mean())
    se = nan
    if num_positives > 1 and num_negatives > 1:
        of_positives = np.var(share_a_P - share_b_P, ddof=1) / num_positives
        of_negatives = np.var(share_a_Q - share_b_Q, ddof=1) / num_negatives
        se = sqrt(of_positives + of_negatives)
    return DeLong(
        auroc_a=float(share_a_P.mean()),
        auroc_b=float(share_b_P.mean()),
        difference=difference,
        se=se,
        p=_two_sided_p(difference, se),
    )


def seed_se(seeds_a: Mapping[int, float], seeds_b: Mapping[int, float]) -> float | None:
    """Standard error of mean(a) - mean(b) that the training seeds alone account for.

    Args:
        seeds_a: One model's figure by training seed.
        seeds_b: The other's. Paired by seed where both have the same seeds, else independent.

    Returns:
        None where a model has fewer than two seeds.
    """
    if min(len(seeds_a), len(seeds_b)) < 2:
        return None
    if seeds_a.keys() == seeds_b.keys():
        return stdev(seeds_a[seed] - seeds_b[seed] for seed in seeds_a) / sqrt(len(seeds_a))
    of_a, of_b = (variance(seeds.values()) / len(seeds) for seeds in (seeds_a, seeds_b))
    return sqrt(of_a + of_b)


def _mean_shares(score_SN: ScoreArray, label_N: BoolArray) -> tuple[FloatArray, FloatArray]:
    """`_shares`, averaged over training seeds."""
    shares = [_shares(score_N, label_N) for score_N in np.atleast_2d(score_SN)]
    share_P, share_Q = (np.mean(each, axis=0) for each in zip(*shares, strict=True))
    return share_P, share_Q


def _shares(score_N: ScoreArray, label_N: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Of each positive, the share of negatives below it; of each negative, of positives above it.

    Ties count half. Both have the AUROC as their mean.
    """
    positive_P, negative_Q = score_N[label_N], score_N[~label_N]
    rank_N = _midranks(score_N)
    share_P = (rank_N[label_N] - _midranks(positive_P)) / len(negative_Q)
    share_Q = 1 - (rank_N[~label_N] - _midranks(negative_Q)) / len(positive_P)
    return share_P, share_Q


def _midranks(score_N: NDArray[np.floating]) -> FloatArray:
    """Ranks from 1 up; equal scores share the mean of theirs."""
    _, value_N, count_K = np.unique(score_N, return_inverse=True, return_counts=True)
    midrank_K = np.cumsum(count_K) - (count_K - 1) / 2
    return np.asarray(midrank_K[value_N])


def _two_sided_p(difference: float, se: float) -> float:
    """P value of a normal difference."""
    if difference == 0:
        return 1.0
    return erfc(abs(difference) / (se * sqrt(2))) if se > 0 else nan
