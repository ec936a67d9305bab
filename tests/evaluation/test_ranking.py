"""Ranked figures of resamples against the figures of the images repeated by hand."""

import numpy as np
import pytest

from harness.evaluation import ranking
from harness.evaluation.metrics import operating_points
from harness.evaluation.ranking import NUM_AT_ONCE, ranking_metrics
from harness.evaluation.resampling import Resamples


@pytest.mark.parametrize("num_levels", [2, 7, 100_000])
def test_ties_and_blocks_change_nothing(num_levels):
    rng = np.random.default_rng(num_levels)
    label_NL = rng.random((90, 3)) < (0.4, 0.1, 0.0)  # the last has no positives at all
    score_NL = (rng.integers(num_levels, size=(90, 3)) / num_levels).astype(np.float32)
    resamples = Resamples.draw(np.arange(90) // 2, num=NUM_AT_ONCE + 6, seed=1)
    found = ranking_metrics(score_NL, label_NL, resamples)
    for r, count_U in enumerate(resamples.count_RU):
        rows = np.repeat(np.arange(90), count_U[resamples.unit_N])
        for column in range(3):
            points = operating_points(score_NL[rows, column], label_NL[rows, column])
            best_f1 = points.f1.max() if points.num_positives else np.nan
            exact = [found[name][r, column] for name in ("auroc", "f1_oracle")]
            np.testing.assert_array_equal(exact, [points.auroc, best_f1])
            np.testing.assert_allclose(found["auprc"][r, column], points.auprc, rtol=1e-12)


def test_the_compiled_loop_does_as_it_is_written(monkeypatch):
    rng = np.random.default_rng(0)
    label_NL, score_NL = rng.random((24, 2)) < 0.3, rng.integers(6, size=(24, 2)) / 6
    resamples = Resamples.draw(np.arange(24) // 2, num=5, seed=1)
    compiled = ranking_metrics(score_NL, label_NL, resamples)
    monkeypatch.setattr(ranking, "_descent", lambda: ranking._descend)
    written = ranking_metrics(score_NL, label_NL, resamples)
    for name, value_RL in compiled.items():
        np.testing.assert_array_equal(written[name], value_RL)


def test_scores_must_be_finite():
    resamples = Resamples.draw(np.arange(4), num=3, seed=0)
    score_NL = np.array([[0.1], [np.nan], [0.3], [0.2]])
    with pytest.raises(ValueError, match="finite"):
        ranking_metrics(score_NL, np.array([[True], [False], [True], [False]]), resamples)
