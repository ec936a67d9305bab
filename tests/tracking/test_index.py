"""Runs are found again in MLflow: after crashes, when they were deleted, moved or are of others."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.tracking import Tracker, store_uri
from tests.tracking.conftest import epoch_report
from tests.tracking.told import (
    COMPLETED,
    MakeRun,
    Train,
    finish_again,
    live_course,
    parents_of,
    runs_of,
    steps_of,
)


@pytest.mark.parametrize(
    ("written", "status", "outcome"),
    [
        (Outcome.RUNNING, "KILLED", "preempted"),
        (None, "KILLED", "preempted"),
        (Outcome.PREEMPTED, "KILLED", "preempted"),
        (Outcome.PRUNED, "FINISHED", "pruned"),
        (Outcome.COMPLETED, "FINISHED", "completed"),
        (Outcome.FAILED, "FAILED", "failed"),
    ],
)
def test_at_the_start_of_a_job_runs_are_closed_by_their_directories(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    *,
    written: Outcome | None,
    status: str,
    outcome: str,
) -> None:
    run, other = make_run(), make_run(group="chexnet")
    killed = Tracker.open(results)
    for started in (run, other):
        killed.on_start(started)
    killed.flush()
    run.directory.append_epoch(epoch_report(1, 0.6))
    if written:
        run.directory.set_status(Status(outcome=written, message="as written"))
    Tracker.open(results).group("dannynet", "search")
    closed = {found.data.tags["harness.group"]: found for found in runs_of(client)}
    assert closed["dannynet"].info.status == status
    assert closed["dannynet"].data.tags["harness.outcome"] == outcome
    is_told = written not in (None, Outcome.RUNNING)
    message = "as written" if is_told else "the process that trained it ended"
    assert closed["dannynet"].data.tags["harness.message"] == message
    assert json.loads(closed["dannynet"].data.tags["harness.values"]) == run.values
    assert steps_of(client, closed["dannynet"].info.run_id) == [1]
    assert closed["chexnet"].info.status == "RUNNING"


def test_a_run_whose_folder_is_gone_is_closed_as_cancelled(
    results: Path, client: MlflowClient, make_run: MakeRun
) -> None:
    run, killed = make_run(), Tracker.open(results)
    killed.on_start(run)
    killed.flush()
    shutil.rmtree(run.directory.path)
    Tracker.open(results).group("dannynet", "search")
    [child] = runs_of(client)
    assert child.info.status == "KILLED"
    assert child.data.tags["harness.outcome"] == "cancelled"
    assert child.data.tags["harness.message"] == f"{run.directory.path} is gone"


def test_after_a_crash_and_a_resume_there_is_one_of_each_and_none_is_running(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    ended, cut, waiting = (make_run(f"t000{n}-a", lr=1e-3 / (1 + n)) for n in range(3))
    killed = Tracker.open(results)
    killed.group("dannynet", "search")
    live_course(killed, ended, train, (0.6, 0.7))
    killed.on_start(cut)
    for epoch in (1, 2, 3):  # the last checkpoint is of epoch 2
        killed.on_epoch(cut, epoch_report(epoch, 0.6))
    killed.flush()
    killed.on_epoch(cut, epoch_report(4, 0.6))  # never written: the driver dies

    resumed = Tracker.open(results)
    resumed.group("dannynet", "search")
    resumed.sync(ended)
    resumed.on_start(cut)
    for epoch in (3, 4, 5):
        resumed.on_epoch(cut, epoch_report(epoch, 0.6))
    resumed.on_end(cut, train(cut, (0.6,) * 5))
    live_course(resumed, waiting, train, (0.5,))
    resumed.end_group("dannynet", COMPLETED, [])
    [parent] = parents_of(client)
    assert parent.info.status == "FINISHED"
    for run, num_epochs in ((ended, 2), (cut, 5), (waiting, 1)):
        [child] = runs_of(client, run.name)
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        for metric in ("val/auroc_macro", "epoch", "train/loss"):
            assert steps_of(client, child.info.run_id, metric) == list(range(1, num_epochs + 1))


def test_a_run_that_the_end_of_a_group_finds_running_is_closed(
    results: Path, client: MlflowClient, make_run: MakeRun
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.group("dannynet", "search")
    tracker.on_start(run)
    tracker.end_group("dannynet", Status(outcome=Outcome.PREEMPTED), [])
    [parent], [child] = parents_of(client), runs_of(client)
    assert (parent.info.status, child.info.status) == ("KILLED", "KILLED")
    assert child.data.tags["harness.outcome"] == "preempted"


def test_a_run_that_is_trained_is_shown_even_if_it_was_deleted(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.group("dannynet", "search")
    tracker.on_start(run)
    tracker.flush()
    [deleted] = runs_of(client)
    client.delete_run(deleted.info.run_id)
    tracker.on_epoch(run, epoch_report(1, 0.6))
    tracker.flush()
    tracker.on_end(run, train(run, (0.6, 0.7)))
    tracker.end_group("dannynet", COMPLETED, [])
    [child] = runs_of(client)
    assert child.info.run_id != deleted.info.run_id
    assert steps_of(client, child.info.run_id) == [1, 2]


def test_an_ended_run_that_somebody_deleted_stays_deleted_until_it_is_restored(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = make_run()
    live_course(Tracker.open(results), run, train, (0.6, 0.7))
    [made] = runs_of(client)
    client.delete_run(made.info.run_id)
    finish_again(results, run)
    assert runs_of(client) == []
    assert "1 run(s) of dannynet were deleted there and stay so" in caplog.text
    caplog.clear()
    client.restore_run(made.info.run_id)
    finish_again(results, run)
    [restored] = runs_of(client)
    assert restored.info.run_id == made.info.run_id
    assert caplog.text == ""


def test_a_deleted_parent_is_made_again_and_takes_its_runs(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    run = make_run()
    live_course(Tracker.open(results), run, train, (0.6, 0.7))
    [deleted] = parents_of(client)
    client.delete_run(deleted.info.run_id)
    finish_again(results, run)
    [parent], [child] = parents_of(client), runs_of(client)
    assert parent.info.run_id != deleted.info.run_id
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert steps_of(client, child.info.run_id) == [1, 2]


def test_results_that_were_moved_are_continued(
    results: Path, make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    run = make_run()
    live_course(Tracker.open(results), run, train, (0.6, 0.7))
    moved = tmp_path / "moved"
    results.rename(moved)
    there = RunDirectory(moved / run.directory.path.relative_to(results))
    finish_again(moved, replace(run, directory=there))
    client = MlflowClient(store_uri(moved))
    [child] = runs_of(client)
    assert child.data.tags["harness.directory"] == str(there.path)
    assert steps_of(client, child.info.run_id) == [1, 2]


def test_two_results_folders_in_one_store_do_not_mix(
    results: Path, make_run: MakeRun, train: Train, tmp_path: Path, empty_database: Path
) -> None:
    shared = f"sqlite:///{tmp_path}/shared.db"
    shutil.copyfile(empty_database, tmp_path / "shared.db")
    run, client = make_run(), MlflowClient(shared)
    for folder in (results, tmp_path / "of another lab"):
        for _ in range(2):
            tracker = Tracker.open(folder, shared)
            tracker.group("dannynet", "search")
            tracker.on_start(run)
            tracker.end_group("dannynet", COMPLETED, [])
    assert len(parents_of(client)) == 2
    assert len(runs_of(client)) == 2
