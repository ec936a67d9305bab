"""`benchmark`: the final runs of a plan, and the comparison table that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.benchmark.comparison import (
    COMPARISON_FILE,
    Comparison,
    Images,
    cases_of,
    write_cases,
    write_foreign,
)
from harness.benchmark.contestants import Contestant, contestants
from harness.benchmark.final_runs import final_runs
from harness.benchmark.foreign import ForeignScores, join, read_scores
from harness.benchmark.forms import RESULTS_FILE, read_results
from harness.benchmark.labelled import Labelled
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.published import find_published
from harness.benchmark.report import is_current
from harness.benchmark.results import Results
from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.looks import Look, collect_looks, record_looks
from harness.core.machine import Machine
from harness.core.predictions import Predictions
from harness.core.records import FailureReason, Outcome
from harness.core.run import Run
from harness.core.selection import SCORE
from harness.data.splits import Split, make_split
from harness.data.store import ImageStore
from harness.execution.progress import ProgressDisplay
from harness.execution.ray_session import Resources
from harness.execution.run_book import RunList
from harness.jobs.evaluate import reported
from harness.jobs.explain import explain_final_runs
from harness.jobs.place import Place, get_ready, machine_of, open_images, open_storage
from harness.jobs.tracked import Tracked, tracked
from harness.models.seen import contamination
from harness.search.control import LOCK_FILE
from harness.search.history import search_history
from harness.search.plan import read_plan
from harness.tracking import Tracker


@dataclass(frozen=True, kw_only=True)
class Entered:
    """What else enters a benchmark, beside what its plan names.

    Attributes:
        store: Image store to train on; None for that which the searches chose on.
        predictions: Files of predictions from elsewhere, by the name of their row.
        allow_contaminated: Weights that may have seen test images may compete; their rows say so.
    """

    store: Path | None = None
    predictions: Mapping[str, Path] = field(default_factory=dict)
    allow_contaminated: bool = False


def benchmark(plan: BenchmarkPlan, *, place: Place, entered: Entered = Entered()) -> Results:
    """Train the final runs of a plan, score test once each, and write all forms of the results.

    Raises:
        HarnessError: Something is wrong that can be seen before the first run.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    rows = contestants(plan, place.results)
    recipes = [row.recipe for row in rows]
    images = open_images(entered.store or _store_of(plan, place.results), recipes)
    folder = place.results / plan.name
    with held(folder / "runs" / LOCK_FILE):
        _write_comparison(plan, rows, images, folder=folder, entered=entered)
        runs = final_runs(
            rows,
            seeds=plan.seeds,
            benchmark=plan.name,
            results=place.results,
            store=images.fingerprint,
        )
        tracker = Tracker.open(place.results, place.tracking_uri)
        ended = [run for run in runs if not _is_open(run)]
        to_run = [run for run in runs if _is_open(run)]
        place.console.print(
            f"benchmark {plan.name}: {len(runs)} final runs: {len(ended)} done, "
            f"{len(to_run)} to run"
        )
        if note := note_on_published(plan, is_synthetic=images.manifest.is_synthetic):
            place.console.print(note, soft_wrap=True)

        def finish() -> None:
            if plan.statistics.boxes:
                machine = Machine(store=images.path, num_threads=place.resources.cpus)
                explain_final_runs(runs, images, machine, place.console)
            collect_looks(place.results, [run.directory.path for run in runs])
            if is_current(folder):
                return
            _, paths = reported(folder, place.console)
            tracker.log_files(plan.name, paths)
            tracker.log_figures(runs[: len(rows)])  # one run of each row

        job = Tracked(
            name=plan.name,
            kind="benchmark",
            ended=ended,
            directories=lambda: [run.directory for run in runs],
            outcome=lambda: Outcome.COMPLETED,
            rows=lambda: [_row_of(run) for run in runs],
            finish=finish,
        )
        resources = None
        if to_run:
            resources = get_ready(
                place, recipes, images, num_runs=len(to_run), num_kept=len(to_run)
            )
        with tracked(tracker, job):
            if resources:
                _make(to_run, place=place, resources=resources, images=images, tracker=tracker)
        return read_results(folder / RESULTS_FILE)


def note_on_published(plan: BenchmarkPlan, *, is_synthetic: bool) -> str:
    """That the published row which a plan asks for is not shown; empty where it is, or none is."""
    wanted = plan.statistics.reproduce
    if not wanted or not is_synthetic:
        return ""
    return f"--reproduce {wanted}: nothing published is shown beside synthetic images"


def _write_comparison(
    plan: BenchmarkPlan,
    rows: Sequence[Contestant],
    images: ImageStore,
    *,
    folder: Path,
    entered: Entered,
) -> None:
    """Write all that the figures need beside the final runs."""
    if plan.statistics.reproduce:
        find_published(plan.statistics.reproduce)
    split = make_split(images, rows[0].recipe.data.split)
    scores = {
        name: read_scores(path, findings=images.findings)
        for name, path in entered.predictions.items()
    }
    foreign = {name: _joined(found, images, split) for name, found in scores.items()}
    seen = {
        row.label: (f"contaminated: {reason}",)
        for row in rows
        if (reason := contamination(row.recipe.model.weights, split, images))
    }
    if seen and not entered.allow_contaminated:
        label, (reason,) = next(iter(seen.items()))
        raise HarnessError(
            f"{label}: {reason}; take other weights, or compare with --allow-contaminated, which "
            "the table will say"
        )
    statistics = plan.statistics
    if not images.manifest.has_patients:
        statistics = statistics.with_options(unit="image")
    names = {row.origin.search for row in rows if row.origin}
    comparison = Comparison(
        name=plan.name,
        title=plan.title or plan.name,
        statistics=statistics,
        images=Images.of_store(images, split),
        contestants=tuple(rows),
        num_seeds=plan.seeds,
        foreign={name: found.sha256 for name, found in scores.items()},
        searches={
            name: search_history(folder.parent / "searches" / name) for name in sorted(names)
        },
        stamps=_joined_stamps(_budget_stamps(rows), seen),
    )
    if (folder / COMPARISON_FILE).exists() and Comparison.read(folder) == comparison:
        return
    write_cases(cases_of(images, split), folder)
    for name, parts in foreign.items():
        write_foreign(folder, name, parts)
    record_looks(
        folder.parent,
        [
            Look.of_this_code(
                name, run_id=found.sha256, thresholds_sha256="", split_sha256=split.sha256
            )
            for name, found in scores.items()
        ],
    )
    comparison.write(folder)  # the last: where it stands, all of this is done


def _joined(scores: ForeignScores, images: ImageStore, split: Split) -> dict[str, Predictions]:
    """Predictions from elsewhere of the test images, and of validation where all of it is there."""
    parts = {"test": join(scores, Labelled.of_store(images, split.test))}
    val = Labelled.of_store(images, split.val)
    if scores.covers(val):
        parts["val"] = join(scores, val)
    return parts


def _budget_stamps(rows: Sequence[Contestant]) -> dict[str, tuple[str, ...]]:
    """What the winners of searches of different lengths must warn of."""
    budgets = {row.label: row.origin.num_planned for row in rows if row.is_winner and row.origin}
    if len(set(budgets.values())) < 2:
        return {}
    return {
        label: (f"unequal budget: the best of {number} trials, another row's of {max(others)}",)
        for label, number in budgets.items()
        if (others := [other for other in budgets.values() if other != number])
    }


def _joined_stamps(*stamps: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    labels = dict.fromkeys(label for each in stamps for label in each)
    return {label: tuple(s for each in stamps for s in each.get(label, ())) for label in labels}


def _row_of(run: Run) -> dict[str, Any]:
    """A final run as a row of MLflow's table; its test figures are in the report."""
    record = run.directory.record
    return {
        "run": run.name,
        "outcome": str(run.directory.status),
        SCORE: record.metrics.get(SCORE) if record else None,
        "epochs": len(run.directory.epochs),
    }


def _make(
    runs: Sequence[Run], *, place: Place, resources: Resources, images: ImageStore, tracker: Tracker
) -> None:
    from harness.execution.ray_tune import execute  # a finished job needs no Ray

    name = runs[0].group
    display = ProgressDisplay(f"benchmark {name}", total=len(runs), console=place.console)
    with display:
        execute(
            RunList(runs),
            machine=machine_of(images, resources),
            resources=resources,
            scratch=runs[0].directory.path.parent / "ray",
            listeners=[tracker, display],
            storage=open_storage(place),
            may_grow=place.address is not None,
        )


def _store_of(plan: BenchmarkPlan, results: Path) -> Path:
    if not plan.searches:
        raise HarnessError(f"benchmark {plan.name}: it names no search, so name a store: --data")
    return read_plan(results / "searches" / plan.searches[0]).store


def _is_open(run: Run) -> bool:
    """True for a final run that should be made: new, cut short, or failed by a fault outside it."""
    status = run.directory.status
    if status.outcome is Outcome.FAILED:
        return status.reason is not FailureReason.DIVERGED
    return run.directory.test_evaluation is None
