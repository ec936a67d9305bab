"""Predictions and frozen thresholds to an `Evaluation`: figures per finding, and their means."""

from collections.abc import Mapping

import numpy as np

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.records import METRICS, Evaluation, FindingMetrics
from harness.evaluation.calibration import ece
from harness.evaluation.metrics import (
    BoolArray,
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

    A finding without positives or without negatives has no metrics, is named in `left_out` and
    counts in no mean. One without a threshold has only the metrics that need none.

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
    num_images = len(predictions.image_ids)
    num_positives_L = np.count_nonzero(predictions.label_NL, axis=0)
    findings = {
        name: FindingMetrics(
            num_positives=int(num_positives_L[column]),
            num_images=num_images,
            threshold=thresholds[name],
            **{metric: _number(value_L[column]) for metric, value_L in values.items()},
        )
        for column, name in enumerate(predictions.findings)
    }
    return Evaluation(
        part=part,
        threshold_rule=rule,
        num_images=num_images,
        num_patients=len(np.unique(predictions.patient_ids)),
        findings=findings,
        macro={metric: _number(mean_known(values[metric])) for metric in METRICS},
        left_out=tuple(
            name
            for name, is_kept in zip(predictions.findings, _has_classes(predictions), strict=True)
            if not is_kept
        ),
    )


def _metrics(
    predictions: Predictions, thresholds: Mapping[str, float | None]
) -> dict[str, FloatArray]:
    """The values of `METRICS` per finding; NaN where undefined, or where a class is missing."""
    score_NL, label_NL = predictions.score_NL, predictions.label_NL
    threshold_L = np.array([thresholds[name] for name in predictions.findings], dtype=np.float64)
    points = points_per_finding(score_NL, label_NL)
    tuned = confusion(score_NL, label_NL, threshold_L)
    values = {
        "auroc": np.array([each.auroc for each in points]),
        "auprc": np.array([each.auprc for each in points]),
        "f1": tuned.f1,
        "sensitivity": tuned.sensitivity,
        "specificity": tuned.specificity,
        "mcc": tuned.mcc,
        "brier": brier(score_NL, label_NL),
        "ece": ece(score_NL, label_NL),
        "f1_at_half": confusion(score_NL, label_NL, 0.5).f1,
    }
    is_kept_L = _has_classes(predictions)
    return {metric: np.where(is_kept_L, value_L, np.nan) for metric, value_L in values.items()}


def _has_classes(predictions: Predictions) -> BoolArray:
    """Per finding, whether it has positives and negatives."""
    label_NL = predictions.label_NL
    return np.logical_and(label_NL.any(axis=0), ~label_NL.all(axis=0))


def _number(value: float) -> float | None:
    """A plain float for a record, None for NaN."""
    return None if np.isnan(value) else float(value)
