"""Spaces with few points: counted before the first trial, and tried to the last one."""

import pytest

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.space import SearchSpace
from harness.search import trial_source
from harness.search.points import all_points, check_room
from harness.search.trial_source import TrialSource
from tests.search.clerk import Clerk, CutError, plan_of

LOSS = {"kind": "choice", "choices": ["bce", "focal"], "default": "focal"}
GAMMA = {
    "kind": "choice",
    "choices": [0.0, 1.0, 2.0],
    "default": 2.0,
    "when": {"loss.name": "focal"},
}
PATIENCE = {"kind": "int", "low": 0, "high": 1, "default": 1}


def space_of(parameters):
    tree = SearchSpace.load("dannynet-mini").model_dump(mode="json")
    return SearchSpace.model_validate(tree | {"space": parameters})


def test_points_of_choices_whole_numbers_and_conditions_are_counted():
    space = space_of({"loss.name": LOSS, "loss.gamma": GAMMA, "schedule.patience": PATIENCE})
    points = all_points(space)
    assert len(points) == (1 + 3) * 2
    assert {"loss.name": "bce", "schedule.patience": 0} in points
    assert all(space.active(point) == point for point in points)


def test_a_range_of_one_number_is_one_point_and_a_wider_one_is_not_counted():
    lr = {"kind": "float", "low": 1e-3, "high": 1e-3, "default": 1e-3}
    assert all_points(space_of({"optim.lr": lr})) == [{"optim.lr": 1e-3}]
    assert all_points(space_of({"optim.lr": lr | {"high": 2e-3}})) is None
    many = {"kind": "int", "low": 1, "high": 10**9, "default": 8}
    assert all_points(space_of({"train.batch_size": many})) is None


def test_more_trials_than_points_are_refused_before_the_first(tmp_path):
    plan = plan_of(tmp_path, num_trials=4, space=space_of({"loss.name": LOSS, "loss.gamma": GAMMA}))
    check_room(plan, tmp_path)
    more = plan.model_copy(update={"num_trials": 5})
    with pytest.raises(HarnessError, match="holds 4 points; ask for --trials 4"):
        check_room(more, tmp_path)
    with pytest.raises(CutError):
        Clerk(TrialSource(plan, tmp_path), cut=20).work()
    assert Ledger(tmp_path / "ledger.jsonl").trials
    check_room(plan, tmp_path)
    with pytest.raises(HarnessError, match="--trials 4"):
        check_room(more, tmp_path)


def test_the_last_points_are_found_where_chance_does_not_find_them(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_source, "NUM_ASKS_FOR_A_NEW_POINT", 1)
    batch = {"kind": "int", "low": 1, "high": 40, "default": 8}
    plan = plan_of(tmp_path, num_trials=40, space=space_of({"train.batch_size": batch}))
    source = TrialSource(plan, tmp_path)
    sizes = {source.next_run().recipe.train.batch_size for _ in range(40)}
    assert sizes == set(range(1, 41))
