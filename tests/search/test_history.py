"""The course of a search, read back from a folder written as drivers and workers write it."""

import logging
import shutil

import pytest

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.records import Evaluation, Outcome, RunRecord, Status
from harness.core.run_dir import RunDirectory
from harness.search.control import LEDGER_FILE
from harness.search.history import search_history
from harness.search.leaderboard import leaderboard, trial_dirs
from harness.search.samplers import distribution
from tests.search.made_search import EPOCH_S, final_auroc, make_search, make_trial

PRUNED = range(3, 6)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searches") / "toy"
    return folder, make_search(folder, pruned=PRUNED)


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it, to be changed."""
    shutil.copytree(made[0], tmp_path / "toy")
    return tmp_path / "toy"


def test_trials_come_in_the_order_of_their_numbers_with_their_values_and_curves(made):
    folder, plan = made
    history, ledger = search_history(folder), Ledger(folder / LEDGER_FILE)
    assert (history.name, history.space, history.num_trials) == ("toy", "dannynet-mini", 16)
    assert [trial.name[:5] for trial in history.trials] == [f"t{n:04}" for n in range(16)]
    assert history.trials[0].values == plan.space.default_values()
    for number, trial in enumerate(history.trials):
        is_pruned = number in PRUNED
        assert trial.outcome is (Outcome.PRUNED if is_pruned else Outcome.COMPLETED)
        assert len(trial.val_auroc) == (2 if is_pruned else 6)
        assert trial.values == ledger.values(trial.name)
        top = final_auroc(trial.values)
        assert trial.val_auroc[0] == pytest.approx(top - 0.1)
        assert trial.score == trial.val_auroc[-1]


def test_the_winner_is_the_first_of_the_leaderboard(made):
    folder, plan = made
    winner = search_history(folder).winner
    assert winner is not None
    assert winner.name == leaderboard(folder, plan.default_recipe)[0].name


def test_a_pruned_trial_cannot_win(folder):
    history = search_history(folder)
    best = next(trial for trial in history.trials if trial == history.winner)
    RunDirectory(folder / best.name).set_status(Status(outcome=Outcome.PRUNED))
    second = search_history(folder).winner
    assert second is not None
    assert second.name != best.name
    assert second.score <= best.score


def test_the_learning_rate_decided_and_is_found(made):
    folder, plan = made
    history = search_history(folder)
    assert next(iter(history.importance)) == "optim.lr"
    assert set(history.log_scaled) == {
        path for path, each in plan.space.space.items() if getattr(distribution(each), "log", False)
    }


def test_hours_are_those_of_the_epochs_and_of_a_record_where_there_is_one(folder):
    history = search_history(folder)
    num_epochs = 13 * 6 + 3 * 2
    assert history.hours == pytest.approx(num_epochs * EPOCH_S / 3600)
    assert history.device == "NVIDIA H100"
    run = trial_dirs(folder)[0]
    val = Evaluation(part="val", threshold_rule="f1", num_images=1, num_patients=1, findings={},
                     macro={})  # fmt: skip
    run.write_record(
        RunRecord(run_id="a" * 64, recipe=run.recipe, provenance=run.provenance, best_epoch=6,
                  num_epochs=6, duration_s=6 * EPOCH_S + 3600, metrics={}, val=val)
    )  # fmt: skip
    assert search_history(folder).hours == pytest.approx(history.hours + 1)


def test_a_damaged_trial_is_left_out_with_a_warning(folder, caplog):
    whole = search_history(folder)
    bad = folder / whole.trials[4].name
    (bad / "metrics.jsonl").write_text("{}\n")
    with caplog.at_level(logging.WARNING):
        history = search_history(folder)
    assert history.trials == whole.trials[:4] + whole.trials[5:]
    assert f"{bad.name} is left out" in caplog.text
    assert "damaged" in caplog.text


def test_a_folder_without_a_recipe_and_a_trial_on_other_images_do_not_count(folder, made):
    whole = search_history(folder)
    (folder / whole.trials[1].name / "recipe.json").unlink()
    plan = made[1].model_copy(update={"store_fingerprint": "e" * 64})
    make_trial(folder, plan, 16, plan.space.default_values(), Outcome.COMPLETED)
    assert search_history(folder).trials == whole.trials[:1] + whole.trials[2:]


def test_values_are_read_from_the_recipes_where_no_ledger_has_them(folder):
    whole = search_history(folder)
    (folder / LEDGER_FILE).unlink()
    assert search_history(folder) == whole


def test_a_search_that_has_just_begun(folder):
    for run in trial_dirs(folder)[1:]:
        shutil.rmtree(run.path)
    first = trial_dirs(folder)[0]
    (first.path / "metrics.jsonl").unlink()
    (first.path / "provenance.json").unlink()
    first.set_status(Status(outcome=Outcome.RUNNING))
    history = search_history(folder)
    assert [(t.outcome, t.val_auroc, t.score) for t in history.trials] == [
        (Outcome.RUNNING, (), None)
    ]
    assert (history.winner, history.hours, history.device) == (None, None, "")
    assert history.importance == {}


def test_a_folder_of_no_search_and_a_damaged_ledger_are_told(folder, tmp_path):
    with pytest.raises(HarnessError, match="not a search"):
        search_history(tmp_path)
    (folder / LEDGER_FILE).write_text("nonsense\n")
    with pytest.raises(HarnessError, match="not a line of a ledger"):
        search_history(folder)
