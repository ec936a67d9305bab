"""A real MLflow server, which is killed and started again; it takes 10 to 20 s to start."""

import logging
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

from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.tracking import Tracker, filter_string, winners

MakeRun = Callable[..., Run]
Train = Callable[..., Status]
REPO = Path(__file__).resolve().parents[2]
COMPLETED = Status(outcome=Outcome.COMPLETED)
SERVE = (
    "import sys, pathlib; from harness.tracking import serve_ui;"
    "serve_ui(pathlib.Path(sys.argv[1]), int(sys.argv[2]), tell=print)"
)


class Server:
    """`serve_ui` in a process of its own."""

    def __init__(self, results: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.place = f"127.0.0.1:{probe.getsockname()[1]}"
        self.results = results
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.results), self.place.partition(":")[2]],
            cwd=self.results,
            env=os.environ | {"PYTHONPATH": str(REPO)},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(240):
            assert self.process.poll() is None, "the server ended"
            try:
                if requests.get(f"http://{self.place}/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.5)
        raise AssertionError("the server did not answer")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(results: Path) -> Iterator[Server]:
    served = Server(results)
    try:
        served.start()
        yield served
    finally:
        served.kill()


def epochs(tracker: Tracker, run: Run, numbers: range) -> None:
    for epoch in numbers:
        metrics = {"train/loss": 1 / epoch, "best/auroc_macro": 0.6}
        tracker.on_epoch(run, EpochReport(epoch=epoch, metrics=metrics))


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.1)


@pytest.mark.timeout(240)
def test_searches_outlive_a_server_that_dies_and_comes_back(
    server: Server,
    results: Path,
    make_run: MakeRun,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="harness")
    uri = f"http://ann:s3cret@{server.place}"
    tracker = Tracker.open(results, uri, experiment="remote")
    groups = ("vit", "dannynet")
    done, *cut = (make_run(f"t000{n}-a", group=group) for n, group in enumerate(("vit", *groups)))
    for group in groups:
        tracker.group(group, "search", params={"trials": 2})
    for run in (done, *cut):
        tracker.on_start(run)
        epochs(tracker, run, range(1, 3))
    tracker.on_end(done, train(done, (0.6, 0.6)))
    wait_until(lambda: not tracker.unsynced, seconds=30)  # it writes by itself

    server.kill()
    begin_s = time.monotonic()
    for run in cut:
        epochs(tracker, run, range(3, 40))
        tracker.on_end(run, train(run, (0.6,) * 40))
    assert time.monotonic() - begin_s < 3  # it does not wait for the server
    wait_until(lambda: caplog.text != "", seconds=10)
    time.sleep(2.5)  # further attempts, which are not told of
    [warning] = caplog.messages
    assert warning == f"MLflow at http://***@{server.place}: Connection refused; the runs go on"

    begin_s = time.monotonic()
    tracker.end_group("vit", COMPLETED, [{"trial": cut[0].name}])
    assert time.monotonic() - begin_s < 5
    assert "lacks parts of vit and of 1 run(s) in it" in caplog.messages[-1]
    assert "same command run again logs it" in caplog.messages[-1]
    assert len(caplog.messages) == 2

    server.start()
    tracker.end_group("dannynet", COMPLETED, [{"trial": cut[1].name}])
    again = Tracker.open(results, uri, experiment="remote")
    again.group("vit", "search")
    for run in (done, cut[0]):
        again.sync(run)
    again.end_group("vit", COMPLETED, [{"trial": cut[0].name}])
    assert len(caplog.messages) == 2
    assert "s3cret" not in caplog.text

    client = MlflowClient(f"http://{server.place}")
    remote = client.get_experiment_by_name("remote").experiment_id
    found = {run.info.run_name: run for run in client.search_runs([remote])}
    assert set(found) == {*groups, done.name, *(run.name for run in cut)}
    assert len(client.search_runs([remote])) == len(found)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    for run, num_epochs in ((done, 2), (cut[0], 40), (cut[1], 40)):
        for metric in ("train/loss", "best/auroc_macro", "epoch"):
            history = client.get_metric_history(found[run.name].info.run_id, metric)
            steps = [point.step for point in history]
            assert steps == list(range(1, num_epochs + 1)), (run.name, metric)
    assert "s3cret" not in str([run.to_dictionary() for run in found.values()])
    assert len(client.search_runs([remote], filter_string("vit"))) == 2
    shown = requests.get(
        f"http://{server.place}/get-artifact",
        params={"path": "recipe.json", "run_uuid": found[cut[0].name].info.run_id},
        timeout=20,
    )
    assert shown.json()["optim"]["lr"] == cut[0].recipe.optim.lr
    assert winners(results, f"http://{server.place}") == []  # those of another experiment
