"""The simulated test part, both hands on a small one, and what the page says."""

import json

import numpy as np
import pytest

from harness.core.findings import FINDINGS
from harness.evaluation.resampling import NUM_RESAMPLES, Resamples
from harness.speed import evaluation
from harness.speed.evaluation import (
    HEADERS,
    NUM_POSITIVES,
    NUM_TIMED,
    Comparison,
    Part,
    Timing,
    auroc_of_resamples,
    best_thresholds,
    f1_of_resamples,
    harness_alone,
    rows_of,
    simulate,
    write_evaluation_report,
)

HARDWARE = {"cores": 2, "cpu": "some CPU", "memory_gb": 25.0, "load_before": 0.1}
COMPARISON = Comparison(
    timings=(
        Timing(what="AUROC", harness_s=0.5, sklearn_s=300, timed="5 resamples"),
        Timing(what="all metrics", harness_s=0.75),
    ),
    peak_mb=111.4,
)


@pytest.fixture
def small():
    """600 images with two common findings: each resample has both classes."""
    rng = np.random.default_rng(0)
    label_NL = rng.random((600, 2)) < (0.3, 0.1)
    score_NL = rng.random((600, 2)).astype(np.float32)
    patient_N = np.arange(600) // 3
    return Part(score_NL, label_NL, patient_N, Resamples.draw(patient_N, seed=0))


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
    timing = compared(small)
    assert timing.harness_s > 0
    assert timing.sklearn_s > 0
    assert timing.ratio == timing.sklearn_s / timing.harness_s


def test_figures_that_differ_are_not_timed(small, monkeypatch):
    monkeypatch.setattr(
        evaluation, "ranking_metrics", lambda *_: {"auroc": np.zeros((NUM_RESAMPLES, 2))}
    )
    with pytest.raises(AssertionError, match="Not equal"):
        auroc_of_resamples(small)


def test_what_the_harness_does_alone_is_timed(small):
    assert [timing.ratio for timing in harness_alone(small)] == [None, None]


def test_every_row_has_its_figures():
    auroc, everything = rows_of(COMPARISON)
    assert len(auroc) == len(everything) == len(HEADERS)
    assert auroc == ["AUROC", "0.500", "300.0", "600", "5 resamples"]
    assert everything == ["all metrics", "0.750", "-", "-", "-"]


def test_the_page_and_the_json_say_what_was_measured(tmp_path):
    path, page = write_evaluation_report(COMPARISON, HARDWARE, tmp_path / "speed")
    text = " ".join(page.read_text().split())
    for words in (
        "| AUROC | 0.500 | 300.0 | 600 | 5 resamples |", "111 MB", f"scaled from {NUM_TIMED}",
        "2 cores (some CPU), 25.0 GB", "scikit-learn ", "Made by `harness speed evaluation`.",
    ):  # fmt: skip
        assert words in text
    told = json.loads(path.read_text())
    assert told["hardware"] == HARDWARE
    assert told["peak_mb"] == 111.4
    assert [timing["ratio"] for timing in told["timings"]] == [600, None]
