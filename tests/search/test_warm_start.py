"""Winners of earlier searches as first points: the best, fitted, and never from anything else."""

import pytest

from harness.core.errors import HarnessError
from harness.core.records import Outcome
from harness.core.space import SearchSpace
from harness.search.leaderboard import leaderboard
from harness.search.plan import check_plan, read_plan, write_plan
from harness.search.trial_source import TrialSource
from harness.search.warm_start import NUM_POINTS, fit, warm_start
from tests.search.made_search import SPACE, final_auroc, make_search


def narrow_space(**lr):
    tree = SPACE.model_dump(mode="json")
    tree["space"]["optim.lr"] |= lr
    return SearchSpace.model_validate(tree)


@pytest.fixture
def results(tmp_path):
    """Two searches of 8 trials each, of which the second's good half was pruned."""
    for name, pruned in (("a", range(0)), ("b", range(1, 5))):
        make_search(tmp_path / "searches" / name, num_trials=8, pruned=pruned)
    return tmp_path


def best_of(results, name):
    folder = results / "searches" / name
    board = leaderboard(folder, read_plan(folder).default_recipe)
    return [trial for trial in board if trial.status.outcome is Outcome.COMPLETED]


def test_the_best_completed_trials_come_first_in_turn_from_each(results):
    told = []
    found = warm_start(SPACE, ["a", "b"], results, told.append)
    best = {name: best_of(results, name) for name in "ab"}
    origins = [point.origin for point in found.points]
    assert found.searches == ("a", "b")
    assert len(origins) == NUM_POINTS == len(told)
    assert origins[0] == f"a/{best['a'][0].name}"
    assert all(
        origin.split("/")[1] in {trial.name for trial in best[origin[0]]} for origin in origins
    )
    scores = [final_auroc(point.values) for point in found.points if point.origin[0] == "a"]
    assert scores == sorted(scores, reverse=True)


def test_every_search_gives_its_winner_even_where_there_are_many(results):
    for name in "cdef":
        make_search(results / "searches" / name, num_trials=4 + ord(name) % 4)
    found = warm_start(SPACE, list("acdef"), results, lambda line: None)
    points = [tuple(point.values.items()) for point in found.points]
    assert len(set(points)) == len(points) <= 5


def test_values_are_clipped_or_left_out_in_words(results):
    space = narrow_space(high=3e-3, low=9e-4, default=1e-3)
    values, changes = fit(space, {"optim.lr": 0.1, "loss.gamma": 1.0})
    assert values["optim.lr"] == 3e-3
    assert values["loss.gamma"] == 1.0
    assert values["augment.jitter"] == space.space["augment.jitter"].default
    assert changes == ["optim.lr 0.1 is clipped to 0.003"]
    assert space.active(values) == values


def test_a_choice_that_is_not_there_is_left_out():
    tree = SPACE.model_dump(mode="json")
    tree["space"]["train.batch_size"] = {"kind": "choice", "choices": [8, 16], "default": 8}
    values, changes = fit(SearchSpace.model_validate(tree), {"train.batch_size": 64})
    assert values["train.batch_size"] == 8
    assert changes == ["train.batch_size 64 is left out"]


def test_trial_0_stays_the_default_point_and_the_winners_follow(results):
    found = warm_start(SPACE, ["a"], results, lambda line: None)
    folder = results / "searches" / "new"
    plan = read_plan(results / "searches" / "a").model_copy(
        update={"name": "new", "warm_start": found}
    )
    write_plan(plan, folder)
    source = TrialSource(plan, folder)
    runs = [source.next_run() for _ in range(2 + len(found.points))]
    assert runs[0].values == SPACE.default_values()
    assert [run.values for run in runs[1:-1]] == [point.values for point in found.points]
    assert runs[-1].values not in [run.values for run in runs[:-1]]


def test_another_warm_start_is_another_search_and_points_follow_from_the_names(results):
    found = warm_start(SPACE, ["a"], results, lambda line: None)
    plan = read_plan(results / "searches" / "a").model_copy(update={"warm_start": found})
    write_plan(plan, results / "searches" / "a")
    other = plan.model_copy(update={"warm_start": found.model_copy(update={"searches": ("b",)})})
    with pytest.raises(HarnessError, match=r"warm_start\.searches was \['a'\], is \['b'\]"):
        check_plan(other, results / "searches" / "a")
    fewer = plan.model_copy(update={"warm_start": found.model_copy(update={"points": ()})})
    assert check_plan(fewer, results / "searches" / "a") == []


def test_what_cannot_be_started_from_is_told(results):
    make_search(results / "searches" / "none", num_trials=3, pruned=range(3))
    other = SPACE.model_dump(mode="json")
    other["space"] = {"train.batch_size": {"kind": "choice", "choices": [8, 16], "default": 8}}
    apart = SearchSpace.model_validate(other)
    for space, name, words in (
        (SPACE, "c", "no search 'c'"),
        (SPACE, "none", "none of its trials has completed"),
        (apart, "a", "searches none of these"),
    ):
        with pytest.raises(HarnessError, match=words):
            warm_start(space, [name], results, lambda line: None)
