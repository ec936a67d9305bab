"""`harness doctor`: a table of checks, runs left running, and an exit code."""

import socket

import pytest
import typer
from typer.testing import CliRunner

from harness.cli.doctor import doctor
from harness.core.locks import held
from harness.doctor import check_mlflow, check_ray
from harness.tracking import Tracker

app = typer.Typer()
app.command()(doctor)


@pytest.fixture
def results(alone, tmp_path):
    return tmp_path / "results"


@pytest.fixture
def left_running(results):
    """A results folder whose MLflow has a search that a crash left RUNNING."""
    results.mkdir()
    (results / "searches" / "toy").mkdir(parents=True)
    tracker = Tracker.open(results)
    tracker.group("toy", "search")
    tracker.flush()
    return results


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_no_runs_yet_is_fine_and_makes_nothing(results):
    check = check_mlflow(results)
    assert check.word == "ok"
    assert not results.exists()


def test_runs_left_running_are_told_and_closed_unless_somebody_is_at_work(left_running):
    with held(left_running / "searches" / "toy" / "lock"):
        assert check_mlflow(left_running, does_fix=True).word == "ok"
    told = check_mlflow(left_running)
    assert told.word == "warning"
    assert told.detail == "1 run RUNNING, though nobody is at work on it: toy"
    assert "--fix" in told.todo
    assert check_mlflow(left_running, does_fix=True).detail == "1 run closed: toy"
    assert check_mlflow(left_running).todo == ""


def test_an_mlflow_that_does_not_answer(results):
    check = check_mlflow(results, f"http://ann:s3cret@127.0.0.1:{closed_port()}")
    assert check.word == "FAIL"
    assert "s3cret" not in check.detail


def test_a_cluster_that_does_not_answer_is_one_failed_check_of_all(results, toy_store, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    address = f"127.0.0.1:{closed_port()}"
    assert check_ray(address).word == "FAIL"
    found = run("--address", address, "--data", toy_store.path, "--results", results)
    assert found.exit_code == 1, found.output
    [failed] = [line for line in found.output.splitlines() if "FAIL" in line]
    assert f"no Ray cluster answers at --address {address}" in failed
    assert "image store" in found.output, "what can be looked at is"
    assert found.output.splitlines()[-1].startswith("1 of ")


def test_all_is_well_on_this_machine(results, toy_store):
    found = run("--data", toy_store.path, "--results", results)
    assert found.exit_code == 0, found.output
    assert found.output.splitlines()[-1] == "all checks are ok"
    for what in ("Ray", "MLflow", "versions", "image store", "results folder", "clock"):
        assert any(line.startswith(what) for line in found.output.splitlines()), what
    missing = run("--data", results / "nothing", "--results", results)
    assert missing.exit_code == 1
    assert missing.output.count("no such folder") == 2, "the driver's word and the node's"
