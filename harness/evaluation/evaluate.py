"""Predictions and frozen thresholds to an `Evaluation`: figures per finding, and their means."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.records import METRICS, Evaluation, FindingMetrics
from harness.evaluation.calibration import ece
from harness.evaluation.metrics import (
    Confusion,
    FloatArray,
    brier,
    confusion,
    mean_known,
    points_per_finding,
)


def evaluate(
    predictions: Predictions, *, thresholds: Mapping[str, float | None], rule: str, part: str
) -> Evaluation:
    """Every metric of every finding, and its mean over the findings that have it.

    A finding without positives or without negatives, as one of which no label is known, has no
    metrics, is named in `left_out` and counts in no mean. One without a threshold has only the
    metrics that need none.

    Args:
        predictions: Scores and labels of one part.
        thresholds: Per finding, tuned elsewhere (`tune_thresholds` on validation); None for none.
        rule: Name of the rule that tuned them.
        part: `val` or `test`.

    Raises:
        HarnessError: A finding is not among the thresholds.
    """
    missing = [name for name in predictions.findings if name not in thresholds]
    if missing:
        raise HarnessError(
            f"no threshold for {', '.join(missing)}; tune thresholds on predictions of all "
            f"{len(predictions.findings)} findings"
        )
    values = _metrics(predictions, thresholds)
    num_positives_L, num_known_L = predictions.num_positives_L, predictions.num_known_L
    findings = {
        name: FindingMetrics(
            num_positives=int(num_positives_L[column]),
            num_images=int(num_known_L[column]),
            threshold=thresholds[name],
            **{metric: _number(value_L[column]) for metric, value_L in values.items()},
        )
        for column, name in enumerate(predictions.findings)
    }
    return Evaluation(
        part=part,
        threshold_rule=rule,
        num_images=len(predictions.image_ids),
        num_patients=len(np.unique(predictions.patient_ids)),
        findings=findings,
        macro={metric: _number(mean_known(values[metric])) for metric in METRICS},
        left_out=tuple(
            name
            for name, is_kept in zip(
                predictions.findings, predictions.has_both_classes_L, strict=True
            )
            if not is_kept
        ),
    )


def _metrics(
    predictions: Predictions, thresholds: Mapping[str, float | None]
) -> dict[str, FloatArray]:
    """The values of `METRICS` per finding; NaN where undefined, or where a class is missing."""
    known = (predictions.score_NL, predictions.label_NL, predictions.is_known_NL)
    threshold_L = np.array([thresholds[name] for name in predictions.findings], dtype=np.float64)
    points = points_per_finding(*known)
    tuned, at_half = (_confusion(predictions, at) for at in (threshold_L, 0.5))
    values = {
        "auroc": np.array([each.auroc for each in points]),
        "auprc": np.array([each.auprc for each in points]),
        "f1": tuned.f1,
        "sensitivity": tuned.sensitivity,
        "specificity": tuned.specificity,
        "mcc": tuned.mcc,
        "brier": brier(*known),
        "ece": ece(*known),
        "f1_at_half": at_half.f1,
    }
    is_kept_L = predictions.has_both_classes_L
    return {metric: np.where(is_kept_L, value_L, np.nan) for metric, value_L in values.items()}


def _confusion(predictions: Predictions, threshold_L: ArrayLike) -> Confusion:
    score_NL, label_NL = predictions.score_NL, predictions.label_NL
    return confusion(score_NL, label_NL, threshold_L, is_known_NL=predictions.is_known_NL)


def _number(value: float) -> float | None:
    """A plain float for a record, None for NaN."""
    return None if np.isnan(value) else float(value)
