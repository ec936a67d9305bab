"""Labels that are not known: each figure of a finding is that of the images whose label is known.

What is compared with are the arrays of one finding, from which all other images were dropped.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from harness.core.predictions import Predictions
from harness.core.records import METRICS
from harness.evaluation.calibration import ece, reliability
from harness.evaluation.curves import reliability_figure, roc_figure
from harness.evaluation.evaluate import evaluate
from harness.evaluation.intervals import ALL_METRICS, resampled_metrics, units_of_classes
from harness.evaluation.metrics import auprc, auroc, brier, confusion, macro_auroc, operating_points
from harness.evaluation.resampling import Resamples
from harness.evaluation.temperature import fit_temperature
from harness.evaluation.threshold_intervals import threshold_intervals
from harness.evaluation.thresholds import RULES, apply_rule, tune_thresholds

MakePredictions = Callable[..., Predictions]
TUNABLE = ("A", "B", "C", "D")
THRESHOLD = 0.3


@pytest.fixture
def masked(sample: Predictions, make_predictions: MakePredictions) -> Predictions:
    """All of A is known, most of B to D, nothing of E, and of F the positives alone."""
    rng = np.random.default_rng(3)
    score_NL = np.hstack([sample.score_NL, sample.score_NL[:, :2]])
    label_NL = np.hstack([sample.label_NL, sample.label_NL[:, :2]])
    is_known_NL = rng.random(label_NL.shape) < (1.0, 0.7, 0.6, 0.8, 0.0, 1.0)
    is_known_NL[:, 5] = label_NL[:, 5]
    made = make_predictions(score_NL, label_NL & is_known_NL)
    return replace(made, is_known_NL=is_known_NL)


@pytest.fixture
def resamples(masked: Predictions) -> Resamples:
    return Resamples.draw(masked.patient_ids, num=60, seed=0)


def arrays(predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return predictions.score_NL, predictions.label_NL, predictions.is_known_NL


def alone(predictions: Predictions, column: int) -> Predictions:
    """One finding, without the images whose label of it is not known."""
    one = replace(
        predictions,
        score_NL=predictions.score_NL[:, [column]],
        label_NL=predictions.label_NL[:, [column]],
        is_known_NL=predictions.is_known_NL[:, [column]],
        findings=(predictions.findings[column],),
    )
    return one.of(predictions.is_known_NL[:, column])


def with_rubbish(predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same, but for scores and labels that must not count."""
    score_NL, label_NL, is_known_NL = arrays(predictions)
    return np.where(is_known_NL, score_NL, np.nan), label_NL | ~is_known_NL, is_known_NL


# Figures ----------------------------------------------------------------------------------------


def test_figures_are_those_of_the_images_that_are_left(masked: Predictions) -> None:
    thresholds = tune_thresholds(masked)
    found = evaluate(masked, thresholds=thresholds, rule="f1", part="val")
    assert (found.num_images, found.left_out) == (500, ("E", "F"))
    for column, name in enumerate(masked.findings):
        one = alone(masked, column)
        theirs = evaluate(one, thresholds=thresholds, rule="f1", part="val").findings[name]
        figures, expected = (
            each.model_dump(exclude_none=True) for each in (found.findings[name], theirs)
        )
        assert figures == pytest.approx(expected, rel=1e-12)
        assert found.findings[name].num_images == len(one.image_ids)
        assert found.findings[name].auroc == theirs.auroc
    for metric in METRICS:
        values = [getattr(found.findings[name], metric) for name in TUNABLE]
        assert found.macro[metric] == pytest.approx(np.mean(values))


def test_figures_are_scikit_learn_s_on_the_images_that_are_left(masked: Predictions) -> None:
    thresholds = tune_thresholds(masked)
    found = evaluate(masked, thresholds=thresholds, rule="f1", part="val")
    for column, name in enumerate(TUNABLE):
        one = alone(masked, column)
        label_N, score_N = one.label_NL[:, 0], one.score_NL[:, 0].astype(np.float64)
        called_N = score_N >= thresholds[name]
        figures = found.findings[name]
        assert figures.auroc == pytest.approx(sk.roc_auc_score(label_N, score_N))
        assert figures.auprc == pytest.approx(sk.average_precision_score(label_N, score_N))
        assert figures.brier == pytest.approx(sk.brier_score_loss(label_N, score_N))
        assert figures.f1 == pytest.approx(sk.f1_score(label_N, called_N))
        assert figures.specificity == pytest.approx(sk.recall_score(~label_N, ~called_N))
        assert figures.mcc == pytest.approx(sk.matthews_corrcoef(label_N, called_N))
    assert macro_auroc(*arrays(masked)) == found.macro["auroc"]


@pytest.mark.parametrize("metric", [auroc, auprc, brier, ece])
def test_scores_and_labels_that_are_passed_over_may_be_anything(
    metric: Callable[..., np.ndarray], masked: Predictions
) -> None:
    assert metric(*with_rubbish(masked)).tolist()[:4] == metric(*arrays(masked)).tolist()[:4]
    assert np.isnan(metric(*with_rubbish(masked))[4])


@pytest.mark.parametrize("metric", [auroc, auprc, brier, ece, macro_auroc])
def test_where_all_are_known_nothing_changes_to_the_bit(
    metric: Callable[..., object], sample: Predictions
) -> None:
    assert np.array_equal(metric(*arrays(sample)), metric(sample.score_NL, sample.label_NL))


def test_no_image_of_an_unknown_label_is_in_a_bin(masked: Predictions) -> None:
    curve = reliability(*with_rubbish(masked))
    assert curve.count_LM.sum(axis=1).tolist() == masked.num_known_L.tolist()


# Thresholds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_thresholds_are_tuned_on_the_images_that_are_left(masked: Predictions, rule: str) -> None:
    points = [
        operating_points(one.score_NL[:, 0], one.label_NL[:, 0])
        for one in (alone(masked, column) for column in range(6))
    ]
    expected = apply_rule(RULES[rule], points).tolist()
    found = tune_thresholds(masked, rule)
    assert [found[name] for name in TUNABLE] == expected[:4]
    assert (found["E"], found["F"]) == (None, None)


@pytest.mark.parametrize("rule", RULES)
def test_threshold_intervals_are_those_of_tuning_on_every_resample(
    masked: Predictions, resamples: Resamples, rule: str
) -> None:
    tuned = []
    for count_U in resamples.count_RU:
        drawn = masked.of(np.repeat(np.arange(500), count_U[resamples.unit_N]))
        tuned.append([np.nan if t is None else t for t in tune_thresholds(drawn, rule).values()])
    expected = np.quantile(np.array(tuned)[:, :4], (0.05, 0.95), axis=0)
    found = threshold_intervals(*with_rubbish(masked), rule=rule, resamples=resamples, level=0.9)
    np.testing.assert_allclose(np.transpose(found[:4]), expected, rtol=1e-14)
    assert found[4:] == [(None, None)] * 2


def test_an_exact_rule_s_intervals_are_those_of_the_finding_alone(
    masked: Predictions, resamples: Resamples
) -> None:
    found = threshold_intervals(*arrays(masked), rule="f1", resamples=resamples)
    for column in range(4):
        one, same = alone(masked, column), resamples.of(masked.is_known_NL[:, column])
        theirs = threshold_intervals(one.score_NL, one.label_NL, rule="f1", resamples=same)
        assert found[column] == theirs[0]


def test_the_temperature_is_that_of_the_known_labels(
    masked: Predictions, make_predictions: MakePredictions
) -> None:
    score_NL, label_NL, is_known_NL = arrays(masked)
    pooled = make_predictions(score_NL[is_known_NL][:, None], label_NL[is_known_NL][:, None])
    assert fit_temperature(masked) == fit_temperature(pooled)
    whole = replace(masked, is_known_NL=np.ones_like(is_known_NL))
    assert fit_temperature(whole) != pytest.approx(fit_temperature(masked), rel=1e-3)
    with pytest.raises(ValueError, match="no labels"):
        fit_temperature(alone(masked, 4))


# Resamples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ALL_METRICS)
def test_resampled_figures_are_those_of_the_images_that_are_left(
    masked: Predictions, resamples: Resamples, metric: str
) -> None:
    told = {"threshold_L": THRESHOLD, "metrics": (metric,)}
    score_NL, label_NL, is_known_NL = with_rubbish(masked)
    found_RL = resampled_metrics(
        np.where(is_known_NL, score_NL, 0.9), label_NL, is_known_NL=is_known_NL,
        resamples=resamples, **told,
    )[metric]  # fmt: skip
    for column in range(6):
        one, same = alone(masked, column), resamples.of(is_known_NL[:, column])
        theirs = resampled_metrics(one.score_NL, one.label_NL, resamples=same, **told)[metric]
        np.testing.assert_allclose(found_RL[:, column], theirs[:, 0], rtol=1e-12)


def test_an_unknown_label_weighs_nothing_in_scikit_learn_s_resamples(
    masked: Predictions, resamples: Resamples
) -> None:
    score_NL, label_NL, is_known_NL = arrays(masked)
    found = resampled_metrics(
        score_NL, label_NL, is_known_NL=is_known_NL, threshold_L=THRESHOLD, resamples=resamples
    )
    for r, count_U in enumerate(resamples.count_RU[:5]):
        for column in range(4):
            weight_N = count_U[resamples.unit_N] * is_known_NL[:, column]
            pair = label_NL[:, column], score_NL[:, column].astype(np.float64)
            area = sk.roc_auc_score(*pair, sample_weight=weight_N)
            precision = sk.average_precision_score(*pair, sample_weight=weight_N)
            error = sk.brier_score_loss(*pair, sample_weight=weight_N)
            assert found["auroc"][r, column] == pytest.approx(area, abs=1e-12)
            assert found["auprc"][r, column] == pytest.approx(precision, abs=1e-12)
            assert found["brier"][r, column] == pytest.approx(error, abs=1e-12)


def test_resamples_where_all_are_known_do_not_change_to_the_bit(
    sample: Predictions, resamples: Resamples
) -> None:
    score_NL, label_NL, is_known_NL = arrays(sample)
    told = {"threshold_L": THRESHOLD, "resamples": resamples}
    with_mask = resampled_metrics(score_NL, label_NL, is_known_NL=is_known_NL, **told)
    without = resampled_metrics(score_NL, label_NL, **told)
    for metric in ALL_METRICS:
        assert np.array_equal(with_mask[metric], without[metric], equal_nan=True)


def test_units_carry_what_they_have_a_known_label_of(
    masked: Predictions, resamples: Resamples
) -> None:
    _, label_NL, is_known_NL = with_rubbish(masked)
    found = units_of_classes(label_NL, resamples, is_known_NL).of("auroc").tolist()
    theirs = [
        units_of_classes(each.label_NL, resamples.of(is_known_NL[:, column])).of("auroc")[0]
        for column in range(6)
        for each in [alone(masked, column)]
    ]
    assert found == theirs
    assert found[4:] == [0, 0]


# Figures that are drawn -------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [roc_figure, reliability_figure])
def test_an_empty_panel_says_that_no_label_is_known(draw: Callable, masked: Predictions) -> None:
    said = [[text.get_text() for text in axes.texts] for axes in draw(masked, "val").axes]
    assert said[4:6] == [["no known labels"], ["no negatives"]]
    value_L = {roc_figure: auroc, reliability_figure: ece}[draw](*arrays(masked))
    assert said[1][0].endswith(f"{value_L[1]:.3f}")


def test_counts_pass_over_them_too(masked: Predictions) -> None:
    counts = confusion(*with_rubbish(masked)[:2], THRESHOLD, is_known_NL=masked.is_known_NL)
    total_L = counts.tp_L + counts.fp_L + counts.fn_L + counts.tn_L
    assert total_L.tolist() == masked.num_known_L.tolist()
    assert (counts.tp_L + counts.fn_L).tolist() == masked.num_positives_L.tolist()
