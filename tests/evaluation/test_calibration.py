"""Reliability and ECE against hand counts and scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from harness.core.predictions import Predictions
from harness.evaluation.calibration import NUM_BINS, ece, reliability


def test_six_images_in_two_bins_counted_by_hand(six: Predictions) -> None:
    curve = reliability(six.score_NL, six.label_NL, num_bins=2)
    assert curve.edge.tolist() == [0.0, 0.5, 1.0]
    assert curve.count_LM.tolist() == [[3, 3]]
    np.testing.assert_allclose(curve.mean_score_LM, [[0.8 / 3, 2.3 / 3]], rtol=1e-6)
    np.testing.assert_allclose(curve.positive_rate_LM, [[1 / 3, 2 / 3]])
    gaps = abs(0.8 / 3 - 1 / 3) * 3 + abs(2.3 / 3 - 2 / 3) * 3
    assert ece(six.score_NL, six.label_NL, num_bins=2)[0] == pytest.approx(gaps / 6, rel=1e-6)


def test_bins_weigh_by_their_images(make_predictions: Callable[..., Predictions]) -> None:
    # Three images off by 0.25 in one bin, one off by 0.75 in another.
    uneven = make_predictions([[0.25], [0.25], [0.25], [0.75]], [[0], [0], [0], [0]])
    found = ece(uneven.score_NL, uneven.label_NL, num_bins=2)[0]
    assert found == pytest.approx((3 * 0.25 + 1 * 0.75) / 4)


def test_an_edge_belongs_to_the_bin_on_its_left() -> None:
    score_NL = np.array([[0.0], [0.25], [0.5], [0.75], [1.0]], dtype=np.float32)
    curve = reliability(score_NL, np.ones((5, 1), dtype=bool), num_bins=4)
    assert curve.count_LM.tolist() == [[2, 1, 1, 1]]


def test_bins_equal_scikit_learn(sample: Predictions) -> None:
    curve = reliability(sample.score_NL, sample.label_NL)
    for i in range(len(sample.findings)):
        rate, mean_score = calibration_curve(
            sample.label_NL[:, i], sample.score_NL[:, i].astype(np.float64), n_bins=NUM_BINS
        )
        is_filled_M = curve.count_LM[i] > 0
        np.testing.assert_allclose(curve.positive_rate_LM[i][is_filled_M], rate)
        np.testing.assert_allclose(curve.mean_score_LM[i][is_filled_M], mean_score)
        weighted = curve.count_LM[i][is_filled_M] * np.abs(rate - mean_score)
        assert curve.ece[i] == pytest.approx(weighted.sum() / len(sample.label_NL))


def test_empty_bins_have_no_values(six: Predictions) -> None:
    curve = reliability(six.score_NL, six.label_NL)
    assert curve.count_LM.shape == (1, NUM_BINS)
    assert curve.count_LM.sum() == 6
    is_empty_M = curve.count_LM[0] == 0
    assert np.isnan(curve.mean_score_LM[0]).tolist() == is_empty_M.tolist()
    assert np.isnan(curve.positive_rate_LM[0]).tolist() == is_empty_M.tolist()


def test_true_probabilities_are_calibrated_and_sharper_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    score_NL = rng.random((40_000, 1))
    label_NL = rng.random((40_000, 1)) < score_NL
    assert ece(score_NL, label_NL)[0] < 0.015
    assert ece(score_NL**3, label_NL)[0] > 0.2


def test_no_images_give_no_figure() -> None:
    assert np.isnan(ece(np.empty((0, 1)), np.empty((0, 1), bool))).tolist() == [True]
