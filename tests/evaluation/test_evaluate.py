"""Evaluations: every figure from its own source, and what the means leave out."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.records import METRICS, Evaluation
from harness.evaluation.calibration import ece
from harness.evaluation.evaluate import evaluate
from harness.evaluation.thresholds import tune_thresholds


def evaluated(predictions: Predictions) -> Evaluation:
    return evaluate(predictions, thresholds=tune_thresholds(predictions), rule="f1", part="val")


def test_every_figure_of_a_finding(sample: Predictions) -> None:
    thresholds = tune_thresholds(sample, "youden")
    evaluation = evaluate(sample, thresholds=thresholds, rule="youden", part="test")
    assert (evaluation.part, evaluation.threshold_rule) == ("test", "youden")
    assert (evaluation.num_images, evaluation.num_patients) == (500, 250)
    for i, finding in enumerate(sample.findings):
        label_N, score_N = sample.label_NL[:, i], sample.score_NL[:, i].astype(np.float64)
        called_N = score_N >= thresholds[finding]
        assert evaluation.findings[finding].model_dump() == pytest.approx(
            {
                "num_positives": label_N.sum(),
                "num_images": 500,
                "threshold": thresholds[finding],
                "auroc": sk.roc_auc_score(label_N, score_N),
                "auprc": sk.average_precision_score(label_N, score_N),
                "f1": sk.f1_score(label_N, called_N),
                "sensitivity": sk.recall_score(label_N, called_N),
                "specificity": sk.recall_score(~label_N, ~called_N),
                "mcc": sk.matthews_corrcoef(label_N, called_N),
                "brier": sk.brier_score_loss(label_N, score_N),
                "ece": ece(sample.score_NL, sample.label_NL)[i],
                "f1_at_half": sk.f1_score(label_N, score_N >= 0.5),
            }
        )


def test_macro_is_the_plain_mean_of_the_findings(sample: Predictions) -> None:
    evaluation = evaluated(sample)
    assert tuple(evaluation.macro) == METRICS
    assert evaluation.left_out == ()
    for metric in METRICS:
        values = [getattr(figures, metric) for figures in evaluation.findings.values()]
        assert evaluation.macro[metric] == pytest.approx(sum(values) / 4)


def test_a_finding_of_one_class_is_left_out_of_every_mean(
    make_predictions: Callable[..., Predictions], sample: Predictions
) -> None:
    label_NL = sample.label_NL.copy()
    label_NL[:, 1], label_NL[:, 2] = False, True
    predictions = make_predictions(sample.score_NL, label_NL)
    # Thresholds from elsewhere, as on a test set, where validation did have positives.
    evaluation = evaluate(predictions, thresholds=tune_thresholds(sample), rule="f1", part="test")
    assert evaluation.left_out == ("B", "C")
    assert evaluation.findings["B"].num_positives == 0
    assert evaluation.findings["C"].num_positives == 500
    kept = evaluate(sample, thresholds=tune_thresholds(sample), rule="f1", part="test").findings
    for metric in METRICS:
        assert getattr(evaluation.findings["B"], metric) is None
        assert getattr(evaluation.findings["C"], metric) is None
        mean = (getattr(kept["A"], metric) + getattr(kept["D"], metric)) / 2
        assert evaluation.macro[metric] == pytest.approx(mean)


def test_a_finding_without_threshold_has_what_needs_none(sample: Predictions) -> None:
    thresholds = {**tune_thresholds(sample), "A": None}
    evaluation = evaluate(sample, thresholds=thresholds, rule="f1", part="test")
    figures = evaluation.findings["A"]
    assert figures.threshold is None
    missing = {metric for metric in METRICS if getattr(figures, metric) is None}
    assert missing == {"f1", "sensitivity", "specificity", "mcc"}
    assert evaluation.left_out == ()
    others = [evaluation.findings[finding].f1 for finding in "BCD"]
    assert evaluation.macro["f1"] == pytest.approx(sum(others) / 3)


def test_nothing_to_evaluate_is_none_and_not_zero(
    make_predictions: Callable[..., Predictions],
) -> None:
    evaluation = evaluated(make_predictions([[0.2], [0.4]], [[0], [0]]))
    assert evaluation.macro == dict.fromkeys(METRICS)
    assert evaluation.left_out == ("A",)


def test_the_threshold_of_a_score_counts_that_score(six: Predictions) -> None:
    figures = evaluated(six).findings["A"]
    assert figures.threshold == float(np.float32(0.4))
    assert figures.f1 == pytest.approx(6 / 7)
    assert figures.sensitivity == 1.0
    assert figures.f1_at_half == pytest.approx(4 / 6)


def test_a_score_of_one_half_is_positive_at_half(
    make_predictions: Callable[..., Predictions],
) -> None:
    figures = evaluated(make_predictions([[0.5], [0.2]], [[1], [0]])).findings["A"]
    assert figures.f1_at_half == 1.0


def test_an_evaluation_survives_json(sample: Predictions) -> None:
    evaluation = evaluated(sample)
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation
    json.dumps(evaluation.model_dump(), allow_nan=False)


def test_thresholds_of_other_findings_are_refused(sample: Predictions) -> None:
    thresholds = tune_thresholds(sample)
    del thresholds["C"]
    with pytest.raises(HarnessError, match="no threshold for C"):
        evaluate(sample, thresholds=thresholds, rule="f1", part="test")
