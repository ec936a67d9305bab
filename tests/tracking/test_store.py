import logging
import shutil
import socket
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.locks import is_held
from harness.tracking.store import find_store, one_line, open_store, redact, store_uri


@pytest.fixture
def silent_server():
    """A port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_the_uri_is_the_argument_then_the_environment_then_the_results_folder(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_uri(results) == f"sqlite:///{results}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:5000")
    assert store_uri(results) == "http://lab:5000"
    assert store_uri(results, "sqlite:////elsewhere.db") == "sqlite:////elsewhere.db"


@pytest.mark.parametrize("uri", ["file:///data/mlruns", "file:mlruns", "./mlruns", "/data/mlruns"])
def test_a_folder_is_refused_with_the_fix(results: Path, uri: str) -> None:
    with pytest.raises(HarnessError, match=r"no runs in a folder .*sqlite:////path/mlflow\.db"):
        store_uri(results, uri)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:s3cret@lab:5000/x", "http://***@lab:5000/x"),
        ("postgresql+psycopg2://ann:p@ss@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
        ("mysql://db/mlflow?user=a&password=s3cret", "mysql://db/mlflow?user=a&password=***"),
        ("https://lab?api_token=s3cret&x=1", "https://lab?api_token=***&x=1"),
        ("call to http://t0ken@lab failed, ask a@b", "call to http://***@lab failed, ask a@b"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
    ],
)
def test_secrets_of_a_uri_are_not_shown(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_an_error_becomes_one_short_line() -> None:
    assert one_line(ValueError("first\nsecond")) == "first"
    assert one_line(ValueError()) == "ValueError"
    assert len(one_line(ValueError("x" * 900))) == 200


def test_a_closed_port_is_told_at_once_in_one_line_without_the_password(
    results: Path, closed_port: str
) -> None:
    begin_s = time.monotonic()
    with pytest.raises(HarnessError) as caught:
        open_store(results, f"http://ann:s3cret@{closed_port}")
    assert time.monotonic() - begin_s < 5
    message = str(caught.value)
    assert f"http://***@{closed_port}" in message
    assert "does not answer" in message
    assert "s3cret" not in message
    assert "\n" not in message


def test_a_silent_server_is_given_up_within_ten_seconds(results: Path, silent_server: str) -> None:
    begin_s = time.monotonic()
    with pytest.raises(HarnessError, match="does not answer"):
        open_store(results, f"http://{silent_server}")
    assert time.monotonic() - begin_s < 10


def test_a_database_server_that_is_away_is_not_retried(results: Path, closed_port: str) -> None:
    begin_s = time.monotonic()
    with pytest.raises(HarnessError, match=r"postgresql://\*\*\*@127.* does not answer"):
        open_store(results, f"postgresql://ann:s3cret@{closed_port}/mlflow")
    assert time.monotonic() - begin_s < 5


def test_a_file_that_is_no_database_is_told_at_once(results: Path) -> None:
    (results / "mlflow.db").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(HarnessError, match=r"cannot be used \(file is not a database\): move"):
        open_store(results)


def test_a_deleted_experiment_names_its_cure(results: Path) -> None:
    store = open_store(results)
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(HarnessError, match=f"restore --experiment-id {store.experiment_id}"):
        open_store(results)


def test_the_experiment_is_made_once_with_its_artifacts_in_the_results(results: Path) -> None:
    assert find_store(results).experiment_id is None
    store = open_store(results)
    assert open_store(results).experiment_id == store.experiment_id
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.artifact_location == (results / "mlartifacts").as_uri()


def test_another_database_keeps_its_artifacts_in_the_results_too(
    results: Path, empty_database: Path, tmp_path: Path
) -> None:
    shutil.copyfile(empty_database, tmp_path / "lab.db")
    store = open_store(results, f"sqlite:///{tmp_path}/lab.db")
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.artifact_location == (results / "mlartifacts").as_uri()


def test_a_new_database_is_made_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        find_store(tmp_path / "new" / "results", f"sqlite:///{tmp_path}/new/results/mlflow.db")
    assert (tmp_path / "new" / "results" / "mlflow.db").exists()
    assert capfd.readouterr() == ("", "")


def test_one_process_at_a_time_makes_the_tables_of_a_file(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three searches that began at once in a new folder two ended with MLflow's own errors."""
    made, find = [], find_store

    def look(*arguments: object, **options: object) -> object:
        made.append(is_held(results / ".mlflow.db.lock"))
        return find(*arguments, **options)

    monkeypatch.setattr("harness.tracking.store.find_store", look)
    open_store(results)
    assert made == [True]
    assert not is_held(results / ".mlflow.db.lock")
