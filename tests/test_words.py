"""What words mean, where the command line and the Python interface say them alike."""

from pathlib import Path

import pytest

from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.core.space import SearchSpace
from harness.words import (
    checked_values,
    named_files,
    plan_of,
    recipe_of,
    settings_of,
    spaces_of,
)


def test_a_space_that_is_given_is_as_good_as_its_name():
    values = {"train.epochs": 4}
    by_name = spaces_of(["dannynet-mini"], "", values, sampler="random", scheduler=None)
    given = SearchSpace.load("dannynet-mini")
    assert spaces_of([given], "", values, sampler="random", scheduler=None) == by_name
    with pytest.raises(HarnessError, match="another of these spaces is named 'dannynet-mini', too"):
        spaces_of([given, "dannynet-mini"], "", {}, sampler=None, scheduler=None)


def test_few_epochs_fit_a_search_without_a_scheduler():
    """As the refusal of two epochs says: `or scheduler none`."""
    with pytest.raises(HarnessError, match="or scheduler none"):
        spaces_of(["dannynet-mini"], "", {"train.epochs": 2}, sampler=None, scheduler=None)
    (space,) = spaces_of(
        ["dannynet-mini"], "", {"train.epochs": 2}, sampler=None, scheduler="none"
    ).values()
    assert (space.base.train.epochs, space.search.scheduler) == (2, "none")


def test_a_recipe_is_the_default_point_with_values_in_it():
    recipe = recipe_of("dannynet", {"optim.lr": 1e-3}, seed=4)
    default = SearchSpace.load("dannynet").default_recipe
    assert default.differences(recipe) == {"optim.lr": (default.optim.lr, 1e-3), "seed": (0, 4)}


def test_values_with_an_option_of_their_own_are_refused():
    with pytest.raises(HarnessError, match=r"--set data\.store: give it by --data"):
        checked_values({"data.store": "x"})


def test_seeds_and_name_count_for_plans_of_every_kind():
    by_file, by_search = plan_of("nih", [], seeds=7), plan_of(None, ["a", "b"], seeds=7)
    assert by_file == BenchmarkPlan.load("nih").model_copy(update={"seeds": 7})
    assert (by_search.name, by_search.seeds) == ("a-vs-b", 7)
    assert plan_of(None, ["a"]).seeds == 3
    assert plan_of(by_file, [], name="mine") == by_file.model_copy(update={"name": "mine"})
    for plan, searches in ((None, []), ("nih", ["a"])):
        with pytest.raises(HarnessError, match="name a plan, or searches with --search NAME"):
            plan_of(plan, searches)
    with pytest.raises(HarnessError, match="begin with a letter"):
        plan_of("nih", [], name="../nih")


def test_files_are_named_once(tmp_path):
    (tmp_path / "theirs.csv").write_text("")
    found = named_files([str(tmp_path / "theirs.csv"), f"again={tmp_path}/theirs.csv"])
    assert found == dict.fromkeys(("theirs", "again"), tmp_path / "theirs.csv")
    with pytest.raises(HarnessError, match="the name 'theirs' is taken"):
        named_files([str(tmp_path / "theirs.csv")] * 2)


def test_a_file_of_weights_is_named_by_its_absolute_path():
    """Where the shell leaves `~` alone, as it does within an option, it is the home folder."""
    assert settings_of(["model.weights=~/w.pt"]) == {"model.weights": str(Path.home() / "w.pt")}
    assert settings_of(["model.weights=w.pt"]) == {"model.weights": str(Path.cwd() / "w.pt")}
    assert settings_of(["model.weights=none"]) == {"model.weights": "none"}
