"""Resamples against images repeated by hand, and what chance itself must do."""

import numpy as np
import pytest

from harness.evaluation.resampling import NUM_RESAMPLES, Resamples

PATIENTS = np.array(["b", "a", "b", "c", "b", "a", "d"])


def times_drawn(resamples: Resamples) -> np.ndarray:
    """How often each image is in each resample, R x N."""
    return resamples.count_RU[:, resamples.unit_N]


def test_all_images_of_a_patient_come_together_and_as_many_patients_as_there_are() -> None:
    drawn_RN = times_drawn(Resamples.draw(PATIENTS, num=50, seed=0))
    for patient in "abcd":
        of_patient_RN = drawn_RN[:, patient == PATIENTS]
        assert (of_patient_RN == of_patient_RN[:, :1]).all()
    first = [np.flatnonzero(patient == PATIENTS)[0] for patient in "abcd"]
    assert drawn_RN[:, first].sum(axis=1).tolist() == [4] * 50


def test_the_order_of_the_images_does_not_count() -> None:
    order_N = np.random.default_rng(3).permutation(len(PATIENTS))
    there = times_drawn(Resamples.draw(PATIENTS, num=50, seed=0))
    here = times_drawn(Resamples.draw(PATIENTS[order_N], num=50, seed=0))
    assert here.tolist() == there[:, order_N].tolist()


def test_the_draws_of_a_seed_never_change() -> None:
    """Every interval that was ever written hangs on them."""
    resamples = Resamples.draw(PATIENTS, num=4, seed=0)
    assert resamples.count_RU.tolist() == [
        [2, 2, 0, 0], [1, 2, 1, 0], [0, 3, 1, 0], [2, 0, 0, 2],
    ]  # fmt: skip
    assert resamples.unit_N.tolist() == [1, 0, 1, 2, 1, 0, 3]
    assert (resamples.count_RU.dtype, resamples.unit_N.dtype) == (np.uint8, np.int32)


def test_two_thousand_are_drawn_unless_told_otherwise() -> None:
    assert Resamples.draw(PATIENTS, seed=0).num == NUM_RESAMPLES == 2000


def test_the_whole_sample_is_one_resample() -> None:
    whole = Resamples.draw(PATIENTS, num=3, seed=0).whole
    assert times_drawn(whole).tolist() == [[1] * 7]
    assert whole.num == 1


@pytest.mark.parametrize(("size", "ends"), [(3, [3, 6, 7]), (7, [7]), (8, [7])])
def test_blocks_hold_each_resample_once(size: int, ends: list[int]) -> None:
    resamples = Resamples.draw(PATIENTS, num=7, seed=0)
    blocks = [list(range(7))[block] for block in resamples.blocks(size)]
    assert [number for block in blocks for number in block] == list(range(7))
    assert [block[-1] + 1 for block in blocks] == ends


def test_seeds_give_resamples_of_their_own() -> None:
    one, two = (Resamples.draw(PATIENTS, num=50, seed=seed).count_RU for seed in (1, 2))
    assert one.tolist() != two.tolist()
    assert len(np.unique(one, axis=0)) > 10


def test_every_patient_is_drawn_as_chance_has_it() -> None:
    # The count of one of U units in U draws is binomial: mean 1, variance 1 - 1 / U.
    count_RU = Resamples.draw(np.arange(20), num=20_000, seed=0).count_RU
    np.testing.assert_allclose(count_RU.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(count_RU.var(axis=0), 0.95, atol=0.05)
    assert (count_RU == 0).mean() == pytest.approx(0.95**20, abs=0.005)


def test_a_subset_is_drawn_as_in_the_whole() -> None:
    whole = Resamples.draw(PATIENTS, num=50, seed=0)
    is_kept_N = np.array([1, 0, 0, 1, 1, 1, 0], dtype=bool)
    expected = times_drawn(whole)[:, is_kept_N].tolist()
    assert times_drawn(whole.of(is_kept_N)).tolist() == expected
    assert times_drawn(whole.of(np.flatnonzero(is_kept_N))).tolist() == expected


def test_totals_are_sums_over_the_repeated_images() -> None:
    resamples = Resamples.draw(PATIENTS, num=600, seed=0)  # more than are multiplied at once
    value_NL = np.random.default_rng(0).normal(size=(7, 3))
    expected_RL = np.array(
        [
            value_NL[np.repeat(np.arange(7), drawn_N)].sum(axis=0)
            for drawn_N in times_drawn(resamples)
        ]
    )
    np.testing.assert_allclose(resamples.totals(value_NL), expected_RL, atol=1e-12)


def test_totals_in_bins_stand_side_by_side() -> None:
    resamples = Resamples.draw(PATIENTS, num=20, seed=0)
    rng = np.random.default_rng(0)
    value_NL, bin_NL = rng.normal(size=(7, 2)), rng.integers(4, size=(7, 2))
    found_RLM = resamples.totals(value_NL, bin_NL=bin_NL, num_bins=4).reshape(20, 2, 4)
    for bin_ in range(4):
        alone_RL = resamples.totals(np.where(bin_NL == bin_, value_NL, 0))
        np.testing.assert_allclose(found_RLM[:, :, bin_], alone_RL, atol=1e-12)


def test_units_are_those_that_have_an_image() -> None:
    resamples = Resamples.draw(["a", "b", "a", "c"], num=2, seed=0)
    assert resamples.num_units == 3
    assert resamples.of([0, 2]).num_units == 1
    assert resamples.of([False] * 4).num_units == 0
