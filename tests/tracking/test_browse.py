import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from harness.core.errors import HarnessError
from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.tracking import Tracker, filter_string, serve_ui, store_uri, ui_command, winners
from harness.tracking.browse import ui_environment

MakeRun = Callable[..., Run]
Train = Callable[..., Status]
REPO = Path(__file__).resolve().parents[2]


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


def test_a_taken_port_is_told(results: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(HarnessError, match="is taken"):
            serve_ui(results, listener.getsockname()[1])


def test_runs_that_are_kept_elsewhere_are_not_served(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:s3cret@lab:5000")
    with pytest.raises(HarnessError, match=r"kept at http://\*\*\*@lab:5000"):
        serve_ui(results)


@pytest.fixture
def server(searched: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """`serve_ui` in a process of its own: its address, and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import sys, pathlib; from harness.tracking import serve_ui;"
        "sys.exit(serve_ui(pathlib.Path(sys.argv[1]), int(sys.argv[2])))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(searched), str(port)],
        cwd=searched,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"127.0.0.1:{port}", process
    finally:
        stop(process)


def wait_for(address: str, process: subprocess.Popen) -> None:
    for _ in range(240):
        assert process.poll() is None, "the server ended"
        try:
            if requests.get(address, timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    raise AssertionError("the server did not answer")


def stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.timeout(240)
def test_a_server_shows_the_runs_takes_more_and_may_die(
    server: tuple[str, subprocess.Popen],
    searched: Path,
    make_run: MakeRun,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place, process = server
    [best] = winners(searched, f"http://{place}", search="chexnet")
    shown = requests.get(
        f"http://{place}/get-artifact",
        params={"path": "recipe.json", "run_uuid": best.mlflow_run_id},
        timeout=20,
    )
    assert shown.json()["optim"]["lr"] == best.values["optim.lr"]

    uri = f"http://ann:s3cret@{place}"
    tracker = Tracker.open(searched, uri, experiment="remote")
    tracker.group("vit", "search", params={"trials": 2})
    run, second = make_run(group="vit"), make_run("t0001-b", group="vit")
    tracker.on_start(run)
    tracker.on_epoch(run, EpochReport(epoch=1, metrics={"best/auroc_macro": 0.6}))
    tracker.on_end(run, train(run, (0.6, 0.7), with_predictions=True))
    tracker.on_start(second)
    assert tracker.unsynced == []

    client = MlflowClient(f"http://{place}")
    remote = client.get_experiment_by_name("remote")
    runs = client.search_runs([remote.experiment_id], filter_string("vit"))
    child = next(found for found in runs if found.info.run_name == run.name)
    assert len(runs) == 2
    assert child.info.status == "FINISHED"
    history = client.get_metric_history(child.info.run_id, "best/auroc_macro")
    assert [point.step for point in history] == [1, 2]
    artifacts = [item.path for item in client.list_artifacts(child.info.run_id)]
    assert "predictions_val.npz" in artifacts
    assert "s3cret" not in str([found.to_dictionary() for found in runs])

    stop(process)
    begin_s = time.monotonic()
    for epoch in range(1, 50):
        report = EpochReport(epoch=epoch, metrics={"best/auroc_macro": 0.6})
        tracker.on_epoch(second, report)
    assert time.monotonic() - begin_s < 20
    assert tracker.unsynced == [second]
    assert f"http://***@{place}" in caplog.text
    assert "s3cret" not in caplog.text
