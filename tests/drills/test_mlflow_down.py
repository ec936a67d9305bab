"""MLflow goes away in the middle of a search and comes back: it holds everything at the end."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.drills.searches import SMALL, Search, check_mlflow, check_whole, kill, wait_until


class Server:
    """A real tracking server on loopback."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "mlflow", "server", "--port", str(self.port),
                "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                "--artifacts-destination", str(self.folder / "artifacts"), "--workers", "1",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )  # fmt: skip
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=1)
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError("the server does not answer")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


def test_the_search_goes_on_and_mlflow_gets_all_of_it(server, toy_store, tmp_path):
    search = Search(
        tmp_path / "results", "dannynet-mini", "--data", toy_store.path, "--trials", 4, *SMALL,
        "--set", "train.epochs=80", "--set", "train.early_stop_epochs=80", "--cpus-per-trial", 2,
        "--scheduler", "none",
        environment={"MLFLOW_TRACKING_URI": server.uri},
    )  # fmt: skip
    process = search.start()
    try:
        wait_until(lambda: any(len(run.epochs) > 2 for run in search.runs()), process, 180)
        server.stop()
        down_with = sum(len(run.epochs) for run in search.runs())
        wait_until(
            lambda: sum(len(run.epochs) for run in search.runs()) >= down_with + 15, process, 180
        )
        server.start()
        assert process.wait(600) == 0, search.log.read_text()
    finally:
        kill(process)
    check_whole(search, 4)
    check_mlflow(search, server.uri)
    assert search.log.read_text().count("WARNING: MLflow") == 1, search.log.read_text()
