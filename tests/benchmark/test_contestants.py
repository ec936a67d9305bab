import json
import shutil

import pytest

from harness.benchmark.contestants import contestants, without_seed_and_store
from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from tests.benchmark.conftest import STORE, Lab, make_space


def labels(plan: BenchmarkPlan, lab: Lab) -> list[str]:
    return [row.label for row in contestants(plan, lab.results)]


def test_the_winner_stands_beside_the_default_point(lab: Lab, plan: BenchmarkPlan) -> None:
    tuned, published, same = contestants(plan, lab.results)
    assert [tuned.label, published.label] == ["alpha (tuned)", "alpha (published)"]
    assert tuned.recipe.optim.lr == 1e-4
    assert tuned.changes == {"optim.lr": (5e-5, 1e-4)}
    assert published.recipe == without_seed_and_store(make_space("alpha").default_recipe)
    assert (tuned.is_default, tuned.is_winner) == (False, True)
    assert (published.is_default, published.is_winner) == (True, False)
    assert same.label == "beta (default = tuned)"
    assert same.is_default
    assert same.is_winner


def test_only_a_published_default_point_is_called_so(lab: Lab) -> None:
    """`delta` is around a published recipe that `--set` has changed, `epsilon` around our own."""
    trials = [(5e-5, 0.70), (1e-4, 0.80)]
    changed = make_space("delta").with_base({"train.epochs": 5})
    lab.add_search("gamma", trials)
    lab.add_search("delta", trials, space=changed)
    lab.add_search("epsilon", trials, space=make_space("beta"))
    plan = BenchmarkPlan(name="p", searches=("gamma", "delta", "epsilon"))
    rows = [row for row in contestants(plan, lab.results) if not row.is_winner]
    assert [row.label for row in rows] == [
        "gamma (published)", "delta (default)", "epsilon (default)",
    ]  # fmt: skip
    assert [row.slug for row in rows] == ["gamma-published", "delta-default", "epsilon-default"]
    assert all(row.is_default for row in rows)


def test_a_default_point_that_won_is_named_by_the_same_rule(lab: Lab) -> None:
    lab.add_search("gamma", [(5e-5, 0.9), (1e-4, 0.8)])
    rows = contestants(BenchmarkPlan(name="p", searches=("gamma", "beta")), lab.results)
    assert [row.label for row in rows] == ["gamma (published = tuned)", "beta (default = tuned)"]
    assert [row.slug for row in rows] == ["gamma-published", "beta-default"]


def test_an_old_search_that_does_not_say_it_was_published_is_not_called_so(lab: Lab) -> None:
    path = lab.results / "searches" / "alpha" / "search.json"
    facts = json.loads(path.read_text())
    del facts["space"]["published"]
    path.write_text(json.dumps(facts))
    plan = BenchmarkPlan(name="p", searches=("alpha",))
    assert labels(plan, lab) == ["alpha (tuned)", "alpha (default)"]


@pytest.mark.parametrize(
    ("weights", "network"),
    [
        ("imagenet", "densenet121.tv_in1k"),
        ("none", "densenet121, from scratch"),
        ("/lab/weights/chexpert.v2.pth", "densenet121, from chexpert.v2.pth"),
    ],
)
def test_a_network_is_named_with_the_weights_it_had(lab: Lab, weights: str, network: str) -> None:
    space = make_space("gamma").with_base({"model.weights": weights})
    lab.add_search("gamma", [(5e-5, 0.7)], space=space)
    (row,) = contestants(BenchmarkPlan(name="p", searches=("gamma",)), lab.results)
    assert row.network == network


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


def test_default_points_can_stay_away(lab: Lab) -> None:
    plan = BenchmarkPlan(name="p", searches=("alpha", "beta"), published=False)
    assert labels(plan, lab) == ["alpha (tuned)", "beta (default = tuned)"]


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


RETRY = "`harness retry gamma` reopens failed and cancelled trials"
AGAIN = "the same `harness search` command continues unfinished ones"
MORE = "the same `harness search` command with more --trials makes new ones"


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        (["failed"] * 3, f"(3 failed): {RETRY}"),
        (["failed", "cancelled", "pruned"], f"(1 failed, 1 cancelled, 1 pruned): {RETRY}"),
        (["preempted", "running", "queued"], f"(3 unfinished): {AGAIN}"),
        (["failed", "preempted"], f"(1 failed, 2 unfinished): {RETRY}; {AGAIN}"),
        ([], f"(3 unfinished): {AGAIN}"),
        (["pruned"] * 3, f"(3 pruned): {MORE}"),
        (["completed"] * 3, f"(3 without a score): {MORE}"),
    ],
)
def test_where_no_trial_can_be_chosen_the_ways_on_are_told(
    lab: Lab, outcomes: list[str], told: str
) -> None:
    """Three trials were planned."""
    folder = lab.add_search("gamma", [(5e-5, 0.7), (1e-4, 0.8), (1e-3, 0.9)])
    for place, path in enumerate(sorted(folder.glob("t*"))):
        if place < len(outcomes):
            (path / "record.json").unlink()
            RunDirectory(path).set_status(Status(outcome=Outcome(outcomes[place])))
        else:
            shutil.rmtree(path)
    with pytest.raises(HarnessError) as caught:
        contestants(BenchmarkPlan(name="p", searches=("gamma",)), lab.results)
    assert str(caught.value) == f"search 'gamma' has no completed trial in {folder} {told}"


def test_trials_that_cannot_be_read_are_counted(lab: Lab) -> None:
    folder = lab.add_search("gamma", [(5e-5, 0.7)], num_planned=1)
    next(folder.glob("t*/status.json")).write_text("{")
    with pytest.raises(HarnessError, match=r"gamma \(1 unreadable\): "):
        contestants(BenchmarkPlan(name="p", searches=("gamma",)), lab.results)


def test_a_folder_that_is_no_search_is_refused_in_one_line(lab: Lab, plan: BenchmarkPlan) -> None:
    (lab.results / "searches/alpha/search.json").write_text('{"space": {}}')
    with pytest.raises(HarnessError, match=r"search\.json: not a search") as caught:
        contestants(plan, lab.results)
    assert "\n" not in str(caught.value)


def test_trials_from_before_a_change_of_the_images_do_not_win(
    lab: Lab, plan: BenchmarkPlan
) -> None:
    """`--accept-changes` lets a search go on with another store; its plan names that one."""
    path = lab.results / "searches" / "alpha" / "search.json"
    path.write_text(path.read_text().replace(STORE, "6" * 64))
    with pytest.raises(HarnessError, match="search 'alpha' has no completed trial"):
        contestants(plan, lab.results)


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
    assert (row.is_default, row.is_winner, row.origin) == (True, False, None)


def test_a_shipped_space_of_our_own_is_not_called_published(lab: Lab) -> None:
    plan = BenchmarkPlan(name="p", recipes=("vit_small", "vit-mini"))
    assert labels(plan, lab) == ["vit_small (default)", "vit-mini (default)"]


def test_an_unknown_space_is_answered_with_the_nearest(lab: Lab) -> None:
    with pytest.raises(HarnessError, match=r"'chexnt' \(did you mean 'chexnet'"):
        contestants(BenchmarkPlan(name="p", recipes=("chexnt",)), lab.results)


def test_searches_of_different_lengths_are_no_fair_comparison(lab: Lab) -> None:
    lab.add_search("short", [(5e-5, 0.7), (1e-4, 0.6)], num_planned=2)
    plan = BenchmarkPlan(name="p", searches=("alpha", "short"))
    with pytest.raises(HarnessError, match=r"alpha 3, short 2.*--trials 3.*--unequal-budgets"):
        contestants(plan, lab.results)
    rows = contestants(plan.with_options(unequal_budgets=True), lab.results)
    assert [row.origin.num_planned for row in rows if row.origin and row.is_winner] == [3, 2]
