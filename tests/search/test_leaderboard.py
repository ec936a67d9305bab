"""The order of trials, and how they are counted and summed up."""

import pytest

from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.search.leaderboard import (
    count_outcomes,
    describe_counts,
    leaderboard,
    leaderboard_row,
    rank,
    summarize,
    trial_dirs,
    trial_number,
)
from tests.search.made_search import make_search


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A search of six trials, the last two of which were pruned."""
    folder = tmp_path_factory.mktemp("search") / "toy"
    return folder, make_search(folder, num_trials=6, pruned=range(4, 6))


def test_completed_trials_come_first_and_each_group_best_first(made):
    folder, plan = made
    board = leaderboard(folder, plan.default_recipe)
    assert [trial.status.outcome for trial in board] == [Outcome.COMPLETED] * 4 + [
        Outcome.PRUNED
    ] * 2
    for group in (board[:4], board[4:]):
        scores = [trial.score for trial in group]
        assert scores == sorted(scores, reverse=True)


def test_equal_scores_are_in_the_order_of_the_names(made):
    folder, plan = made
    first, second, *_ = leaderboard(folder, plan.default_recipe)
    alike = [trial.__class__(**vars(trial) | {"score": 0.5}) for trial in (second, first)]
    assert [trial.name for trial in rank(alike)] == sorted([first.name, second.name])


def test_trial_0_changed_nothing_and_a_row_tells_what_others_changed(made):
    folder, plan = made
    by_number = {trial_number(t.name): t for t in leaderboard(folder, plan.default_recipe)}
    assert by_number[0].changes == {}
    row = leaderboard_row(by_number[1])
    assert row["trial"] == by_number[1].name
    assert (row["outcome"], row["epochs"]) == ("completed", 6)
    assert row["optim.lr"] == by_number[1].recipe.optim.lr != plan.default_recipe.optim.lr


def test_a_trial_on_another_store_is_of_another_measure(made):
    folder, plan = made
    published = plan.default_recipe.with_values({"data.store": "0" * 64})
    assert all(summarize(run, published) is None for run in trial_dirs(folder))


def test_a_trial_before_its_first_epoch_has_no_score_and_comes_last(made, tmp_path):
    folder, plan = made
    run = RunDirectory(tmp_path / "t0007-abcdef")
    run.path.mkdir()
    run.write_recipe(plan.default_recipe)
    run.set_status(Status(outcome=Outcome.RUNNING))
    begun = summarize(run, plan.default_recipe)
    assert (begun.score, begun.num_epochs) == (None, 0)
    assert rank([begun, *leaderboard(folder, plan.default_recipe)])[-1] == begun
    assert leaderboard_row(begun)[SCORE] is None


def test_trials_are_counted_in_words(made):
    folder, plan = made
    counts = count_outcomes(leaderboard(folder, plan.default_recipe))
    assert describe_counts(counts, 2) == "8 trials: 4 completed, 2 pruned, 2 to run"
    assert describe_counts({}, 1) == "1 trial: 1 to run"
