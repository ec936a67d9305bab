"""A promoted model behind MLflow's own servers: asked over HTTP, and fetched from a far store."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness.benchmark.find_run import find_run
from harness.bundle.bundle import Bundle
from harness.bundle.classifier import Classifier
from harness.data.radiograph import read_radiograph
from harness.jobs.promote import BundleOrder, promote
from harness.tracking.registry import fetch_bundle, promoted_models
from harness.tracking.store import store_uri

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(words, *, environment, ready):
    """A server in a process group of its own, once it answers."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where uvicorn lies
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": path} | environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            assert process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(ready, timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        else:
            raise AssertionError("the server does not answer")
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def post(url, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_a_real_request_gets_the_classifiers_answer(lab, nih_sample):
    done = promote(
        find_run("t0000", lab), name="", alias="champion", order=BundleOrder(results=lab)
    )
    classifier = Classifier.load(fetch_bundle(done.model.uri, lab))
    files = sorted((nih_sample / "images").iterdir())[:5]
    port = free_port()
    words = ["models", "serve", "-m", done.model.uri, "--env-manager", "local",
             "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    environment = {
        "MLFLOW_TRACKING_URI": store_uri(lab),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    with serving(words, environment=environment, ready=f"http://127.0.0.1:{port}/ping"):
        url = f"http://127.0.0.1:{port}/invocations"
        records = [{"image": base64.b64encode(path.read_bytes()).decode()} for path in files]
        rows = post(url, {"dataframe_records": records})["predictions"]
        assert post(url, {"inputs": records})["predictions"] == rows
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(url, {"dataframe_records": [{"image": "aGVsbG8="}]})
        assert refused.value.code == 400
        assert "image 0: not an image that can be read" in refused.value.read().decode()
    assert len(rows) == len(files)
    squares = np.stack([classifier.square(read_radiograph(path)) for path in files])
    for row, answer in zip(rows, classifier.answers(squares), strict=True):
        for column, finding in enumerate(classifier.findings):
            assert row[f"score/{finding}"] == pytest.approx(answer.score_L[column], abs=1e-6)
            probability = answer.probability_L[column]
            assert row[f"probability/{finding}"] == pytest.approx(probability, abs=1e-6)
            assert row[f"flag/{finding}"] == bool(answer.is_flagged_L[column])


def test_a_bundle_is_fetched_once_from_a_server(lab, tmp_path, monkeypatch):
    port = free_port()
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{tmp_path}/remote.db",
             "--artifacts-destination", str(tmp_path / "remote artifacts")]  # fmt: skip
    uri = f"http://127.0.0.1:{port}"
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with serving(words, environment=quiet, ready=f"{uri}/health"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        promote(find_run("t0000", lab), name="", alias="champion", order=BundleOrder(results=lab))
        (model,) = promoted_models(lab)
        folder = fetch_bundle(model.uri, lab)
        assert folder.is_relative_to(lab / "models" / "dannynet" / "1")
        own = Bundle.read(folder)
        stamp = own.weights.stat().st_mtime_ns
        assert fetch_bundle(model.uri, lab) == folder
        assert own.weights.stat().st_mtime_ns == stamp
    assert own.facts.agreement.largest_difference == 0
