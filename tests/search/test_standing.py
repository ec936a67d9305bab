"""How a search stands, whoever reads its folder."""

import pytest

from harness.core.locks import held
from harness.core.records import Outcome, Status
from harness.search.leaderboard import trial_dirs
from harness.search.plan import write_plan
from harness.search.standing import standing_of
from tests.search.made_search import make_search


@pytest.fixture
def folder(tmp_path):
    """Of eight trials six were begun; two of these have failed, another runs."""
    plan = make_search(tmp_path / "toy", num_trials=6)
    write_plan(plan.model_copy(update={"num_trials": 8}), tmp_path / "toy")
    *_, fifth, failed, running = trial_dirs(tmp_path / "toy")
    for run in (fifth, failed):
        run.set_status(Status(outcome=Outcome.FAILED, message="lost"))
    running.set_status(Status(outcome=Outcome.RUNNING))
    return tmp_path / "toy"


def test_what_ran_what_runs_and_what_is_left(folder):
    found = standing_of(folder)
    assert found.counts == {Outcome.COMPLETED: 3, Outcome.FAILED: 2, Outcome.RUNNING: 1}
    assert found.num_new == 2
    assert [trial.name[:5] for trial in found.running] == ["t0005"]
    assert sorted(trial.name[:5] for trial in found.failed) == ["t0003", "t0004"]
    everything = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert found.num_bytes == everything


def test_the_best_is_that_of_the_scores_whatever_became_of_the_trial(folder):
    found = standing_of(folder)
    scores = [trial.score for trial in (*found.running, *found.failed, found.best)]
    assert found.best.score == max(scores)


def test_the_driver_is_named_while_there_is_one(folder):
    assert standing_of(folder).driver == ""
    with held(folder / "lock"):
        assert standing_of(folder).driver != ""
