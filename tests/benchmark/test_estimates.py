"""What an estimate says of itself, counted by hand."""

import pytest

from harness.benchmark.estimates import WIDE, Difference, Estimate


@pytest.mark.parametrize(
    ("low", "high", "is_away"),
    [(0.01, 0.2, True), (-0.2, -0.01, True), (0.0, 0.2, False), (-0.1, 0.1, False)],
)
def test_an_end_at_0_does_not_exclude_it(low: float, high: float, is_away: bool) -> None:
    assert Estimate(value=0.05, low=low, high=high).excludes_0 is is_away
    assert not Estimate(value=0.05).excludes_0


def test_the_spread_of_seeds_is_that_of_a_sample_and_one_seed_has_none() -> None:
    assert Estimate(value=2.0, seeds=(1.0, 2.0, 3.0)).sd == 1.0
    assert Estimate(value=2.0, seeds=(2.0,)).sd is None


@pytest.mark.parametrize(
    ("high", "is_wide"), [(0.5 + WIDE, False), (0.51 + WIDE, True), (None, False)]
)
def test_only_an_interval_beyond_the_bound_is_wide(high: float | None, is_wide: bool) -> None:
    low = None if high is None else 0.5
    assert Estimate(value=0.6, low=low, high=high).is_wide is is_wide


@pytest.mark.parametrize(
    ("p_holm", "is_significant"), [(0.049, True), (0.05, False), (None, False)]
)
def test_a_difference_is_judged_by_its_adjusted_p(
    p_holm: float | None, is_significant: bool
) -> None:
    told = Difference(to="best", value=-0.1, low=-0.2, high=-0.01, p=0.001, p_holm=p_holm)
    assert told.is_significant is is_significant
