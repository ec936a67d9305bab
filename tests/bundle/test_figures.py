"""Figures with known answers, and against the evaluation of runs."""

import numpy as np
import pytest

from harness.bundle.figures import part_figures, subgroup_figures
from harness.core.predictions import Predictions
from harness.evaluation.evaluate import evaluate
from harness.evaluation.subgroups import Cases
from harness.evaluation.temperature import apply_temperature, fit_temperature
from harness.evaluation.thresholds import tune_thresholds

NUM_IMAGES = 240


@pytest.fixture(scope="module")
def predictions():
    """Two images a patient; the second finding is guessed, the third absent."""
    rng = np.random.default_rng(0)
    label_NL = rng.random((NUM_IMAGES, 3)) < (0.3, 0.2, 0.0)
    score_NL = rng.random((NUM_IMAGES, 3)) * 0.6
    score_NL[:, 0] += 0.3 * label_NL[:, 0]
    return Predictions(
        score_NL.astype(np.float32),
        label_NL,
        np.array([f"{row}.png" for row in range(NUM_IMAGES)]),
        np.array([f"p{row // 2}" for row in range(NUM_IMAGES)]),
        ("Mass", "Nodule", "Hernia"),
    )


@pytest.fixture(scope="module")
def thresholds(predictions):
    return tune_thresholds(predictions, "f1")


def test_values_are_those_of_the_evaluation(predictions, thresholds):
    found = part_figures(predictions, thresholds, temperature=1.0)
    expected = evaluate(predictions, thresholds=thresholds, rule="f1", part="val")
    for metric in ("auroc", "auprc", "f1", "sensitivity", "specificity", "brier", "ece"):
        assert found.macro[metric].value == pytest.approx(expected.macro[metric], abs=1e-6)
        for finding in ("Mass", "Nodule"):
            value = getattr(expected.findings[finding], metric)
            assert found.findings[finding][metric].value == pytest.approx(value, abs=1e-6)
    assert found.findings["Hernia"] == {}
    assert (found.num_images, found.num_patients) == (NUM_IMAGES, NUM_IMAGES // 2)
    assert found.num_positives["Hernia"] == 0


def test_intervals_hold_the_value_and_are_wider_with_fewer_patients(predictions, thresholds):
    whole = part_figures(predictions, thresholds, temperature=1.0).findings["Mass"]["auroc"]
    part = part_figures(predictions.of(np.arange(60)), thresholds, temperature=1.0)
    few = part.findings["Mass"]["auroc"]
    assert whole.low < whole.value < whole.high
    assert few.high - few.low > whole.high - whole.low
    assert 0 <= few.low <= few.high <= 1


def test_calibration_is_that_of_probabilities(predictions, thresholds):
    temperature = fit_temperature(predictions)
    assert temperature != pytest.approx(1, abs=0.1)
    found = part_figures(predictions, thresholds, temperature=temperature)
    scaled = apply_temperature(predictions.score_NL, temperature)
    brier = ((scaled - predictions.label_NL) ** 2).mean(axis=0)[:2].mean()
    assert found.macro["brier"].value == pytest.approx(brier, abs=1e-6)
    assert (
        found.macro["auroc"] == part_figures(predictions, thresholds, temperature=1).macro["auroc"]
    )


def test_groups_are_those_of_their_patients(predictions, thresholds):
    is_woman = np.arange(NUM_IMAGES) // 2 % 3 == 0
    cases = Cases(
        predictions.image_ids,
        predictions.patient_ids,
        np.where(is_woman, "F", "M"),
        np.full(NUM_IMAGES, np.nan),
        np.full(NUM_IMAGES, ""),
    )
    women, men = subgroup_figures(predictions, cases, thresholds)
    assert (women.attribute, women.group, men.group) == ("sex", "F", "M")
    assert (women.num_images, women.num_patients) == (80, 40)
    alone = evaluate(predictions.of(is_woman), thresholds=thresholds, rule="f1", part="val")
    assert women.macro["auroc"].value == pytest.approx(alone.macro["auroc"])


def test_a_single_patient_has_no_interval(predictions, thresholds):
    sex = np.where(np.arange(NUM_IMAGES) // 2 == np.flatnonzero(_mixed(predictions))[0], "F", "M")
    cases = Cases(
        predictions.image_ids, predictions.patient_ids, sex,
        np.full(NUM_IMAGES, np.nan), np.full(NUM_IMAGES, ""),
    )  # fmt: skip
    women, _ = subgroup_figures(predictions, cases, thresholds)
    assert women.num_patients == 1
    assert women.macro["auroc"].low is None


def _mixed(predictions):
    """Patients with one image of Mass and one without."""
    label_N = predictions.label_NL[:, 0]
    return label_N[::2] ^ label_N[1::2]
