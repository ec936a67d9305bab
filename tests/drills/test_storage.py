"""A search whose nodes share nothing but an S3 bucket, killed on the way, and its driver lost."""

import shutil

from harness.core.records import Outcome
from harness.execution.storage import Storage
from tests.drills.searches import SMALL, Search, check_mlflow, kill, wait_until
from tests.execution.conftest import s3_credentials, s3_server, s3_uri  # noqa: F401


def test_a_search_through_s3_goes_on_with_nothing_left_here(toy_store, s3_uri, tmp_path):  # noqa: F811
    search = Search(
        tmp_path / "results", "dannynet-mini", "--data", toy_store.path, "--trials", 3, *SMALL,
        "--set", "train.epochs=30", "--set", "train.early_stop_epochs=30", "--scheduler", "none",
        "--cpus-per-trial", 2, "--keep", 1, "--storage", s3_uri,
    )  # fmt: skip
    process = search.start()
    try:
        wait_until(lambda: "completed" in search.states().values(), process, 180)
        wait_until(lambda: any(len(run.epochs) > 4 for run in search.runs()[1:]), process, 180)
    finally:
        kill(process)
    shutil.rmtree(search.results)  # the machine of the driver is lost as well
    assert search.finish() == 0, search.log.read_text()
    assert "1 completed" in search.log.read_text()
    assert len(search.runs()) == 3
    assert {run.status.outcome for run in search.runs()} == {Outcome.COMPLETED}
    for run in search.runs():
        assert [report.epoch for report in run.epochs] == list(range(1, 31))
    check_mlflow(search)
    storage = Storage.open(s3_uri)
    assert len(storage.names("dannynet-mini")) == 3
    best = max(search.runs(), key=lambda run: run.record.metrics["best/auroc_macro"])
    for run in search.runs():
        assert not run.best_weights.exists()
        storage.pull(tmp_path / "back" / run.path.name, f"dannynet-mini/{run.path.name}")
        is_kept = (tmp_path / "back" / run.path.name / "best.safetensors").exists()
        assert is_kept == (run.path.name == best.path.name)
