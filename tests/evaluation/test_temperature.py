"""Temperatures that are known, and what they leave alone."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import log_loss

from harness.core.predictions import Predictions
from harness.evaluation.calibration import ece
from harness.evaluation.metrics import auroc
from harness.evaluation.temperature import HIGHEST, LOWEST, apply_temperature, fit_temperature

MakePredictions = Callable[..., Predictions]


@pytest.fixture(scope="module")
def probability_NL() -> np.ndarray:
    """True probabilities of two findings, a common and a rare one."""
    rng = np.random.default_rng(0)
    return expit(rng.normal((-1.0, -4.0), 1.5, size=(40_000, 2)))


@pytest.fixture(scope="module")
def label_NL(probability_NL: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).random(probability_NL.shape) < probability_NL


def focal_scores(probability_NL: np.ndarray, gamma: float = 2.0) -> np.ndarray:
    """The scores with the lowest focal loss, where positives have these probabilities.

    The loss p (1-s)^g (-log s) + (1-p) s^g (-log(1-s)) has a slope of 0 at p = down / (up + down).
    """
    score = np.linspace(1e-6, 1 - 1e-6, 100_001)

    def pull(s: np.ndarray) -> np.ndarray:
        return (1 - s) ** gamma / s - gamma * (1 - s) ** (gamma - 1) * np.log(s)

    up, down = pull(score), pull(1 - score)
    return np.interp(probability_NL, down / (up + down), score)


def test_calibrated_scores_have_temperature_one(
    make_predictions: MakePredictions, probability_NL: np.ndarray, label_NL: np.ndarray
) -> None:
    assert fit_temperature(make_predictions(probability_NL, label_NL)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("temperature", [0.4, 1.5])
def test_a_known_temperature_is_found_and_undone(
    make_predictions: MakePredictions,
    probability_NL: np.ndarray,
    label_NL: np.ndarray,
    temperature: float,
) -> None:
    plain = fit_temperature(make_predictions(probability_NL, label_NL))
    moved_NL = expit(logit(probability_NL) * temperature)
    found = fit_temperature(make_predictions(moved_NL, label_NL))
    assert found == pytest.approx(temperature * plain, rel=1e-4)
    undone_NL = apply_temperature(moved_NL, temperature)
    np.testing.assert_allclose(undone_NL, probability_NL, rtol=1e-5, atol=1e-6)


def test_no_other_temperature_has_a_lower_loss(
    make_predictions: MakePredictions, sample: Predictions
) -> None:
    best = fit_temperature(sample)

    def loss(temperature: float) -> float:
        scaled_NL = expit(logit(np.clip(sample.score_NL.astype(float), 1e-7, 1)) / temperature)
        return log_loss(sample.label_NL.ravel(), scaled_NL.ravel())

    others = [loss(best * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0)]
    assert min(others) > loss(best)


def test_focal_scores_become_calibrated_and_keep_their_order(
    make_predictions: MakePredictions, probability_NL: np.ndarray, label_NL: np.ndarray
) -> None:
    score_NL = focal_scores(probability_NL).astype(np.float32)
    temperature = fit_temperature(make_predictions(score_NL, label_NL))
    scaled_NL = apply_temperature(score_NL, temperature)
    assert temperature < 0.7
    assert scaled_NL.dtype == np.float32
    before_L, after_L = ece(score_NL, label_NL), ece(scaled_NL, label_NL)
    assert (after_L < before_L / 3).all()
    np.testing.assert_allclose(
        auroc(scaled_NL, label_NL), auroc(score_NL, label_NL), rtol=0, atol=1e-6
    )


def test_temperature_one_changes_nothing(sample: Predictions) -> None:
    np.testing.assert_allclose(apply_temperature(sample.score_NL, 1.0), sample.score_NL, rtol=1e-6)


def test_scores_of_zero_and_one_stay_finite(make_predictions: MakePredictions) -> None:
    sure = make_predictions([[0.0], [1.0], [1.0], [0.0]], [[0], [1], [0], [1]])
    assert fit_temperature(sure) == HIGHEST
    assert apply_temperature(sure.score_NL, 0.05).ravel().tolist() == [0, 1, 1, 0]


def test_it_ends_where_the_search_does(make_predictions: MakePredictions) -> None:
    always_right = make_predictions([[0.2], [0.7]], [[0], [1]])
    always_wrong = make_predictions([[0.2], [0.7]], [[1], [0]])
    assert fit_temperature(always_right) == LOWEST
    assert fit_temperature(always_wrong) == HIGHEST


def test_nothing_to_fit_is_an_error(make_predictions: MakePredictions) -> None:
    with pytest.raises(ValueError, match="no labels"):
        fit_temperature(make_predictions(np.empty((0, 2)), np.empty((0, 2))))
