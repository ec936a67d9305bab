"""Metrics against hand counts, scikit-learn, and what must hold for any scores."""

import time

import numpy as np
import pytest
from sklearn import metrics as sk

from harness.core.predictions import Predictions
from harness.evaluation.metrics import (
    auprc,
    auroc,
    brier,
    call_positive,
    confusion,
    macro_auroc,
    mean_known,
    operating_points,
)


def column(values: list[float], dtype: type = np.float32) -> np.ndarray:
    return np.array(values, dtype=dtype)[:, None]


def test_six_images_counted_by_hand(six: Predictions) -> None:
    # Of 9 (positive, negative) pairs 7 are in order and one is a tie.
    assert auroc(six.score_NL, six.label_NL)[0] == pytest.approx(7.5 / 9)
    # Recall steps of 1/3 at the precisions 1/1, 2/3 and 3/4.
    assert auprc(six.score_NL, six.label_NL)[0] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    squares = 0.1**2 + 0.3**2 + 0.7**2 + 0.6**2 + 0.3**2 + 0.1**2
    assert brier(six.score_NL, six.label_NL)[0] == pytest.approx(squares / 6)


def test_six_images_at_a_threshold_that_is_a_score(six: Predictions) -> None:
    at = confusion(six.score_NL, six.label_NL, [float(np.float32(0.7))])
    assert (at.tp_L[0], at.fp_L[0], at.fn_L[0], at.tn_L[0]) == (2, 1, 1, 2)
    assert at.sensitivity[0] == pytest.approx(2 / 3)
    assert at.specificity[0] == pytest.approx(2 / 3)
    assert at.f1[0] == pytest.approx(4 / 6)
    assert at.mcc[0] == pytest.approx((2 * 2 - 1 * 1) / 9)


def test_operating_points_group_equal_scores(six: Predictions) -> None:
    points = operating_points(six.score_NL[:, 0], six.label_NL[:, 0])
    assert points.threshold_K.astype(np.float32).tolist() == pytest.approx(
        [0.9, 0.7, 0.4, 0.3, 0.1]
    )
    assert points.tp_K.tolist() == [1, 2, 3, 3, 3]
    assert points.fp_K.tolist() == [0, 1, 1, 2, 3]
    assert (points.num_positives, points.num_negatives) == (3, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decimals", [1, 2, 7])
def test_curves_equal_scikit_learn(dtype: type, decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    label_NL = rng.random((400, 5)) < (0.5, 0.3, 0.1, 0.05, 0.01)
    label_NL[0] = True
    score_NL = np.clip(rng.normal(0.4 + 0.15 * label_NL, 0.2), 0, 1).round(decimals).astype(dtype)
    for found_L, expected in [
        (auroc(score_NL, label_NL), sk.roc_auc_score),
        (auprc(score_NL, label_NL), sk.average_precision_score),
        (brier(score_NL, label_NL), sk.brier_score_loss),
    ]:
        values = [expected(label_NL[:, i], score_NL[:, i].astype(float)) for i in range(5)]
        np.testing.assert_allclose(found_L, values, rtol=1e-12)


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_counts_equal_scikit_learn(sample: Predictions, threshold: float) -> None:
    at = confusion(sample.score_NL, sample.label_NL, threshold)
    for i in range(4):
        label_N, called_N = sample.label_NL[:, i], sample.score_NL[:, i] >= threshold
        assert at.f1[i] == pytest.approx(sk.f1_score(label_N, called_N))
        assert at.sensitivity[i] == pytest.approx(sk.recall_score(label_N, called_N))
        assert at.specificity[i] == pytest.approx(sk.recall_score(~label_N, ~called_N))
        assert at.mcc[i] == pytest.approx(sk.matthews_corrcoef(label_N, called_N), abs=1e-12)


def test_thresholds_apply_to_their_own_finding() -> None:
    score_NL = np.array([[0.2, 0.8], [0.6, 0.4]], dtype=np.float32)
    label_NL = np.array([[True, True], [True, True]])
    assert confusion(score_NL, label_NL, [0.5, 0.3]).tp_L.tolist() == [1, 2]


def test_constant_scores_carry_nothing() -> None:
    score_NL, label_NL = column([0.3] * 8), column([1, 0, 0, 0, 1, 0, 0, 0], bool)
    assert auroc(score_NL, label_NL)[0] == 0.5
    assert auprc(score_NL, label_NL)[0] == 0.25
    assert confusion(score_NL, label_NL, [0.5]).mcc[0] == 0.0
    assert confusion(score_NL, label_NL, [0.1]).mcc[0] == 0.0


def test_without_positives_only_what_needs_none_is_defined() -> None:
    score_NL, label_NL = column([0.1, 0.6, 0.9]), column([0, 0, 0], bool)
    at = confusion(score_NL, label_NL, [0.5])
    for value_L in (auroc(score_NL, label_NL), auprc(score_NL, label_NL), at.f1, at.mcc):
        assert np.isnan(value_L[0])
    assert np.isnan(at.sensitivity[0])
    assert at.specificity[0] == pytest.approx(1 / 3)


def test_without_negatives_only_what_needs_none_is_defined() -> None:
    score_NL, label_NL = column([0.1, 0.6, 0.9]), column([1, 1, 1], bool)
    at = confusion(score_NL, label_NL, [0.5])
    for value_L in (auroc(score_NL, label_NL), at.specificity, at.mcc):
        assert np.isnan(value_L[0])
    assert auprc(score_NL, label_NL)[0] == 1.0
    assert at.f1[0] == pytest.approx(0.8)


def test_a_missing_threshold_gives_no_figure(six: Predictions) -> None:
    at = confusion(six.score_NL, six.label_NL, [np.nan])
    for value_L in (at.tp_L, at.f1, at.sensitivity, at.specificity, at.mcc):
        assert np.isnan(value_L[0])


def test_no_images_give_no_figures() -> None:
    score_NL, label_NL = np.empty((0, 2), np.float32), np.empty((0, 2), bool)
    for value_L in (
        auroc(score_NL, label_NL),
        auprc(score_NL, label_NL),
        brier(score_NL, label_NL),
    ):
        assert np.isnan(value_L).tolist() == [True, True]


def test_float32_scores_are_compared_as_float64() -> None:
    score_N = np.array([0.7], dtype=np.float32)
    exact = float(score_N[0])
    assert call_positive(score_N, exact).tolist() == [True]
    just_above = float(np.nextafter(exact, 1.0))
    assert np.float32(just_above) == score_N[0]
    assert call_positive(score_N, just_above).tolist() == [False]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        auroc(column([0.1, bad]), column([0, 1], bool))


def test_macro_auroc_leaves_out_findings_of_one_class(six: Predictions) -> None:
    score_NL = np.repeat(six.score_NL, 3, axis=1)
    label_NL = np.hstack([six.label_NL, np.zeros((6, 1), bool), np.ones((6, 1), bool)])
    assert macro_auroc(score_NL, label_NL) == pytest.approx(7.5 / 9)
    assert np.isnan(macro_auroc(score_NL[:, 1:], label_NL[:, 1:]))
    assert np.isnan(mean_known(np.array([])))


def test_shuffled_labels_give_chance(sample: Predictions) -> None:
    rng = np.random.default_rng(0)
    shuffled = [rng.permutation(sample.label_NL) for _ in range(200)]
    auroc_RL = np.array([auroc(sample.score_NL, label_NL) for label_NL in shuffled])
    auprc_RL = np.array([auprc(sample.score_NL, label_NL) for label_NL in shuffled])
    np.testing.assert_allclose(auroc_RL.mean(axis=0), 0.5, atol=0.03)
    prevalence_L = sample.label_NL.mean(axis=0)
    np.testing.assert_allclose(auprc_RL.mean(axis=0), prevalence_L, atol=0.03)


def test_only_the_ranking_counts(sample: Predictions) -> None:
    rank_NL = sample.score_NL.astype(np.float64) ** 3 / 2
    label_NL = sample.label_NL
    assert auroc(rank_NL, label_NL).tolist() == auroc(sample.score_NL, label_NL).tolist()
    assert auprc(rank_NL, label_NL).tolist() == auprc(sample.score_NL, label_NL).tolist()
    reversed_L = auroc(-sample.score_NL, label_NL)
    np.testing.assert_allclose(reversed_L, 1 - auroc(sample.score_NL, label_NL))


def test_the_order_of_images_does_not_count(sample: Predictions) -> None:
    order_N = np.random.default_rng(1).permutation(len(sample.score_NL))
    score_NL, label_NL = sample.score_NL[order_N], sample.label_NL[order_N]
    assert auroc(score_NL, label_NL).tolist() == auroc(sample.score_NL, sample.label_NL).tolist()
    assert auprc(score_NL, label_NL).tolist() == auprc(sample.score_NL, sample.label_NL).tolist()


def test_the_official_test_set_takes_a_fraction_of_a_second() -> None:
    rng = np.random.default_rng(0)
    score_NL = rng.random((25_596, 14), dtype=np.float32)
    label_NL = rng.random((25_596, 14)) < 0.1
    start_s = time.perf_counter()
    auroc(score_NL, label_NL)
    auprc(score_NL, label_NL)
    # About 0.05 s on one core; the slack is for a busy machine, not for a slower algorithm.
    assert time.perf_counter() - start_s < 1.0
