"""MLflow fails at any moment: runs go on, and what it missed is told later or by the next job."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.tracking import Tracker
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
    tracker.on_epoch(run, epoch_report(1, 0.6))
    tracker.flush()
    with caplog.at_level(logging.WARNING), Breakage(results):
        for epoch in (2, 3):
            tracker.on_epoch(run, epoch_report(epoch, 0.6))
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
