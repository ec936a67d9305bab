"""What a search is, and what may change between two calls of it."""

import pytest

from harness.core.errors import HarnessError
from harness.core.run_dir import RunDirectory
from harness.search.plan import check_plan, find_search, read_plan, write_plan
from harness.search.trial_source import TrialSource
from tests.search.clerk import Clerk, plan_of


def test_a_changed_search_is_refused_with_what_changed_unless_accepted(tmp_path):
    plan = plan_of(tmp_path, code={"torch": "2.15.0", "sources": "abc"})
    write_plan(plan, tmp_path)
    other = plan.model_copy(
        update={
            "code": {"torch": "2.16.0", "sources": "abc"},
            "store_fingerprint": "0" * 64,
            "space": plan.space.with_search({"sampler": "random"}),
        }
    )
    with pytest.raises(HarnessError, match="--accept-changes") as caught:
        check_plan(other, tmp_path)
    for told in ("code.torch was '2.15.0', is '2.16.0'", "sampler was 'gp'", "store_fingerprint"):
        assert told in str(caught.value)
    assert len(check_plan(other, tmp_path, accept_changes=True)) == 3
    free = plan.model_copy(update={"num_trials": 99, "keep": 1})
    assert check_plan(free, tmp_path) == []


def test_a_changed_recipe_is_told_with_its_path(tmp_path):
    plan = plan_of(tmp_path)
    write_plan(plan, tmp_path)
    space = plan.space.with_base({"train.batch_size": 16})
    with pytest.raises(HarnessError, match=r"space\.base\.train\.batch_size was 32, is 16"):
        check_plan(plan.model_copy(update={"space": space}), tmp_path)


def test_a_plan_that_is_damaged_is_told_in_one_line(tmp_path):
    (tmp_path / "search.json").write_text("{\n")
    with pytest.raises(HarnessError, match=r"search\.json: not a search \([^\n]*\)$"):
        read_plan(tmp_path)


def test_a_search_that_is_not_there_is_told_with_the_nearest(tmp_path):
    write_plan(plan_of(tmp_path, name="dannynet"), tmp_path / "searches" / "dannynet")
    assert find_search("dannynet", tmp_path) == tmp_path / "searches" / "dannynet"
    with pytest.raises(HarnessError, match="did you mean 'dannynet'"):
        find_search("danynet", tmp_path)


def test_seeds_differ_by_point_and_follow_from_the_seed_of_the_search(tmp_path):
    plan = plan_of(tmp_path, num_trials=5)
    Clerk(TrialSource(plan, tmp_path)).work()
    seeds = [RunDirectory(path).recipe.seed for path in sorted(tmp_path.glob("t0*"))]
    assert len(set(seeds)) == 5
    other = plan.model_copy(update={"seed": 4})
    assert other.default_recipe.seed != plan.default_recipe.seed == seeds[0]
