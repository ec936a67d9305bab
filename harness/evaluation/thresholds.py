"""Thresholds per finding, tuned on one set of predictions and then frozen.

A tuned threshold is always one of the scores it was tuned on, the smallest that is still called
positive (`metrics.call_positive`), so that applying it gives back the tuned figure exactly, also
after a trip through JSON. Among thresholds that are equally good, the highest is taken.
"""

from collections.abc import Callable

import numpy as np

from harness.core.errors import HarnessError, did_you_mean
from harness.core.predictions import Predictions
from harness.evaluation.metrics import OperatingPoints, operating_points

Rule = Callable[[OperatingPoints], float]


def max_f1(points: OperatingPoints) -> float:
    """The threshold with the highest F1, over every distinct score."""
    return float(points.threshold_K[np.argmax(points.f1)])


def max_youden(points: OperatingPoints) -> float:
    """The threshold with the highest sensitivity + specificity - 1 (Youden 1950)."""
    # In whole numbers, so that ties are ties: J x positives x negatives.
    youden_K = points.tp_K * points.num_negatives - points.fp_K * points.num_positives
    return float(points.threshold_K[np.argmax(youden_K)])


def at_sensitivity(least: float) -> Rule:
    """A rule: the highest threshold with a sensitivity of at least `least`, in (0, 1]."""

    def rule(points: OperatingPoints) -> float:
        return float(points.threshold_K[np.argmax(points.sensitivity >= least)])

    return rule


def tune_thresholds(predictions: Predictions, rule: str = "f1") -> dict[str, float | None]:
    """The threshold of each finding by a rule of `RULES`.

    None where a finding has no positives or no negatives: there is nothing to tune on.

    Raises:
        HarnessError: The rule is unknown.
    """
    if rule not in RULES:
        known = ", ".join(RULES)
        raise HarnessError(
            f"unknown threshold rule {rule!r}{did_you_mean(rule, RULES)}; known rules: {known}"
        )
    thresholds: dict[str, float | None] = {}
    for column, finding in enumerate(predictions.findings):
        points = operating_points(predictions.score_NL[:, column], predictions.label_NL[:, column])
        thresholds[finding] = RULES[rule](points) if points.has_both_classes else None
    return thresholds


RULES: dict[str, Rule] = {
    "f1": max_f1,
    "youden": max_youden,
    "sensitivity_90": at_sensitivity(0.90),
}
