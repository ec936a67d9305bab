"""The simulated test part, both hands on a small one, and what the page says."""

import numpy as np
import pytest

from harness.core.findings import FINDINGS
from harness.evaluation.resampling import Resamples
from harness.speed import evaluation
from harness.speed.evaluation import (
    NUM_POSITIVES,
    NUM_RESAMPLES,
    Part,
    auroc_of_resamples,
    best_thresholds,
    f1_of_resamples,
    harness_alone,
    measure_evaluation,
    simulate,
)


@pytest.fixture
def small():
    """600 images with two common findings: each resample has both classes."""
    rng = np.random.default_rng(0)
    label_NL = rng.random((600, 2)) < (0.3, 0.1)
    score_NL = rng.random((600, 2)).astype(np.float32)
    patient_N = np.arange(600) // 3
    return Part(score_NL, label_NL, patient_N, Resamples.draw(patient_N, num=NUM_RESAMPLES, seed=0))


def test_the_simulated_test_part_has_the_official_numbers():
    test = simulate()
    assert len(NUM_POSITIVES) == len(FINDINGS)
    assert test.label_NL.sum(axis=0).tolist() == list(NUM_POSITIVES)
    assert test.score_NL.shape == (25_596, 14)
    num_images_U = np.bincount(test.patient_N)
    assert (len(num_images_U), num_images_U.min()) == (2_797, 1)
    assert 2 <= np.median(num_images_U) <= 4
    assert 60 <= np.quantile(num_images_U, 0.99) <= 100


def test_labels_and_scores_cluster_in_patients():
    test = simulate()
    label_N, score_N = test.label_NL[:, 0], test.score_NL[:, 0]
    num_U = np.bincount(test.patient_N)
    for value_N in (label_N, np.where(label_N, 0, score_N)):
        mean_U = np.bincount(test.patient_N, value_N) / num_U
        assert mean_U[num_U > 10].var() > 3 * value_N.var() / num_U[num_U > 10].mean()


@pytest.mark.parametrize("compared", [auroc_of_resamples, f1_of_resamples, best_thresholds])
def test_both_hands_agree_and_are_timed(small, compared):
    row = compared(small)
    assert row.ratio == row.peer / row.ours
    assert row.ratio > 3
    assert row.goal in (500, 600)


def test_figures_that_differ_are_not_timed(small, monkeypatch):
    monkeypatch.setattr(
        evaluation, "ranking_metrics", lambda *_: {"auroc": np.zeros((NUM_RESAMPLES, 2))}
    )
    with pytest.raises(AssertionError, match="Not equal"):
        auroc_of_resamples(small)


def test_what_the_harness_does_alone_is_timed(small):
    assert [row.ratio for row in harness_alone(small)] == [None, None]


def test_the_notes_say_what_was_compared(small, monkeypatch):
    monkeypatch.setattr(evaluation, "simulate", lambda: small)
    speed = measure_evaluation(lambda line: None)
    assert len(speed.rows) == 5
    for words in ("scaled from 5", "1,000 resamples", "a grid of 100", "1e-12"):
        assert words in speed.notes
