import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.core.records import EpochReport, FailureReason, Outcome, Status
from harness.core.run import Run
from harness.tracking import Tracker, store_uri
from harness.tracking.contents import params_of

MakeRun = Callable[..., Run]
Train = Callable[..., Status]
RUNNING = Status(outcome=Outcome.RUNNING)
COMPLETED = Status(outcome=Outcome.COMPLETED)


@pytest.fixture
def client(results: Path) -> MlflowClient:
    return MlflowClient(store_uri(results))


def report_of(epoch: int, score: float) -> EpochReport:
    metrics = {"train/loss": 1 / epoch, "val/auroc_macro": score, "best/auroc_macro": score}
    return EpochReport(epoch=epoch, metrics=metrics)


def runs_of(client: MlflowClient, name: str = "t0000-aaaaaa") -> list:
    [experiment] = [found for found in client.search_experiments() if found.name == "harness"]
    return client.search_runs([experiment.experiment_id], f"tags.harness.run = '{name}'")


def parents_of(client: MlflowClient, kind: str = "search") -> list:
    [experiment] = [found for found in client.search_experiments() if found.name == "harness"]
    return client.search_runs([experiment.experiment_id], f"tags.harness.kind = '{kind}'")


def steps_of(client: MlflowClient, mlflow_id: str, metric: str = "val/auroc_macro") -> list[int]:
    return [point.step for point in client.get_metric_history(mlflow_id, metric)]


def live_course(tracker: Tracker, run: Run, train: Train, scores: tuple[float, ...]) -> None:
    tracker.on_start(run)
    for epoch, score in enumerate(scores, start=1):
        tracker.on_epoch(run, report_of(epoch, score))
    tracker.on_end(run, train(run, scores, with_predictions=True))


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
    assert child.data.tags["harness.best_weights"] == str(run.directory.best_weights)
    assert steps_of(client, child.info.run_id) == [1, 2, 3]
    assert child.data.metrics["val/auroc_macro"] == 0.65
    record = run.directory.record
    assert record is not None
    auroc = record.val.findings["Cardiomegaly"].auroc
    assert child.data.metrics["val/auroc/Cardiomegaly"] == auroc
    artifacts = {item.path for item in client.list_artifacts(child.info.run_id)}
    assert {"recipe.json", "record.json", "predictions_val.npz", "figures"} <= artifacts
    assert not [name for name in artifacts if name.endswith((".safetensors", ".ckpt"))]
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
        killed.on_epoch(run, report_of(epoch, 0.6))
    restarted = Tracker.open(results)
    restarted.group("dannynet", "search")
    restarted.on_start(run)
    for epoch in (3, 4):  # the last checkpoint was of epoch 2
        restarted.on_epoch(run, report_of(epoch, 0.6))
    restarted.on_end(run, train(run, (0.6,) * 4))
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
    again.sync(run)
    again.sync(run)
    [after] = runs_of(client)
    assert after.to_dictionary() == before.to_dictionary()
    for metric in ("val/auroc_macro", "val/auroc/Cardiomegaly"):
        steps = steps_of(client, after.info.run_id, metric)
        assert len(steps) == len(set(steps))
    assert not (results / "mlartifacts").exists()  # nothing was uploaded, no figure drawn


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
    Tracker.open(results, rebuilt).sync(run)
    [live], [synced] = runs_of(client), runs_of(MlflowClient(rebuilt))
    assert synced.data.metrics == live.data.metrics
    assert synced.data.params == live.data.params
    differing = {
        name
        for name in live.data.tags | synced.data.tags
        if live.data.tags.get(name) != synced.data.tags.get(name)
    }
    assert differing == {"mlflow.parentRunId"}
    assert synced.info.status == "FINISHED"


def test_a_queued_run_is_not_shown(results: Path, client: MlflowClient, make_run: MakeRun) -> None:
    Tracker.open(results).sync(make_run())
    assert runs_of(client) == []


def test_a_cancelled_run_that_goes_on_is_running_and_then_finished(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.on_start(run)
    tracker.on_epoch(run, report_of(1, 0.6))
    tracker.on_end(run, Status(outcome=Outcome.CANCELLED, message="interrupted"))
    tracker.on_start(run)
    [child] = runs_of(client)
    assert child.info.status == "RUNNING"
    assert child.data.tags["harness.message"] == ""
    tracker.on_end(run, train(run, (0.6, 0.7)))
    [child] = runs_of(client)
    assert child.info.status == "FINISHED"
    assert steps_of(client, child.info.run_id) == [1, 2]


def test_runs_that_nobody_runs_any_more_are_closed(
    results: Path, client: MlflowClient, make_run: MakeRun
) -> None:
    dead = Tracker.open(results)
    for name in ("t0000-a", "t0001-b"):
        dead.on_start(make_run(name))
    dead.on_start(make_run("t0000-a", group="chexnet"))
    tracker = Tracker.open(results)
    tracker.group("dannynet", "search")
    tracker.close_stale("dannynet", live={"t0001-b"})
    [live] = runs_of(client, "t0001-b")
    assert live.info.status == "RUNNING"
    closed = {run.data.tags["harness.group"]: run for run in runs_of(client, "t0000-a")}
    assert closed["dannynet"].info.status == "KILLED"
    assert closed["dannynet"].data.tags["harness.outcome"] == "cancelled"
    assert closed["chexnet"].info.status == "RUNNING"


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
    tracker.end_group(COMPLETED, [{"run": "a", "score": 0.8}, {"run": "b", "score": 0.7}])
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


class Breakage:
    """Makes every write of metrics to the database fail, for as long as it is entered."""

    def __init__(self, results: Path) -> None:
        self.path = results / "mlflow.db"

    def _rename(self, old: str, new: str) -> None:
        with closing(sqlite3.connect(self.path)) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    def __enter__(self) -> None:
        self._rename("latest_metrics", "latest_metrics_away")

    def __exit__(self, *_: object) -> None:
        self._rename("latest_metrics_away", "latest_metrics")


def test_a_search_survives_a_broken_mlflow_and_catches_up(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker, run, other = Tracker.open(results), make_run(), make_run("t0001-b")
    tracker.group("dannynet", "search")
    tracker.on_start(run)
    tracker.on_epoch(run, report_of(1, 0.6))
    with caplog.at_level(logging.WARNING), Breakage(results):
        for epoch in (2, 3):
            tracker.on_epoch(run, report_of(epoch, 0.6))
        tracker.on_end(run, train(run, (0.6, 0.6, 0.6)))
        tracker.on_start(other)
        tracker.on_end(other, train(other, (0.5,)))
    assert {missed.name for missed in tracker.unsynced} == {run.name, other.name}
    [warning] = [record for record in caplog.records if record.name.startswith("harness")]
    assert "the runs go on" in warning.message
    tracker.end_group(COMPLETED, [])
    [child], [late] = runs_of(client), runs_of(client, "t0001-b")
    assert steps_of(client, child.info.run_id) == [1, 2, 3]
    assert (child.info.status, late.info.status) == ("FINISHED", "FINISHED")
    assert late.data.params == params_of(other.recipe)
    assert tracker.unsynced == []


def test_what_stays_missing_is_told_at_the_end_and_logged_by_the_next_driver(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.group("dannynet", "search")
    tracker.on_start(run)
    (results / "mlartifacts").write_text("a file where the artifacts should be")
    tracker.on_end(run, train(run, (0.6, 0.7)))
    tracker.end_group(COMPLETED, [])
    assert "lacks parts of 1 run(s)" in caplog.text
    [child] = runs_of(client)
    assert child.info.status == "FINISHED"  # the status does not wait for the artifacts
    (results / "mlartifacts").unlink()
    Tracker.open(results).sync(run)
    [child] = runs_of(client)
    assert {item.path for item in client.list_artifacts(child.info.run_id)} >= {"record.json"}
    for metric in ("val/auroc/Cardiomegaly", "best/epoch"):
        assert steps_of(client, child.info.run_id, metric) == [2]


def test_a_run_that_somebody_deleted_is_made_again(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.group("dannynet", "search")
    tracker.on_start(run)
    [deleted] = runs_of(client)
    client.delete_run(deleted.info.run_id)
    tracker.on_epoch(run, report_of(1, 0.6))
    tracker.on_end(run, train(run, (0.6, 0.7)))
    tracker.end_group(COMPLETED, [])
    [child] = runs_of(client)
    assert child.info.run_id != deleted.info.run_id
    assert steps_of(client, child.info.run_id) == [1, 2]


def test_after_a_slow_failure_mlflow_is_left_alone(
    results: Path, make_run: MakeRun, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.on_start(run)
    clock_s = iter([100.0, 120.0, 319.0])  # fails after 20 s; the pause lasts until 320 s
    monkeypatch.setattr("harness.tracking.tracker.time.monotonic", lambda: next(clock_s))
    with Breakage(results):
        tracker.on_epoch(run, report_of(1, 0.6))
    tracker.on_epoch(run, report_of(2, 0.6))
    monkeypatch.undo()
    assert tracker.unsynced == [run]
    tracker.end_group(COMPLETED, [])
