"""Rows that fail, rows for which no time is left, and what known rates make of the others."""

import pytest

from harness.speed import gpu_parts
from harness.speed.gpu import PARTS
from harness.speed.gpu_bench import (
    NO_TIME,
    Bench,
    advice,
    goal_rows,
    small_rows,
    step_row,
    trials_row,
)

RATES = {
    ("densenet121", 256, "none"): 2600.0,
    ("densenet121", 8, "none"): 100.0,
    ("densenet121", 256, "graphs"): 2800.0,
    ("densenet121", 8, "graphs"): 700.0,
}


def bench(limit_s: float = 60) -> Bench:
    return Bench(gpu_parts.TINY, lambda what: None, limit_s)


def test_a_row_that_fails_says_why_and_the_next_is_measured():
    def fail() -> float:
        raise RuntimeError("no compiler\nand much more")

    tried = bench()
    assert tried.measure("first", fail, unit="s", goal=2) is None
    assert tried.measure("second", lambda: 1.5, unit="s", goal=2) == 1.5
    assert [row.cells for row in tried.rows] == [
        ["first (RuntimeError: no compiler)", "-", "-", "-", "at most 2 s", "-"],
        ["second", "1.5 s", "-", "-", "at most 2 s", "yes"],
    ]


def test_no_row_is_begun_when_time_is_up():
    late = bench(limit_s=-1)
    for part in PARTS.values():
        part(late)
    assert {row.note for row in late.rows} == {NO_TIME}


def test_compilations_are_few():
    """DenseNet-121 takes about 100 s each, and all has to end in 9 minutes."""
    full = Bench(gpu_parts.FULL, lambda what: None, 60)
    sizes = [len(full._batch_sizes(model, "compile")) for model in gpu_parts.FULL.models]
    assert sizes == [2, 1, 0]


def test_speedups_stand_beside_steps_as_they_are():
    eager, graphs = (step_row(RATES, ("densenet121", 8, means)) for means in ("none", "graphs"))
    assert (eager.ratio, graphs.ratio) == (None, 7)


def test_small_batches_stand_beside_the_large_by_the_fastest_means_of_both():
    (row,) = small_rows(RATES, gpu_parts.FULL)
    assert (row.ratio, row.holds) == (0.25, False)
    assert row.peer_name == "batch 256, speedups graphs"


def test_a_goal_is_of_the_fastest_means():
    (row,) = goal_rows(RATES, 256)
    assert row.cells == [
        "densenet121, batch 256, the fastest (speedups graphs)", "2,800 images/s", "-", "-",
        "at least 6,500 images/s", "NO",
    ]  # fmt: skip


@pytest.mark.parametrize(("cold_s", "ratio"), [(90.0, 3), (None, None)])
def test_trials_stand_beside_cold_ones_where_these_were_measured(cold_s, ratio):
    assert trials_row(4, 30.0, cold_s).ratio == ratio


def test_advice_names_the_fastest_means():
    rates = {("a", 8, "none"): 100.0, ("a", 8, "graphs"): 450.0, ("a", 256, "none"): 1.0}
    assert advice(rates) == ["a, batch 8: --speedups graphs (4.50 x none)"]
