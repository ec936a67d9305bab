import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.core.errors import HarnessError
from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.tracking import Tracker, filter_string, serve_ui, store_uri, ui_command, winners
from harness.tracking.browse import ui_environment

MakeRun = Callable[..., Run]
Train = Callable[..., Status]


@pytest.fixture
def searched(results: Path, make_run: MakeRun, train: Train) -> Path:
    """Two searches; the best score of all is a pruned one's."""
    tracker = Tracker.open(results)
    courses = [
        ("dannynet", "t0000-a", 0.70, Outcome.COMPLETED),
        ("dannynet", "t0001-b", 0.80, Outcome.COMPLETED),
        ("dannynet", "t0002-c", 0.90, Outcome.PRUNED),
        ("dannynet", "t0003-d", 0.95, Outcome.FAILED),
        ("chexnet", "t0000-a", 0.75, Outcome.COMPLETED),
    ]
    for number, (group, name, score, outcome) in enumerate(courses):
        run = make_run(name, group=group, lr=1e-3 / (1 + number))
        tracker.on_start(run)
        metrics = {"best/auroc_macro": score}
        tracker.on_epoch(run, EpochReport(epoch=1, metrics=metrics))
        if outcome is Outcome.COMPLETED and group == "chexnet":
            train(run, (score,))
        tracker.on_end(run, Status(outcome=outcome))
    assert tracker.flush()
    return results


def test_winners_are_completed_trials_best_first(searched: Path) -> None:
    rows = winners(searched)
    assert [(row.search, row.run, row.score) for row in rows] == [
        ("dannynet", "t0001-b", 0.80),
        ("chexnet", "t0000-a", 0.75),
        ("dannynet", "t0000-a", 0.70),
    ]
    assert rows[0].values == {"optim.lr": 5e-4}
    assert rows[0].model == "densenet121.tv_in1k"
    assert rows[0].outcome is Outcome.COMPLETED
    assert MlflowClient(store_uri(searched)).get_run(rows[0].mlflow_run_id).info.run_name == (
        "t0001-b"
    )


def test_winners_of_one_search_limited_and_with_the_pruned(searched: Path) -> None:
    assert [row.run for row in winners(searched, search="dannynet", limit=1)] == ["t0001-b"]
    with_pruned = winners(searched, search="dannynet", with_pruned=True)
    assert [row.run for row in with_pruned] == ["t0002-c", "t0001-b", "t0000-a"]


def test_winners_are_of_the_image_store_that_their_search_is_on_by_now(
    results: Path, make_run: MakeRun
) -> None:
    """Those on an earlier one stay in MLflow; the leaderboard of the folder has none of them."""
    tracker = Tracker.open(results)
    for name, fingerprint, score in (("t0000-a", "a" * 64, 0.9), ("t0001-b", "b" * 64, 0.6)):
        tracker.group("dannynet", "search", tags={"harness.fingerprint": fingerprint})
        run = make_run(name, group="dannynet")
        run = replace(run, recipe=run.recipe.with_values({"data.store": fingerprint}))
        tracker.on_start(run)
        tracker.on_epoch(run, EpochReport(epoch=1, metrics={"best/auroc_macro": score}))
        tracker.on_end(run, Status(outcome=Outcome.COMPLETED))
        assert tracker.flush()
    assert [row.run for row in winners(results)] == ["t0001-b"]
    assert [row.run for row in winners(results, search="dannynet")] == ["t0001-b"]


def test_an_unknown_search_names_the_nearest(searched: Path) -> None:
    with pytest.raises(HarnessError, match=r"no search 'danynet' .*did you mean 'dannynet'\?"):
        winners(searched, search="danynet")


def test_winners_make_no_store_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(HarnessError, match=r"no MLflow store at .* run `harness search` first"):
        winners(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_filter_finds_the_trials_of_one_search(searched: Path) -> None:
    client = MlflowClient(store_uri(searched))
    found = client.search_runs(["1"], filter_string("dannynet"))
    assert {run.info.run_name for run in found} == {"t0000-a", "t0001-b", "t0002-c", "t0003-d"}
    assert client.search_runs(["1"], filter_string("dannynet", kind="final")) == []


def test_the_page_is_served_on_this_machine_only(results: Path) -> None:
    command = ui_command(results, 5123)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5123"
    assert ui_environment()["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert ui_environment()["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_address_is_told_before_the_server_takes_over(
    searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("os.execve", lambda program, command, environment: told.append("serves"))
    serve_ui(searched, 45_671, tell=told.append)
    assert told == ["http://127.0.0.1:45671/#/experiments/1/runs", "serves"]


def test_a_taken_port_is_told(results: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(HarnessError, match="is taken"):
            serve_ui(results, listener.getsockname()[1], tell=print)


def test_runs_that_are_kept_elsewhere_are_not_served(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:s3cret@lab:5000")
    with pytest.raises(HarnessError, match=r"kept at http://\*\*\*@lab:5000"):
        serve_ui(results, tell=print)
