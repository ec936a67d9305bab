import shutil

import pytest

from harness.benchmark.contestants import contestants, published_recipe
from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from tests.benchmark.conftest import Lab, make_space


def labels(plan: BenchmarkPlan, lab: Lab) -> list[str]:
    return [row.label for row in contestants(plan, lab.results)]


def test_the_winner_stands_beside_the_published_recipe(lab: Lab, plan: BenchmarkPlan) -> None:
    tuned, published, same = contestants(plan, lab.results)
    assert [tuned.label, published.label] == ["alpha (tuned)", "alpha (published)"]
    assert tuned.recipe.optim.lr == 1e-4
    assert tuned.changes == {"optim.lr": (5e-5, 1e-4)}
    assert published.recipe == published_recipe(make_space("alpha"))
    assert (tuned.is_published, tuned.is_winner) == (False, True)
    assert (published.is_published, published.is_winner) == (True, False)
    assert same.label == "beta (published = tuned)"
    assert same.is_published
    assert same.is_winner


def test_a_contestant_tells_the_trial_it_comes_from(lab: Lab, plan: BenchmarkPlan) -> None:
    tuned, published, _ = contestants(plan, lab.results)
    assert tuned.origin is not None
    assert published.origin is not None
    assert tuned.origin.trial.startswith("t0002-")
    assert (tuned.origin.search, tuned.origin.score, tuned.origin.num_trials) == ("alpha", 0.80, 3)
    assert published.origin.trial.startswith("t0000-")
    assert published.origin.score == 0.70


def test_a_recipe_holds_neither_seed_nor_store(lab: Lab, plan: BenchmarkPlan) -> None:
    for row in contestants(plan, lab.results):
        assert (row.recipe.seed, row.recipe.data.store) == (0, "")


def test_published_recipes_can_stay_away(lab: Lab) -> None:
    plan = BenchmarkPlan(name="p", searches=("alpha", "beta"), published=False)
    assert labels(plan, lab) == ["alpha (tuned)", "beta (published = tuned)"]


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.COMPLETED])
def test_only_completed_trials_can_win(lab: Lab, plan: BenchmarkPlan, outcome: Outcome) -> None:
    best = next((lab.results / "searches/alpha").glob("t0002-*"))
    RunDirectory(best).set_status(Status(outcome=outcome))
    assert labels(plan, lab)[0] == "alpha (published = tuned)"


def test_the_winner_is_the_same_whatever_the_test_files_say(lab: Lab, plan: BenchmarkPlan) -> None:
    before = contestants(plan, lab.results)
    for path in (lab.results / "searches").glob("*/t*"):
        (path / "test.json").write_text('{"macro": {"auroc": 0.99}}')
    assert contestants(plan, lab.results) == before
    for path in (lab.results / "searches").glob("*/t*/test.json"):
        path.unlink()
    assert contestants(plan, lab.results) == before


def test_a_broken_trial_is_left_out(lab: Lab, plan: BenchmarkPlan) -> None:
    best = next((lab.results / "searches/alpha").glob("t0002-*"))
    (best / "record.json").write_text("{")
    assert labels(plan, lab)[0] == "alpha (published = tuned)"


def test_an_unknown_search_is_answered_with_the_nearest_and_all(lab: Lab) -> None:
    plan = BenchmarkPlan(name="p", searches=("alhpa",))
    with pytest.raises(HarnessError, match=r"did you mean 'alpha'.*there are alpha, beta"):
        contestants(plan, lab.results)


def test_without_any_search_the_command_is_named(lab: Lab, plan: BenchmarkPlan) -> None:
    shutil.rmtree(lab.results)
    with pytest.raises(HarnessError, match="run `harness search` first"):
        contestants(plan, lab.results)


def test_a_search_without_a_completed_trial_is_refused(lab: Lab) -> None:
    lab.add_search("gamma", [])
    with pytest.raises(HarnessError, match="'gamma' has no completed trial"):
        contestants(BenchmarkPlan(name="p", searches=("gamma",)), lab.results)


def test_a_folder_that_is_no_search_is_refused_in_one_line(lab: Lab, plan: BenchmarkPlan) -> None:
    (lab.results / "searches/alpha/search.json").write_text('{"space": {}}')
    with pytest.raises(HarnessError, match=r"search\.json: not a search") as caught:
        contestants(plan, lab.results)
    assert "\n" not in str(caught.value)


def test_searches_on_other_images_are_not_comparable(lab: Lab) -> None:
    lab.add_search("gamma", [(5e-5, 0.7)], store="6" * 64)
    with pytest.raises(
        HarnessError, match=r"alpha chose on image store \w{8}, gamma on .* 66666666"
    ):
        contestants(BenchmarkPlan(name="p", searches=("alpha", "gamma")), lab.results)


def test_a_recipe_that_comes_twice_is_one_row_with_both_labels(lab: Lab) -> None:
    lab.add_search("gamma", [(5e-5, 0.9), (1e-3, 0.6)])
    plan = BenchmarkPlan(name="p", searches=("alpha", "gamma"))
    _, both = contestants(plan, lab.results)
    assert both.label == "alpha (published), gamma (published = tuned)"
    assert both.is_winner
    assert both.origin is not None
    assert (both.origin.search, both.origin.score) == ("gamma", 0.9)


def test_the_default_point_of_a_shipped_space_can_compete_without_a_search(lab: Lab) -> None:
    plan = BenchmarkPlan(name="p", searches=("beta",), recipes=("chexnet",))
    *_, row = contestants(plan, lab.results)
    assert row.label == "chexnet (published)"
    assert row.recipe.loss.name == "bce"
    assert (row.is_published, row.is_winner, row.origin) == (True, False, None)


def test_an_unknown_space_is_answered_with_the_nearest(lab: Lab) -> None:
    with pytest.raises(HarnessError, match=r"'chexnt' \(did you mean 'chexnet'"):
        contestants(BenchmarkPlan(name="p", recipes=("chexnt",)), lab.results)
