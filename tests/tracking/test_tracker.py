import json
import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.core.records import EpochReport, FailureReason, Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.tracking import Tracker, store_uri
from harness.tracking.contents import params_of

MakeRun = Callable[..., Run]
Train = Callable[..., Status]
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
    assert tracker.flush()


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
        killed.on_epoch(run, report_of(epoch, 0.6))
    killed.flush()
    restarted = Tracker.open(results)
    restarted.group("dannynet", "search")
    restarted.on_start(run)
    for epoch in (3, 4):  # the last checkpoint was of epoch 2
        restarted.on_epoch(run, report_of(epoch, 0.6))
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
    tracker.on_epoch(run, report_of(1, 0.6))
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
    run.directory.append_epoch(report_of(1, 0.6))
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
        killed.on_epoch(cut, report_of(epoch, 0.6))
    killed.flush()
    killed.on_epoch(cut, report_of(4, 0.6))  # never written: the driver dies

    resumed = Tracker.open(results)
    resumed.group("dannynet", "search")
    resumed.sync(ended)
    resumed.on_start(cut)
    for epoch in (3, 4, 5):
        resumed.on_epoch(cut, report_of(epoch, 0.6))
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


class Breakage:
    """Makes every write of metrics (or to `table`) fail, for as long as it is entered."""

    def __init__(self, results: Path, table: str = "latest_metrics") -> None:
        self.path, self.table = results / "mlflow.db", table

    def _rename(self, old: str, new: str) -> None:
        with closing(sqlite3.connect(self.path)) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    def __enter__(self) -> None:
        self._rename(self.table, f"{self.table}_away")

    def __exit__(self, *_: object) -> None:
        self._rename(f"{self.table}_away", self.table)


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
    tracker.flush()
    with caplog.at_level(logging.WARNING), Breakage(results):
        for epoch in (2, 3):
            tracker.on_epoch(run, report_of(epoch, 0.6))
            tracker.flush()
        tracker.on_end(run, train(run, (0.6, 0.6, 0.6)))
        tracker.on_start(other)
        tracker.on_end(other, train(other, (0.5,)))
        tracker.flush()
        assert {missed.name for missed in tracker.unsynced} == {run.name, other.name}
    [warning] = [record for record in caplog.records if record.name.startswith("harness")]
    assert "the runs go on" in warning.message
    tracker.end_group("dannynet", COMPLETED, [])
    [child], [late] = runs_of(client), runs_of(client, "t0001-b")
    assert steps_of(client, child.info.run_id) == [1, 2, 3]
    assert (child.info.status, late.info.status) == ("FINISHED", "FINISHED")
    assert late.data.params == params_of(other.recipe)
    assert tracker.unsynced == []


def test_a_group_that_could_not_be_opened_is_opened_later_without_a_false_alarm(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = Tracker.open(results)
    with Breakage(results, "tags"):
        tracker.group("dannynet", "search", params={"trials": 2})
    live_course(tracker, make_run(), train, (0.6,))
    tracker.end_group("dannynet", COMPLETED, [])
    [warning] = caplog.messages
    assert warning.endswith("no such table: tags; the runs go on")
    [parent], [child] = parents_of(client), runs_of(client)
    assert parent.data.params == {"trials": "2"}
    assert parent.info.status == "FINISHED"
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id


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
    tracker.end_group("dannynet", COMPLETED, [])
    assert "lacks parts of dannynet and of 1 run(s)" in caplog.text
    [child] = runs_of(client)
    assert child.info.status == "FINISHED"  # the status does not wait for the artifacts
    (results / "mlartifacts").unlink()
    again = Tracker.open(results)
    again.sync(run)
    again.flush()
    [child] = runs_of(client)
    assert {item.path for item in client.list_artifacts(child.info.run_id)} >= {"record.json"}
    for metric in ("val/auroc/Cardiomegaly", "best/epoch"):
        assert steps_of(client, child.info.run_id, metric) == [2]


def test_a_run_that_is_trained_is_shown_even_if_it_was_deleted(
    results: Path, client: MlflowClient, make_run: MakeRun, train: Train
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.group("dannynet", "search")
    tracker.on_start(run)
    tracker.flush()
    [deleted] = runs_of(client)
    client.delete_run(deleted.info.run_id)
    tracker.on_epoch(run, report_of(1, 0.6))
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


def finish_again(results: Path, run: Run) -> None:
    """What the command of a finished search does when it is run again."""
    tracker = Tracker.open(results)
    tracker.group(run.group, "search")
    tracker.sync(run)
    tracker.end_group(run.group, COMPLETED, [])


def test_a_damaged_run_directory_is_named_and_holds_up_nothing(
    results: Path,
    client: MlflowClient,
    make_run: MakeRun,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker, bad, good = Tracker.open(results), make_run(), make_run("t0001-b")
    train(bad, (0.6,))
    (bad.directory.path / "record.json").write_text("{")
    tracker.group("dannynet", "search")
    tracker.sync(bad)
    live_course(tracker, good, train, (0.6,))
    assert str(bad.directory.path / "record.json") in caplog.text
    assert runs_of(client, "t0001-b")[0].info.status == "FINISHED"
    tracker.end_group("dannynet", COMPLETED, [])
    assert {run.info.status for run in runs_of(client)} <= {"FINISHED", "KILLED"}


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
