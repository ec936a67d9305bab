"""Searches and final runs as they lie on disk, with real predictions and evaluations, untrained."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from harness.benchmark.contestants import contestants
from harness.benchmark.final_runs import final_runs
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.table import ComparisonTable, build_table
from harness.core.files import write_json
from harness.core.findings import FINDINGS
from harness.core.predictions import Predictions
from harness.core.recipe import Recipe
from harness.core.records import Evaluation, Outcome, Provenance, RunRecord, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.data.store import StoreManifest
from harness.evaluation.evaluate import evaluate
from harness.evaluation.thresholds import tune_thresholds

NUM_IMAGES = 60
MANIFEST = StoreManifest(
    source="phantom",
    is_synthetic=True,
    label_version="phantom-1",
    labels_sha256="cd" * 32,
    attribution="none",
    box_frame_px=64,
    num_images=NUM_IMAGES,
    size_px=64,
    images_sha256="1" * 64,
    table_sha256="2" * 64,
    boxes_sha256="3" * 64,
)
STORE = MANIFEST.fingerprint


def make_predictions(seed: int, *, signal: float = 1.0, without: str = "") -> Predictions:
    """Scores of 60 images of 20 patients; no image has the finding `without`."""
    generator = np.random.default_rng(seed)
    label_NL = np.random.default_rng(0).random((NUM_IMAGES, len(FINDINGS))) < 0.3
    label_NL &= np.array(FINDINGS) != without
    logit_NL = signal * label_NL + generator.normal(size=label_NL.shape) - 1
    return Predictions(
        score_NL=(1 / (1 + np.exp(-logit_NL))).astype(np.float32),
        label_NL=label_NL,
        image_ids=np.array([f"{image:03}.png" for image in range(NUM_IMAGES)]),
        patient_ids=np.array([f"{image // 3:03}" for image in range(NUM_IMAGES)]),
        findings=FINDINGS,
    )


def make_evaluation(seed: int, part: str, *, signal: float = 1.0, without: str = "") -> Evaluation:
    thresholds = tune_thresholds(make_predictions(seed, signal=signal))
    predictions = make_predictions(seed + 1, signal=signal, without=without)
    return evaluate(predictions, thresholds=thresholds, rule="f1", part=part)


def make_space(name: str) -> SearchSpace:
    """A space of one parameter around a published recipe; `beta` is around one of our own."""
    rate = {"kind": "log_float", "low": 1e-6, "high": 1e-2, "default": 5e-5}
    is_ours = name == "beta"
    header = {"name": name, "title": name, "source": "", "published": not is_ours}
    base = {"train": {"batch_size": 16 if is_ours else 8}}
    return SearchSpace.model_validate(header | {"base": base, "space": {"optim.lr": rate}})


def finish(run: RunDirectory, recipe: Recipe, score: float) -> None:
    """Write what a completed run leaves."""
    provenance = Provenance(
        git_commit="c0ffee" * 6,
        git_dirty=False,
        versions={},
        device="cpu",
        split="official",
        split_sha256="ab" * 32,
        store_source="phantom",
        labels_sha256="cd" * 32,
        num_parameters=6_968_206,
    )
    record = RunRecord(
        run_id=recipe.run_id,
        recipe=recipe,
        provenance=provenance,
        best_epoch=1,
        num_epochs=2,
        duration_s=1.0,
        metrics={SCORE: score},
        val=make_evaluation(3, "val"),
    )
    run.path.mkdir(parents=True, exist_ok=True)
    run.write_recipe(recipe)
    run.write_provenance(provenance)
    run.write_record(record)
    run.set_status(Status(outcome=Outcome.COMPLETED))


@dataclass
class Lab:
    """A results folder."""

    results: Path
    runs: list[Run] = field(default_factory=list)

    def add_search(
        self,
        name: str,
        trials: list[tuple[float, float]],
        *,
        store: str = STORE,
        space: SearchSpace | None = None,
    ) -> Path:
        """A search of which `trials` (learning rate, validation score) have completed."""
        space = space or make_space(name)
        folder = self.results / "searches" / name
        about = {"name": name, "space": space.model_dump(mode="json"), "store": "/none",
                 "store_fingerprint": store, "num_trials": len(trials), "seed": 0}  # fmt: skip
        write_json(folder / "search.json", about)
        for number, (rate, score) in enumerate(trials):
            recipe = space.recipe({"optim.lr": rate}).with_values({"data.store": store, "seed": 77})
            trial = RunDirectory(folder / f"t{number:04}-{recipe.run_id[:6]}")
            finish(trial, recipe, score)
        return folder

    def plan_runs(self, plan: BenchmarkPlan) -> list[Run]:
        return final_runs(
            contestants(plan, self.results),
            seeds=plan.seeds,
            benchmark=plan.name,
            results=self.results,
            store=STORE,
        )

    def table(self, plan: BenchmarkPlan) -> ComparisonTable:
        return build_table(plan, contestants(plan, self.results), self.plan_runs(plan), MANIFEST)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two searches: in `alpha` trial 2 won, in `beta` trial 0, the default point."""
    lab = Lab(tmp_path / "results")
    lab.add_search("alpha", [(5e-5, 0.70), (1e-3, 0.65), (1e-4, 0.80)])
    lab.add_search("beta", [(5e-5, 0.75), (1e-3, 0.60)])
    return lab


@pytest.fixture
def plan() -> BenchmarkPlan:
    return BenchmarkPlan(name="duel", title="A duel", searches=("alpha", "beta"), seeds=2)


@pytest.fixture
def scored_lab(lab: Lab, plan: BenchmarkPlan) -> Lab:
    """All final runs are trained and scored; tuned ones are better than default ones."""
    lab.runs = lab.plan_runs(plan)
    for place, run in enumerate(lab.runs):
        finish(run.directory, run.recipe, 0.7 + place / 100)
        signal = 2.0 if "tuned" in run.name else 1.0
        test = make_evaluation(10 + place, "test", signal=signal, without="Hernia")
        run.directory.write_test_evaluation(test)
    return lab
