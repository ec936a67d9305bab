"""Searches and final runs as they lie on disk, with real predictions and evaluations, untrained."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from harness.benchmark.comparison import Comparison, Images, write_cases
from harness.benchmark.contestants import contestants
from harness.benchmark.final_runs import final_runs
from harness.benchmark.plan import BenchmarkPlan, StatisticsPlan
from harness.benchmark.results import Results
from harness.benchmark.statistics import compute_results
from harness.core.files import write_json
from harness.core.findings import FINDINGS
from harness.core.predictions import Predictions
from harness.core.recipe import Recipe
from harness.core.records import Outcome, Provenance, RunRecord, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.data.store import StoreManifest
from harness.evaluation.evaluate import evaluate
from harness.evaluation.subgroups import Cases
from harness.evaluation.thresholds import tune_thresholds

NUM_IMAGES = 60
RULE = Recipe().evaluation.threshold_rule
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
IMAGES = Images(
    store_source="phantom",
    is_synthetic=True,
    label_version="phantom-1",
    labels_sha256="cd" * 32,
    fingerprint=STORE,
    split="official",
    split_sha256="ab" * 32,
    num_train=600,
    num_val_patients=20,
)


def make_predictions(seed: int, *, signal: float = 1.0, without: str = "") -> Predictions:
    """Scores of 60 images of 20 patients; no image has the finding `without`."""
    generator = np.random.default_rng(seed)
    label_NL = np.random.default_rng(0).random((NUM_IMAGES, len(FINDINGS))) < 0.3
    label_NL &= np.array(FINDINGS) != without
    logit_NL = signal * label_NL + generator.normal(size=label_NL.shape) - 1
    return Predictions(
        score_NL=(1 / (1 + np.exp(-logit_NL))).astype(np.float32),
        label_NL=label_NL,
        is_known_NL=np.ones_like(label_NL),
        image_ids=np.array([f"{image:03}.png" for image in range(NUM_IMAGES)]),
        patient_ids=np.array([f"{image // 3:03}" for image in range(NUM_IMAGES)]),
        findings=FINDINGS,
    )


CASES = Cases(
    image_ids=make_predictions(0).image_ids,
    patient_ids=make_predictions(0).patient_ids,
    sex=np.where(np.arange(NUM_IMAGES) // 3 % 2, "M", "F"),
    age=np.where(np.arange(NUM_IMAGES) < 3, np.nan, 30.0 + np.arange(NUM_IMAGES) // 3),
    view=np.where(np.arange(NUM_IMAGES) % 3, "PA", "AP"),
)


def make_space(name: str) -> SearchSpace:
    """A space of one parameter around a published recipe; `beta` is around one of our own."""
    rate = {"kind": "log_float", "low": 1e-6, "high": 1e-2, "default": 5e-5}
    is_ours = name == "beta"
    header = {"name": name, "title": name, "source": "", "published": not is_ours}
    base = {"train": {"batch_size": 16 if is_ours else 8}}
    return SearchSpace.model_validate(header | {"base": base, "space": {"optim.lr": rate}})


def finish(run: RunDirectory, recipe: Recipe, score: float, *, seed: int = 3) -> None:
    """Write what a completed run leaves."""
    val = make_predictions(seed)
    thresholds = tune_thresholds(val, RULE)
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
        val=evaluate(val, thresholds=thresholds, rule=RULE, part="val"),
    )
    run.path.mkdir(parents=True, exist_ok=True)
    val.save(run.predictions_file("val"))
    run.write_thresholds(RULE, thresholds)
    run.write_recipe(recipe)
    run.write_provenance(provenance)
    run.write_record(record)
    run.set_status(Status(outcome=Outcome.COMPLETED))


def score(run: RunDirectory, test: Predictions) -> None:
    """Write what scoring test leaves."""
    thresholds = run.thresholds or {}
    test.save(run.predictions_file("test"))
    run.write_test_evaluation(evaluate(test, thresholds=thresholds, rule=RULE, part="test"))


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
        num_planned: int = 3,
    ) -> Path:
        """A search of which `trials` (learning rate, validation score) have completed."""
        space = space or make_space(name)
        folder = self.results / "searches" / name
        about = {"name": name, "space": space.model_dump(mode="json"), "store": "/none",
                 "store_fingerprint": store, "num_trials": num_planned, "seed": 0}  # fmt: skip
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

    def compare(self, plan: BenchmarkPlan, **about: object) -> Results:
        """The results of what lies in the folders now."""
        folder = self.results / plan.name
        comparison = Comparison(
            name=plan.name,
            title=plan.title or plan.name,
            statistics=StatisticsPlan(resamples=200),
            images=IMAGES,
            contestants=tuple(contestants(plan, self.results)),
            num_seeds=plan.seeds,
        )
        comparison.model_copy(update=about).write(folder)
        write_cases(CASES, folder)
        return compute_results(folder)


PLAN = BenchmarkPlan(name="duel", title="A duel", searches=("alpha", "beta"), seeds=2)


def make_lab(folder: Path) -> Lab:
    """Two searches: in `alpha` trial 2 won, in `beta` trial 0, the default point."""
    lab = Lab(folder / "results")
    lab.add_search("alpha", [(5e-5, 0.70), (1e-3, 0.65), (1e-4, 0.80)])
    lab.add_search("beta", [(5e-5, 0.75), (1e-3, 0.60)])
    return lab


def scores_of(place: int, name: str) -> Predictions:
    """What the final run at a place of the plan scores; tuned ones are better."""
    return make_predictions(10 + place, signal=2.0 if "tuned" in name else 1.0, without="Hernia")


def score_all(lab: Lab, plan: BenchmarkPlan) -> Lab:
    """Train and score all final runs."""
    lab.runs = lab.plan_runs(plan)
    for place, run in enumerate(lab.runs):
        finish(run.directory, run.recipe, 0.7 + place / 100, seed=20 + place)
        score(run.directory, scores_of(place, run.name))
    return lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path)


@pytest.fixture
def plan() -> BenchmarkPlan:
    return PLAN


@pytest.fixture
def scored_lab(lab: Lab, plan: BenchmarkPlan) -> Lab:
    return score_all(lab, plan)
