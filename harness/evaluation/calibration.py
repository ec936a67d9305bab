"""How far scores are from being probabilities: reliability curves and ECE, per finding.

Axes: N images, L findings, M bins. Nothing here changes a score.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.evaluation.metrics import BoolArray, FloatArray, ScoreArray, all_known

NUM_BINS = 15
"""As in Guo et al. 2017."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Scores in M bins of equal width over [0, 1], each bin closed on the right.

    Attributes:
        edge: M + 1 bin edges, from 0 to 1.
        count_LM: Images in the bin.
        mean_score_LM: Their mean score; NaN in an empty bin.
        positive_rate_LM: Their share of positives; NaN in an empty bin.
    """

    edge: FloatArray
    count_LM: NDArray[np.int64]
    mean_score_LM: FloatArray
    positive_rate_LM: FloatArray

    @property
    def ece(self) -> FloatArray:
        """Mean of |mean score - positive rate| over the images; NaN without images."""
        gap_LM = np.abs(self.mean_score_LM - self.positive_rate_LM)
        total_L = self.count_LM.sum(axis=1)
        weighted_L = np.where(self.count_LM > 0, self.count_LM * gap_LM, 0.0).sum(axis=1)
        return np.where(total_L > 0, weighted_L / np.maximum(total_L, 1), np.nan)


def reliability(
    score_NL: ScoreArray,
    label_NL: BoolArray,
    is_known_NL: BoolArray | None = None,
    *,
    num_bins: int = NUM_BINS,
) -> Reliability:
    """The reliability curve of each finding (Niculescu-Mizil & Caruana 2005).

    Args:
        score_NL: Probabilities in [0, 1].
        label_NL: Labels.
        is_known_NL: Which of them are known; the others' images are in no bin.
        num_bins: Bins of equal width; 0 falls in the first, an edge in the bin on its left.
    """
    num_findings = score_NL.shape[1]
    is_known_NL = all_known(label_NL, is_known_NL)
    score_NL = np.where(is_known_NL, score_NL.astype(np.float64), 0.0)
    bin_NL = bins_of(score_NL, num_bins)
    cell = (bin_NL + num_bins * np.arange(num_findings)).ravel()

    def per_bin(value_NL: NDArray[np.generic]) -> FloatArray:
        summed = np.bincount(cell, value_NL.ravel(), minlength=num_findings * num_bins)
        return summed.astype(np.float64).reshape(num_findings, num_bins)

    count_LM = per_bin(is_known_NL)
    divisor_LM = np.where(count_LM > 0, count_LM, np.nan)
    return Reliability(
        edge=_edges(num_bins),
        count_LM=count_LM.astype(np.int64),
        mean_score_LM=per_bin(score_NL) / divisor_LM,
        positive_rate_LM=per_bin(label_NL & is_known_NL) / divisor_LM,
    )


def bins_of(score_NL: ScoreArray, num_bins: int = NUM_BINS) -> NDArray[np.int64]:
    """The bin of each score, from 0 to `num_bins` - 1."""
    inner = _edges(num_bins)[1:-1]
    return np.searchsorted(inner, score_NL.astype(np.float64), side="left")


def _edges(num_bins: int) -> FloatArray:
    return np.linspace(0.0, 1.0, num_bins + 1)


def ece(
    score_NL: ScoreArray,
    label_NL: BoolArray,
    is_known_NL: BoolArray | None = None,
    *,
    num_bins: int = NUM_BINS,
) -> FloatArray:
    """Expected calibration error per finding, in [0, 1]; NaN without images.

    The binned estimate of Naeini et al. 2015 (doi:10.1609/aaai.v29i1.9602) with the equal-width
    bins of Guo et al. 2017 (arXiv:1706.04599, eq. 3), on the probability of the finding itself
    and its positive rate instead of the top label's confidence and accuracy.
    """
    return reliability(score_NL, label_NL, is_known_NL, num_bins=num_bins).ece
