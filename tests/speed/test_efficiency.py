"""The rows and the page from known races, and the direction of a few real ones."""

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.speed import efficiency
from harness.speed.contenders import WAYS
from harness.speed.efficiency import (
    DEVELOPMENT_TASKS,
    NUM_WARM,
    RANDOM,
    Efficiency,
    Job,
    Pool,
    Row,
    task_set,
    warm_points,
)
from harness.speed.race import BUDGET_EPOCHS, Finish, race

DEV, HELD_OUT = DEVELOPMENT_TASKS[0], "167161"


def found():
    """Two seeds on two tasks; one search of the second task has missed."""
    used = {(DEV, 0): 100, (DEV, 1): 300, (HELD_OUT, 0): 400, (HELD_OUT, 1): None}
    return {
        Job("gp", task, seed): Finish(epochs, num_trials=10, ask_s=0.5)
        for (task, seed), epochs in used.items()
    }


def made():
    random = efficiency._random_row({DEV: [2000, None], HELD_OUT: [1000, 1000]})
    row = efficiency._row("gp", found(), {DEV: 2000.0, HELD_OUT: 1100.0})
    return Efficiency(rows=(random, row), num_seeds=2, tasks=(DEV, HELD_OUT))


def test_a_row_has_means_over_seeds_and_a_miss_counts_twice_the_budget():
    row = made().rows[1]
    missed = (400 + 2 * BUDGET_EPOCHS) / 2
    assert row.speed_up == {DEV: pytest.approx(10.0), HELD_OUT: pytest.approx(1100 / missed)}
    assert row.hit_rate == 0.75
    assert row.ask_ms == pytest.approx(50)
    assert row.epochs == {DEV: [100, 300], HELD_OUT: [400, None]}
    assert row.mean([DEV]) == pytest.approx(10)
    assert row.mean([DEV, HELD_OUT]) == pytest.approx((10 * 0.5) ** 0.5)
    assert row.mean([]) is None


def test_random_search_is_as_a_long_count_says(bench, monkeypatch):
    """Every fourth configuration hits in its first epoch; four of them train side by side."""
    score_NE = np.zeros((efficiency.NUM_POOL, 52))
    score_NE[::4] = 1.0
    pool = Pool([], score_NE)
    monkeypatch.setattr(efficiency, "_pool", lambda task: pool)
    monkeypatch.setattr(Pool, "target", 1.0)
    epochs = efficiency._expected_random("3945")
    first_round = np.mean([used is not None and used <= 4 for used in epochs])
    assert first_round == pytest.approx(1 - 0.75**4, abs=0.03)
    assert min(used for used in epochs if used and used > 4) == 4 * 52 + 1


def test_a_warm_start_is_of_other_development_tasks():
    pools = {
        task: Pool([{"task": task, "number": n} for n in range(9)], np.arange(9.0)[:, None])
        for task in DEVELOPMENT_TASKS
    }
    points = [warm_points(pools.__getitem__, DEV, seed) for seed in range(20)]
    assert all(len(each) == NUM_WARM for each in points)
    assert {point["task"] for each in points for point in each} == set(DEVELOPMENT_TASKS) - {DEV}
    assert all(point["number"] == 8 for each in points for point in each), "the best"
    assert warm_points(pools.__getitem__, DEV, 3) == points[3]


def test_it_is_told_how_far_the_races_are():
    jobs = [Job(way, DEV, seed) for way in ("gp", "random") for seed in range(40)]
    news = [efficiency._news(job, jobs[: number + 1], jobs) for number, job in enumerate(jobs)]
    told = [line for line in news if line is not None]
    assert len(told) == efficiency.NUM_NEWS
    assert told[0] == "4 of 80 races; harness, `gp`: 36 races to go"
    assert news[39] == "40 of 80 races; harness, `gp`: all of its races are over"
    assert news[-1] is not None


def test_sets_of_tasks():
    assert task_set("held-out") == "held-out"
    with pytest.raises(HarnessError, match="dev, held-out, all"):
        task_set("mine")


def test_ours_needs_fewer_trial_epochs_than_random_search_and_warm_still_fewer(bench):
    """Of two tasks; random search needs over 2,000."""
    pools = {task: efficiency.draw_pool(bench, task, 300) for task in DEVELOPMENT_TASKS[:5]}

    def cost(way, task, seed):
        points = list(warm_points_of(pools, task)) if WAYS[way].is_warm else []
        contender = WAYS[way].make(bench.space(WAYS[way].settings), seed, points)
        finish = race(contender, lambda values: bench.curves(task, [values])[0], pools[task].target)
        return finish.cost_epochs

    cold, warm = (
        np.mean([cost(way, task, seed) for task in DEVELOPMENT_TASKS[:2] for seed in (0,)])
        for way in ("gp", "gp-warm")
    )
    assert cold < 1000
    assert warm < cold


def warm_points_of(pools, task):
    for other, pool in pools.items():
        if other != task:
            yield pool.points[int(np.argmax(pool.score_NE[:, -1]))]


def test_random_row_is_one_by_definition():
    row = made().rows[0]
    assert isinstance(row, Row)
    assert (row.way, row.worst, row.mean([DEV])) == (RANDOM, 1.0, 1.0)
