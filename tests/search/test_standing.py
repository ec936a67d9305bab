"""How a search stands, whoever reads its folder."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.core.ledger import Ledger, LedgerLine
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


def test_files_that_go_while_they_are_counted_are_no_fault(folder, monkeypatch):
    """Workers replace checkpoints, and Ray removes its folder, whenever it pleases them."""
    gone = folder / "t0005-gone" / ".last.ckpt.1.partial.ckpt"
    gone.parent.mkdir()
    gone.write_bytes(b"half")
    lstat, stat = Path.lstat, Path.stat

    def lose(path, **options):
        if path == gone and not options:
            found = stat(path)
            gone.unlink(missing_ok=True)
            return found
        return stat(path, **options)

    def lose_before(path):
        gone.unlink(missing_ok=True)
        return lstat(path)

    monkeypatch.setattr(Path, "stat", lose)  # which `is_file` asks
    monkeypatch.setattr(Path, "lstat", lose_before)
    assert standing_of(folder).num_bytes > 0


def test_a_driver_that_died_holds_no_gpu_any_more(folder):
    running = trial_dirs(folder)[-1]
    begun = datetime.now(UTC) - timedelta(hours=9)
    line = LedgerLine(
        trial=running.path.name, outcome=Outcome.RUNNING, gpus=1.0, at=begun.isoformat()
    )
    Ledger(folder / "ledger.jsonl").append(line)
    for path in running.path.iterdir():
        os.utime(path, times=((begun + timedelta(hours=2)).timestamp(),) * 2)
    assert standing_of(folder).gpu_hours == pytest.approx(2, abs=0.01)
    with held(folder / "lock"):
        assert standing_of(folder).gpu_hours == pytest.approx(9, abs=0.01)


def test_the_driver_is_named_while_there_is_one(folder):
    assert standing_of(folder).driver == ""
    with held(folder / "lock"):
        assert standing_of(folder).driver != ""
