"""Thresholds per finding, tuned on one set of predictions and then frozen.

A tuned threshold is always one of the scores it was tuned on, the smallest that is still called
positive (`metrics.call_positive`), so that applying it gives back the tuned figure exactly, also
after a trip through JSON. Among thresholds that are equally good, the highest is taken.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from harness.core.errors import HarnessError, did_you_mean
from harness.core.predictions import Predictions
from harness.evaluation.metrics import FloatArray, OperatingPoints, points_per_finding

Choose = Callable[[Sequence[OperatingPoints]], Sequence[float]]
"""From the operating points of one or more findings, all with both classes, to their thresholds."""


class Rule(NamedTuple):
    """How thresholds are chosen.

    Attributes:
        choose: The thresholds of findings by their operating points.
        aim: What it looks for, as reports and model cards go on after "tuned for".
    """

    choose: Choose
    aim: str


SHRINK_POSITIVES = 80
"""With so many positive images, a finding's own optimum counts half."""


def each(choose: Callable[[OperatingPoints], float]) -> Choose:
    """Looks at one finding at a time."""

    def choose_all(points_L: Sequence[OperatingPoints]) -> list[float]:
        return [choose(points) for points in points_L]

    return choose_all


def max_f1(points: OperatingPoints) -> float:
    """The threshold with the highest F1, over every distinct score."""
    return float(points.threshold_K[np.argmax(points.f1)])


def max_youden(points: OperatingPoints) -> float:
    """The threshold with the highest sensitivity + specificity - 1 (Youden 1950)."""
    # In whole numbers, so that ties are ties: J x positives x negatives.
    youden_K = points.tp_K * points.num_negatives - points.fp_K * points.num_positives
    return float(points.threshold_K[np.argmax(youden_K)])


def at_sensitivity(least: float) -> Callable[[OperatingPoints], float]:
    """The highest threshold with a sensitivity of at least `least`, in (0, 1]."""

    def choose(points: OperatingPoints) -> float:
        return float(points.threshold_K[np.argmax(points.sensitivity >= least)])

    return choose


def shrunk_f1(points_L: Sequence[OperatingPoints]) -> list[float]:
    """Highest F1, where findings with few positives lean on the others.

    At its best F1 a finding calls about as many images as are positive, however its scores are
    scaled. The logarithm of that ratio, called / positive, is shrunk to its mean over findings, as
    in an empirical Bayes estimate (Efron & Morris 1975, doi:10.1080/01621459.1975.10479864): a
    finding's own counts n / (n + `SHRINK_POSITIVES`), in the mean and against it. One finding
    alone keeps its exact optimum.

    Measured on simulated scores of 14 findings with NIH's prevalences and AUROCs of 0.71-0.93, F1
    on new patients rose by 0.003 in the mean when tuned on 11,000 images and by 0.013-0.018 on
    1,000, Hernia's (18 and 2 positives) by 0.02 and 0.05-0.08. Findings with hundreds of
    positives hardly moved; one with an odd ratio lost up to 0.007 on 1,000. Anything from 40 to
    160 does as well.
    """
    best_L = [int(np.argmax(points.f1)) for points in points_L]
    log_ratio_L = np.array(
        [_log_ratio(points)[best] for points, best in zip(points_L, best_L, strict=True)]
    )
    num_positives_L = np.array([points.num_positives for points in points_L])
    weight_L = num_positives_L / (num_positives_L + SHRINK_POSITIVES)
    shrunk_L = weight_L * log_ratio_L + (1 - weight_L) * np.average(log_ratio_L, weights=weight_L)
    return [
        float(points.threshold_K[np.argmin(np.abs(_log_ratio(points) - shrunk))])
        for points, shrunk in zip(points_L, shrunk_L, strict=True)
    ]


def _log_ratio(points: OperatingPoints) -> FloatArray:
    """Logarithm of called / positive images, at each threshold."""
    return np.log((points.tp_K + points.fp_K) / points.num_positives)


def tune_thresholds(predictions: Predictions, rule: str = "f1") -> dict[str, float | None]:
    """The threshold of each finding by a rule of `RULES`.

    None where a finding has no positives or no negatives, or no label of it is known: there is
    nothing to tune on.

    Raises:
        HarnessError: The rule is unknown.
    """
    points_L = points_per_finding(
        predictions.score_NL, predictions.label_NL, predictions.is_known_NL
    )
    threshold_L = apply_rule(find_rule(rule), points_L)
    return {
        finding: None if np.isnan(threshold) else float(threshold)
        for finding, threshold in zip(predictions.findings, threshold_L, strict=True)
    }


def find_rule(name: str) -> Rule:
    """The rule of that name.

    Raises:
        HarnessError: There is none.
    """
    if name not in RULES:
        known = ", ".join(RULES)
        raise HarnessError(
            f"unknown threshold rule {name!r}{did_you_mean(name, RULES)}; known rules: {known}"
        )
    return RULES[name]


def aim_of(name: str) -> str:
    """What the rule of that name looks for, in words; empty where there is no such rule."""
    return RULES[name].aim if name in RULES else ""


def apply_rule(rule: Rule, points_L: Sequence[OperatingPoints]) -> FloatArray:
    """The thresholds of L findings; NaN where one lacks positives or negatives."""
    threshold_L = np.full(len(points_L), np.nan)
    tunable = [column for column, points in enumerate(points_L) if points.has_both_classes]
    if tunable:
        threshold_L[tunable] = rule.choose([points_L[column] for column in tunable])
    return threshold_L


RULES: dict[str, Rule] = {
    "f1_shrunk": Rule(
        shrunk_f1,
        "the highest F1; where positives are few, the ratio of called to positive images is shrunk "
        "towards that of the other findings",
    ),
    "f1": Rule(each(max_f1), "the highest F1"),
    "youden": Rule(
        each(max_youden), "the highest sum of sensitivity and specificity (Youden 1950)"
    ),
    "sensitivity_90": Rule(each(at_sensitivity(0.90)), "a sensitivity of at least 90 %"),
}
