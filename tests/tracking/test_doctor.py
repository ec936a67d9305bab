import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.core.errors import HarnessError
from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.tracking import Tracker, close_stale, find_stale

MakeRun = Callable[..., Run]


@pytest.fixture
def crashed(results: Path, make_run: MakeRun) -> dict[str, Run]:
    """A search whose driver died, with runs in several states, and another one still alive."""
    tracker = Tracker.open(results)
    runs = {}
    for number, group in enumerate(("dannynet", "dannynet", "dannynet", "dannynet", "chexnet")):
        if group not in {run.group for run in runs.values()}:
            tracker.group(group, "search")
        run = make_run(f"t000{number}-a", group=group)
        runs[run.name] = run
        tracker.on_start(run)
        tracker.on_epoch(run, EpochReport(epoch=1, metrics={"best/auroc_macro": 0.6}))
    assert tracker.flush()
    for name, outcome in {"t0001-a": Outcome.PRUNED, "t0002-a": Outcome.RUNNING}.items():
        runs[name].directory.set_status(Status(outcome=outcome))
        for epoch in (1, 2):
            report = EpochReport(epoch=epoch, metrics={"best/auroc_macro": 0.6})
            runs[name].directory.append_epoch(report)
    shutil.rmtree(runs["t0003-a"].directory.path)
    return runs


def test_what_is_stale_is_found_with_what_its_directory_says(
    results: Path, crashed: dict[str, Run]
) -> None:
    found = find_stale(results, is_alive=lambda group: group == "chexnet")
    told = {stale.name: (stale.group, stale.kind, stale.status.outcome) for stale in found}
    assert told == {
        "t0000-a": ("dannynet", "trial", Outcome.PREEMPTED),
        "t0001-a": ("dannynet", "trial", Outcome.PRUNED),
        "t0002-a": ("dannynet", "trial", Outcome.PREEMPTED),
        "t0003-a": ("dannynet", "trial", Outcome.CANCELLED),
        "dannynet": ("dannynet", "search", Outcome.PREEMPTED),
    }
    assert len(found) == len(told)
    by_name = {stale.name: stale for stale in found}
    assert by_name["t0001-a"].directory == crashed["t0001-a"].directory.path
    assert "is gone" in by_name["t0003-a"].status.message
    assert by_name["dannynet"].directory == results / "searches" / "dannynet"


def test_closing_leaves_the_truth_and_nothing_running(
    results: Path, client: MlflowClient, crashed: dict[str, Run]
) -> None:
    stale = find_stale(results, is_alive=lambda group: group == "chexnet")
    close_stale(results, stale)
    found = {run.info.run_name: run for run in client.search_runs(["1"])}
    assert {name: run.info.status for name, run in found.items()} == {
        "t0000-a": "KILLED",
        "t0001-a": "FINISHED",
        "t0002-a": "KILLED",
        "t0003-a": "KILLED",
        "dannynet": "KILLED",
        "t0004-a": "RUNNING",
        "chexnet": "RUNNING",
    }
    pruned = found["t0001-a"]
    assert pruned.data.tags["harness.outcome"] == "pruned"
    assert pruned.data.tags["harness.values"] == '{"optim.lr": 0.001}'
    history = client.get_metric_history(pruned.info.run_id, "best/auroc_macro")
    assert [point.step for point in history] == [1, 2]
    assert found["t0003-a"].data.tags["harness.outcome"] == "cancelled"
    assert find_stale(results, is_alive=lambda group: group == "chexnet") == []


def test_a_closed_search_stays_closed_when_a_late_run_of_it_is_closed(
    results: Path, client: MlflowClient, make_run: MakeRun
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.group("dannynet", "search")
    tracker.end_group("dannynet", Status(outcome=Outcome.COMPLETED), [])
    tracker.on_start(run)
    tracker.flush()
    [stale] = find_stale(results, is_alive=lambda group: False)
    close_stale(results, [stale])
    status = {found.info.run_name: found.info.status for found in client.search_runs(["1"])}
    assert status == {"dannynet": "FINISHED", run.name: "KILLED"}


def test_a_second_run_of_one_name_is_closed_too(
    results: Path, client: MlflowClient, make_run: MakeRun
) -> None:
    tracker, run = Tracker.open(results), make_run()
    tracker.on_start(run)
    tracker.flush()
    [made] = client.search_runs(["1"], "tags.harness.kind = 'trial'")
    tags = {name: text for name, text in made.data.tags.items() if name.startswith("harness.")}
    client.create_run("1", tags=tags)
    stale = find_stale(results, is_alive=lambda group: False)
    assert len([one for one in stale if one.name == run.name]) == 2
    close_stale(results, stale)
    assert {found.info.status for found in client.search_runs(["1"])} == {"KILLED"}


def test_runs_of_another_results_folder_are_left_alone(
    results: Path, make_run: MakeRun, tmp_path: Path, empty_database: Path
) -> None:
    shared = f"sqlite:///{tmp_path}/shared.db"
    shutil.copyfile(empty_database, tmp_path / "shared.db")
    tracker = Tracker.open(results, shared)
    tracker.on_start(make_run())
    tracker.flush()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert find_stale(elsewhere, shared, is_alive=lambda group: False) == []
    assert len(find_stale(results, shared, is_alive=lambda group: False)) == 2


def test_where_there_is_no_store_nothing_is_stale_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert find_stale(tmp_path, is_alive=lambda group: False) == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_broken_is_told_in_one_line(results: Path) -> None:
    (results / "mlflow.db").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(HarnessError, match="cannot be used"):
        find_stale(results, is_alive=lambda group: False)
