"""Temperature scaling: one number, fitted on validation, that makes scores better probabilities.

It changes no ranking, so no AUROC and, with thresholds moved along, no call.

Axes: N images, L findings, K known labels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from harness.core.predictions import Predictions
from harness.evaluation.metrics import FloatArray, ScoreArray

LOWEST, HIGHEST = 0.05, 20.0
"""Between these a temperature is looked for: outside, scores are all 0 or 1, or all a half."""

SMALLEST_SCORE = 1e-7
"""Scores are cut to [this, 1 - this]: 0 and 1 have no logit, and float32 has no finer ones."""


def fit_temperature(predictions: Predictions) -> float:
    """The temperature with the lowest mean binary cross-entropy over all known labels.

    Guo et al. 2017 (arXiv:1706.04599, section 4.2), with the sigmoid for the softmax. Above 1 the
    scores were too sure, below 1 not sure enough. The loss is convex in 1/T, so that the root of
    its slope is the minimum; `LOWEST` or `HIGHEST` where that lies beyond.

    Raises:
        ValueError: No label is known.
    """
    is_known_NL = predictions.is_known_NL
    if not is_known_NL.any():
        raise ValueError("no labels to fit a temperature to")
    logit_K = _logit(predictions.score_NL)[is_known_NL]
    label_K = predictions.label_NL[is_known_NL]

    def slope(sharpness: float) -> float:
        """Of the mean loss, by 1/T."""
        return float((logit_K * (expit(sharpness * logit_K) - label_K)).mean())

    dullest, sharpest = 1 / HIGHEST, 1 / LOWEST
    if slope(dullest) >= 0:
        return HIGHEST
    if slope(sharpest) <= 0:
        return LOWEST
    return 1 / float(brentq(slope, dullest, sharpest))


def apply_temperature(score_NL: ScoreArray, temperature: float) -> NDArray[np.float32]:
    """Scores as they would be with their logits divided by `temperature`, in [0, 1]."""
    return expit(_logit(score_NL) / temperature).astype(np.float32)


def _logit(score_NL: ScoreArray) -> FloatArray:
    cut_NL = np.clip(score_NL.astype(np.float64), SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    return np.asarray(logit(cut_NL))
