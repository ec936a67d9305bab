"""Run directories made by hand, and an MLflow database whose schema is made once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from harness.bundle.bundle import Bundle
from harness.core.predictions import Predictions
from harness.core.recipe import Recipe
from harness.core.records import EpochReport, Outcome, Provenance, RunRecord, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.evaluation.evaluate import evaluate
from harness.evaluation.thresholds import tune_thresholds
from harness.tracking import store_uri

FINDINGS = ("Atelectasis", "Cardiomegaly", "Hernia")
PROVENANCE = Provenance(
    git_commit="0123abc",
    git_dirty=False,
    versions={"torch": "2.15.0"},
    device="cpu",
    split="official",
    split_sha256="5" * 64,
    store_source="phantom",
    labels_sha256="1" * 64,
    started_at="2026-01-02T03:04:05+00:00",
)


@pytest.fixture
def results(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with an empty MLflow database in it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "results of a lab"
    folder.mkdir()
    shutil.copyfile(empty_database, folder / "mlflow.db")
    return folder


@pytest.fixture
def client(results: Path) -> MlflowClient:
    return MlflowClient(store_uri(results))


@pytest.fixture
def bundle(bundle_dir: Path) -> Bundle:
    return Bundle.read(bundle_dir)


@pytest.fixture
def make_run(results: Path) -> Callable[..., Run]:
    def make(name: str = "t0000-aaaaaa", *, lr: float = 1e-3, group: str = "dannynet") -> Run:
        values = {"optim.lr": lr}
        recipe = Recipe().with_values(values)
        directory = RunDirectory(results / "searches" / group / name)
        directory.write_recipe(recipe)
        directory.write_provenance(PROVENANCE)
        return Run(group, name, "trial", recipe, directory, values)

    return make


def epoch_report(epoch: int, score: float) -> EpochReport:
    return EpochReport(
        epoch=epoch,
        metrics={"train/loss": 1 / epoch, "val/auroc_macro": score, "best/auroc_macro": score},
    )


def predictions() -> Predictions:
    """40 images of 20 patients; nobody has a hernia."""
    draw = np.random.default_rng(0)
    label_NL = draw.random((40, 3)) < (0.5, 0.4, 0.0)
    score_NL = np.clip(0.3 * label_NL + 0.6 * draw.random((40, 3)), 0, 1).astype(np.float32)
    return Predictions(
        score_NL,
        label_NL,
        np.ones_like(label_NL),
        np.array([f"{row:03d}.png" for row in range(40)]),
        np.array([f"{row // 2:03d}" for row in range(40)]),
        FINDINGS,
    )


@pytest.fixture
def train() -> Callable[..., Status]:
    """Fills a run's directory as the trainer would have, and gives the status it ends with.

    Figures are drawn from predictions, which takes long, so these are written on demand.
    """

    def fill(run: Run, scores: tuple[float, ...], *, with_predictions: bool = False) -> Status:
        for epoch, score in enumerate(scores, start=1):
            run.directory.append_epoch(epoch_report(epoch, score))
        _write_results(run, scores)
        if with_predictions:
            predictions().save(run.directory.predictions_file("val"))
        status = Status(outcome=Outcome.COMPLETED)
        run.directory.set_status(status)
        return status

    return fill


def _write_results(run: Run, scores: tuple[float, ...]) -> None:
    val = predictions()
    thresholds = tune_thresholds(val, "f1")
    run.directory.write_thresholds("f1", thresholds)
    run.directory.best_weights.write_bytes(b"weights")
    record = RunRecord(
        run_id=run.recipe.run_id,
        recipe=run.recipe,
        provenance=PROVENANCE,
        best_epoch=len(scores),
        num_epochs=len(scores),
        duration_s=12.5,
        metrics={"best/auroc_macro": scores[-1], "best/epoch": float(len(scores))},
        val=evaluate(val, thresholds=thresholds, rule="f1", part="val"),
    )
    run.directory.write_record(record)
