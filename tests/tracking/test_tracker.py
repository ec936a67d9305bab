"""What MLflow shows of runs, searches and benchmarks while they go on and when they have ended."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.core.records import FailureReason, Outcome, Status
from harness.tracking import Tracker, store_uri
from harness.tracking.contents import params_of
from tests.tracking.conftest import epoch_report
from tests.tracking.told import (
    COMPLETED,
    MakeRun,
    Train,
    live_course,
    parents_of,
    runs_of,
    steps_of,
)


def test_a_run_is_shown_with_all_that_its_directory_holds(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.group("dannynet", "search", params={"trials": 1})
    live_course(tracker, run, train, (0.6, 0.7, 0.65))
    [parent], [child] = parents_of(client), runs_of(client)
    assert child.info.status == "FINISHED"
    assert child.info.run_name == run.name
    assert child.data.params == params_of(run.recipe)
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["harness.outcome"] == "completed"
    assert child.data.tags["mlflow.source.git.commit"] == "0123abc"
    assert child.data.tags["harness.git_dirty"] == "false"
    assert child.data.tags["harness.version.torch"] == "2.15.0"
    assert child.data.tags["harness.memory_level"] == "0"
    assert child.data.tags["harness.directory"] == str(run.directory.path)
    assert steps_of(client, child.info.run_id) == [1, 2, 3]
    assert child.data.metrics["val/auroc_macro"] == 0.65
    record = run.directory.record
    assert record is not None
    auroc = record.val.findings["Cardiomegaly"].auroc
    assert child.data.metrics["val/auroc/Cardiomegaly"] == auroc
    artifacts = {item.path for item in client.list_artifacts(child.info.run_id)}
    assert artifacts == {"recipe.json", "record.json", "thresholds.json"}
    assert tracker.unsynced == []


@pytest.mark.parametrize(
    ("outcome", "reason", "expected"),
    [
        (Outcome.COMPLETED, None, "FINISHED"),
        (Outcome.PRUNED, None, "FINISHED"),
        (Outcome.FAILED, FailureReason.OUT_OF_MEMORY, "FAILED"),
        (Outcome.CANCELLED, None, "KILLED"),
        (Outcome.PREEMPTED, None, "KILLED"),
        (Outcome.RUNNING, None, "RUNNING"),
    ],
)
def test_the_status_of_mlflow_follows_the_outcome(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    *,
    outcome: Outcome,
    reason: FailureReason | None,
    expected: str,
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.on_start(run)
    tracker.on_end(run, Status(outcome=outcome, reason=reason))
    tracker.flush()
    [child] = runs_of(client)
    assert child.info.status == expected
    assert child.data.tags["harness.outcome"] == outcome
    assert child.data.tags["harness.reason"] == (reason or "")


def test_a_restarted_driver_continues_the_same_runs(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    run = make_run()
    killed = Tracker.open(results)
    killed.group("dannynet", "search")
    killed.on_start(run)
    for epoch in (1, 2, 3):
        killed.on_epoch(run, epoch_report(epoch, 0.6))
    killed.flush()
    restarted = Tracker.open(results)
    restarted.group("dannynet", "search")
    restarted.on_start(run)
    for epoch in (3, 4):  # the last checkpoint was of epoch 2
        restarted.on_epoch(run, epoch_report(epoch, 0.6))
    restarted.on_end(run, train(run, (0.6,) * 4))
    restarted.flush()
    [parent], [child] = parents_of(client), runs_of(client)
    assert parent.info.status == "RUNNING"
    assert child.info.status == "FINISHED"
    assert steps_of(client, child.info.run_id) == [1, 2, 3, 4]


def test_syncing_again_changes_nothing(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    run = make_run()
    live_course(Tracker.open(results), run, train, (0.6, 0.7))
    [before] = runs_of(client)
    shutil.rmtree(results / "mlartifacts")
    again = Tracker.open(results)
    for _ in range(2):
        again.sync(run)
        again.flush()
    [after] = runs_of(client)
    assert after.to_dictionary() == before.to_dictionary()
    for metric in ("val/auroc_macro", "val/auroc/Cardiomegaly"):
        steps = steps_of(client, after.info.run_id, metric)
        assert len(steps) == len(set(steps))
    assert not (results / "mlartifacts").exists()  # nothing was uploaded


def test_mlflow_is_rebuilt_from_the_run_directories(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    train: Train,
    *,
    tmp_path: Path,
    empty_database: Path,
) -> None:
    run = make_run()
    live_course(Tracker.open(results), run, train, (0.6, 0.7))
    rebuilt = f"sqlite:///{tmp_path}/rebuilt.db"
    shutil.copyfile(empty_database, tmp_path / "rebuilt.db")
    tracker = Tracker.open(results, rebuilt)
    tracker.sync(run)
    tracker.flush()
    [live], [synced] = runs_of(client), runs_of(MlflowClient(rebuilt))
    assert synced.data.metrics == live.data.metrics
    assert synced.data.params == live.data.params
    differing = {
        name
        for name in live.data.tags | synced.data.tags
        if live.data.tags.get(name) != synced.data.tags.get(name)
    }
    assert differing == {"mlflow.parentRunId", "harness.results"}
    assert synced.info.status == "FINISHED"


def test_a_queued_run_is_not_shown(results: Path, client: MlflowClient, make_run: MakeRun) -> None:
    tracker = Tracker.open(results)
    tracker.sync(make_run())
    assert tracker.flush()
    assert runs_of(client) == []


def test_a_cancelled_run_that_goes_on_is_running_and_then_finished(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.on_start(run)
    tracker.on_epoch(run, epoch_report(1, 0.6))
    tracker.on_end(run, Status(outcome=Outcome.CANCELLED, message="interrupted"))
    tracker.flush()
    tracker.on_start(run)
    tracker.flush()
    [child] = runs_of(client)
    assert child.info.status == "RUNNING"
    assert child.data.tags["harness.message"] == ""
    tracker.on_end(run, train(run, (0.6, 0.7)))
    tracker.flush()
    [child] = runs_of(client)
    assert child.info.status == "FINISHED"
    assert steps_of(client, child.info.run_id) == [1, 2]


def test_a_failed_run_that_is_tried_again_is_the_same_run_with_a_new_end(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    run = make_run()
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.CODE, message="a bug")
    first = Tracker.open(results)
    first.group("dannynet", "search")
    first.on_start(run)
    first.on_end(run, failed)
    first.end_group("dannynet", COMPLETED, [])
    [before] = runs_of(client)
    assert before.info.status == "FAILED"

    again = Tracker.open(results)
    again.group("dannynet", "search")
    again.on_start(run)
    again.flush()
    [reopened] = runs_of(client)
    assert reopened.info.status == "RUNNING"
    assert reopened.data.tags["harness.outcome"] == "running"
    assert reopened.data.tags["harness.reason"] == ""
    again.on_end(run, train(run, (0.6,)))
    again.end_group("dannynet", COMPLETED, [])
    [after] = runs_of(client)
    assert after.info.run_id == before.info.run_id
    assert after.info.status == "FINISHED"
    assert steps_of(client, after.info.run_id) == [1]


def test_two_searches_in_one_command_each_get_their_end(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker = Tracker.open(results)
    outcomes = {"dannynet": Outcome.COMPLETED, "chexnet": Outcome.PREEMPTED}
    for group in outcomes:
        tracker.group(group, "search")
        live_course(tracker, make_run(group=group), train, (0.6,))
    for group, outcome in outcomes.items():
        tracker.end_group(group, Status(outcome=outcome), [{"trial": group}])
    status = {found.info.run_name: found.info.status for found in parents_of(client)}
    assert status == {"dannynet": "FINISHED", "chexnet": "KILLED"}


def test_figures_are_drawn_for_the_given_runs_and_only_once(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker, best, other = Tracker.open(results), make_run(), make_run("t0001-b")
    for run in (best, other):
        live_course(tracker, run, train, (0.6, 0.7))
    tracker.log_figures([best])
    [child], [plain] = runs_of(client), runs_of(client, "t0001-b")
    drawn = {item.path for item in client.list_artifacts(child.info.run_id, "figures")}
    names = ("roc", "precision_recall", "reliability")
    assert drawn == {f"figures/{name}.png" for name in names}
    assert client.list_artifacts(plain.info.run_id, "figures") == []
    assert child.data.tags["harness.best_weights"] == str(best.directory.best_weights)
    shutil.rmtree(results / "mlartifacts")
    tracker.log_figures([best])
    Tracker.open(results).log_figures([best])
    assert not (results / "mlartifacts").exists()


def test_the_end_of_a_group_leaves_a_leaderboard_and_the_given_files(
    results: Path, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "table.md").write_text("| model |")
    (tmp_path / "plan.json").write_text("{}")
    tracker = Tracker.open(results)
    tracker.group("nih", "benchmark", tags={"lab": "a"}, params={"seeds": 3})
    tracker.log_files("nih", [folder, tmp_path / "plan.json"])
    tracker.end_group("nih", COMPLETED, [{"run": "a", "score": 0.8}, {"run": "b", "score": 0.7}])
    [parent] = parents_of(client, "benchmark")
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["lab"] == "a"
    assert parent.data.params == {"seeds": "3"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri(results))  # `load_table` is half fluent
    table = client.load_table(parent.info.experiment_id, "leaderboard.json", [parent.info.run_id])
    assert table["run"].tolist() == ["a", "b"]
    top = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert top == {"leaderboard.csv", "leaderboard.json", "plan.json", "table"}
    [inner] = client.list_artifacts(parent.info.run_id, "table")
    assert inner.path == "table/table.md"


def test_a_group_parameter_that_changed_keeps_its_first_value(
    results: Path, client: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    Tracker.open(results).group("dannynet", "search", params={"trials": 60})
    Tracker.open(results).group("dannynet", "search", params={"trials": 80, "seed": 1})
    [parent] = parents_of(client)
    assert parent.data.params == {"trials": "60", "seed": "1"}
    assert caplog.records == []
