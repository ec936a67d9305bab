"""The order of falling scores against NumPy's own sort by two keys."""

import numpy as np
import pytest

from harness.evaluation.order import falling


def by_two_keys(score_N, label_N):
    return np.lexsort((label_N, -score_N.astype(np.float64)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.dtype(">f4")])
@pytest.mark.parametrize("num_levels", [1, 5, 1_000_000])
def test_the_order_is_that_of_a_sort_by_two_keys(dtype, num_levels):
    rng = np.random.default_rng(num_levels)
    score_N = (rng.integers(num_levels, size=4000) / num_levels).astype(dtype)
    label_N = rng.random(4000) < 0.2
    found = falling(score_N, label_N)
    assert np.array_equal(found.order_N, by_two_keys(score_N, label_N))
    assert np.array_equal(found.score_N, score_N[found.order_N])
    is_last_N = np.append(found.score_N[1:] != found.score_N[:-1], True)
    assert np.array_equal(found.last_K, np.flatnonzero(is_last_N))


def test_logits_of_all_sizes_and_both_signs_are_in_order():
    tiny, info = np.float32(1e-45), np.finfo(np.float32)
    rng = np.random.default_rng(0)
    spread = (rng.normal(size=2000) * 10.0 ** rng.integers(-40, 38, size=2000)).astype(np.float32)
    edges = np.array([info.max, info.min, info.tiny, -info.tiny, tiny, -tiny, 0.0, -0.0, 1, -1])
    score_N = np.concatenate([spread, edges.astype(np.float32)])
    label_N = rng.random(len(score_N)) < 0.5
    assert np.array_equal(falling(score_N, label_N).order_N, by_two_keys(score_N, label_N))


def test_neighbours_among_floats_are_told_apart():
    score_N = np.array([0.3, 3.0, 300.0, -0.3, -3.0, -300.0], dtype=np.float32)
    above_N = np.nextafter(score_N, np.float32(np.inf))
    both_N = np.concatenate([score_N, above_N])
    label_N = np.zeros(len(both_N), dtype=bool)
    assert np.array_equal(falling(both_N, label_N).order_N, by_two_keys(both_N, label_N))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zeros_of_both_signs_are_one_score(dtype):
    score_N = np.array([-0.0, 0.0, -0.0, 0.0], dtype=dtype)
    found = falling(score_N, np.array([True, True, False, False]))
    assert found.order_N.tolist() == [2, 3, 0, 1]
    assert found.last_K.tolist() == [3]


def test_no_images_have_no_order():
    found = falling(np.zeros(0, np.float32), np.zeros(0, bool))
    assert len(found.order_N) == len(found.score_N) == len(found.last_K) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        falling(np.array([0.5, bad], np.float32), np.array([True, False]))
