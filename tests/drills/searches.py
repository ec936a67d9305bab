"""What the drills share: searches as processes of their own, and what they leave behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.files import sha256_of_file
from harness.core.ledger import Ledger
from harness.core.records import Outcome
from harness.core.run_dir import RunDirectory
from harness.tracking.store import EXPERIMENT

SMALL = ["--set", "data.resize_px=32", "--set", "data.input_px=32"]


class Search:
    """The same search command, as often as wanted."""

    def __init__(self, results: Path, *words: object, environment: dict[str, str] | None = None):
        self.results = results
        self.words = [str(word) for word in words]
        self.environment = os.environ | {"HF_HUB_OFFLINE": "1"} | (environment or {})
        self.log = results.parent / f"{results.name}.log"

    @property
    def folder(self) -> Path:
        name = self.words[self.words.index("--name") + 1] if "--name" in self.words else None
        return self.results / "searches" / (name or self.words[0])

    def start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "harness", "search", *self.words]
        with self.log.open("a") as log:
            return subprocess.Popen(
                [*command, "--results", str(self.results)],
                stdout=log, stderr=log, start_new_session=True, env=self.environment,
            )  # fmt: skip

    def finish(self, timeout_s: float = 900) -> int:
        process = self.start()
        try:
            return process.wait(timeout_s)
        finally:
            kill(process)

    def states(self) -> dict[str, str]:
        return {run.path.name: str(run.status) for run in self.runs()}

    def runs(self) -> list[RunDirectory]:
        return [RunDirectory(path) for path in sorted(self.folder.glob("t0*"))]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.jsonl")

    def picture(self) -> dict[str, tuple]:
        """Of every trial: its state, its recipe, its curve without times, its kept weights."""
        return {run.path.name: self._picture(run) for run in self.runs()}

    @staticmethod
    def _picture(run: RunDirectory) -> tuple:
        curve = [
            {name: value for name, value in report.metrics.items() if name != "time/epoch_s"}
            for report in run.epochs
        ]
        weights = sha256_of_file(run.best_weights) if run.best_weights.exists() else None
        return str(run.status), run.recipe.run_id, curve, weights


def kill(process: subprocess.Popen) -> None:
    """kill -9 of the driver, and of nothing else."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


def wait_until(true: Callable[[], object], process: subprocess.Popen, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert process.poll() is None, "the search has ended"
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)


def check_mlflow(search: Search, uri: str | None = None) -> None:
    """One parent, one child a trial, none running, each curve whole and told once."""
    from mlflow import MlflowClient

    client = MlflowClient(uri or f"sqlite:///{search.results / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = list(client.search_runs([experiment.experiment_id], max_results=1000))
    assert {run.info.status for run in found} <= {"FINISHED", "FAILED", "KILLED"}
    kinds = [run.data.tags["harness.kind"] for run in found]
    assert kinds.count("search") == 1
    children = {
        run.data.tags["harness.run"]: run
        for run in found
        if run.data.tags["harness.kind"] == "trial"
    }
    assert kinds.count("trial") == len(children) == len(search.runs())
    for directory in search.runs():
        child = children[directory.path.name]
        assert child.data.tags["harness.outcome"] == directory.status.outcome
        history = client.get_metric_history(child.info.run_id, "val/auroc_macro")
        steps = sorted(point.step for point in history)
        assert steps == list(range(1, len(directory.epochs) + 1)), directory
        told = {point.step: point.value for point in history}
        assert told == {
            report.epoch: pytest.approx(report.metrics["val/auroc_macro"])
            for report in directory.epochs
        }


def check_whole(search: Search, num_trials: int) -> None:
    """So many trials, each asked for once, each ended, each curve without gaps or doubles."""
    assert len(search.runs()) == num_trials
    ledger = search.ledger
    asked = [line.trial for line in ledger.lines if line.values is not None]
    assert sorted(asked) == sorted(set(asked)) == [run.path.name for run in search.runs()]
    for run in search.runs():
        assert run.status.outcome.is_final, run
        assert ledger.last(run.path.name).outcome is run.status.outcome
        assert [report.epoch for report in run.epochs] == list(range(1, len(run.epochs) + 1))
        if run.status.outcome is Outcome.COMPLETED:
            assert run.record.num_epochs == len(run.epochs)
