"""The two long jobs whole, as the command line and the quickstart call them.

Each checks all that can be checked before the first run, then continues what its folder holds:
progress on the terminal, MLflow beside it, the run directories as the truth.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from harness.benchmark.contestants import contestants
from harness.benchmark.figures import write_figures
from harness.benchmark.final_runs import final_runs
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.render import summary_rows, write_table
from harness.benchmark.table import ComparisonTable, build_table
from harness.core.errors import HarnessError
from harness.core.files import read_json
from harness.core.findings import FINDINGS
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.records import FailureReason, Outcome, Status, now
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.data.splits import make_split
from harness.data.store import ImageStore
from harness.search.leaderboard import TrialSummary, count_outcomes, leaderboard, trial_dirs
from harness.search.progress import ProgressDisplay
from harness.search.ray_session import Resources, fit_resources, start_ray
from harness.search.search import (
    PLAN_FILE,
    SearchPlan,
    TrialSource,
    check_plan,
    run_search,
    write_plan,
)
from harness.tracking import Tracker


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job runs and writes.

    Attributes:
        results: Absolute path of the results folder, which every node must see.
        address: Of a Ray cluster; None for this machine alone.
        tracking_uri: Of an MLflow server; None for `MLFLOW_TRACKING_URI`, else a file in `results`.
        console: Where progress is shown.
    """

    results: Path
    address: str | None = None
    resources: Resources = field(default_factory=Resources)
    tracking_uri: str | None = None
    console: Console = field(
        default_factory=lambda: Console(stderr=True, markup=False, highlight=False)
    )


def search(
    space: SearchSpace, *, store: Path, num_trials: int, name: str, place: Place, seed: int = 0
) -> list[TrialSummary]:
    """Search a space, or finish a search that was begun; returns its trials, best first.

    Raises:
        HarnessError: Something is wrong that can be seen before the first trial.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    images = open_images(store, [space.base])
    search_dir = place.results / "searches" / name
    plan = SearchPlan(
        name=name,
        space=space,
        store=images.path,
        store_fingerprint=images.fingerprint,
        num_trials=num_trials,
        seed=seed,
    )
    check_plan(plan, search_dir)
    source = TrialSource(plan, search_dir)
    tracker = Tracker.open(place.results, place.tracking_uri)
    before = leaderboard(search_dir, plan.published)
    counts = count_outcomes(trial for trial in before if trial.status.outcome.is_final)
    place.console.print(f"search {name}: {describe_counts(counts, source.num_to_run)}")
    display = ProgressDisplay(
        f"search {name}", total=num_trials, console=place.console, done=counts, best=_best(before)
    )

    def finish() -> list[dict[str, Any]]:
        return [_leaderboard_row(trial) for trial in leaderboard(search_dir, plan.published)]

    resources = _ready(place, [space.base]) if source.num_to_run else None
    directories = partial(trial_dirs, search_dir)
    with _tracked(
        tracker, name, "search", ended=source.ended, directories=directories, finish=finish
    ):
        if resources:
            write_plan(plan, search_dir)
            with display:
                run_search(
                    source,
                    machine=_machine(images, resources),
                    resources=resources,
                    listeners=[tracker, display],
                )
    return leaderboard(search_dir, plan.published)


def benchmark(plan: BenchmarkPlan, *, place: Place, store: Path | None = None) -> ComparisonTable:
    """Train the final runs of a plan, score test once each, and write the comparison table.

    Without `store` the runs train on the store that the searches of the plan chose on.

    Raises:
        HarnessError: Something is wrong that can be seen before the first run.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    rows = contestants(plan, place.results)
    images = open_images(store or _store_of(plan, place.results), [row.recipe for row in rows])
    folder = place.results / plan.name
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
        f"benchmark {plan.name}: {len(runs)} final runs: {len(ended)} done, {len(to_run)} to run"
    )
    display = ProgressDisplay(f"benchmark {plan.name}", total=len(to_run), console=place.console)

    def finish() -> list[dict[str, Any]]:
        table = build_table(plan, rows, runs, images.manifest)
        paths = [*write_table(table, folder), *write_figures(table, folder)]
        tracker.log_files(plan.name, paths)
        headers, cells = summary_rows(table)
        return [dict(zip(headers, row, strict=True)) for row in cells]

    resources = _ready(place, [row.recipe for row in rows]) if to_run else None

    def directories() -> list[RunDirectory]:
        return [run.directory for run in runs]

    with _tracked(
        tracker, plan.name, "benchmark", ended=ended, directories=directories, finish=finish
    ):
        if resources:
            from harness.search.execution import RunList, execute  # a finished job needs no Ray

            with display:
                execute(
                    RunList(to_run),
                    machine=_machine(images, resources),
                    resources=resources,
                    scratch=folder / "runs" / "ray",
                    listeners=[tracker, display],
                )
    return build_table(plan, rows, runs, images.manifest)


def open_images(path: Path, recipes: Sequence[Recipe]) -> ImageStore:
    """The store at `path`, once it is sure that it has the splits of the recipes.

    Raises:
        HarnessError: There is no store, or a split cannot be made of it.
    """
    images = ImageStore.open(path)
    for name in {recipe.data.split for recipe in recipes}:
        make_split(images, name)
    return images


def check_networks(recipes: Sequence[Recipe]) -> None:
    """Build each network with the weights it starts from, so that a mistake in them is met now.

    Raises:
        HarnessError: There is no such network, or its weights cannot be had, or do not fit.
    """
    from harness.models.zoo import build_network  # torch and timm take seconds to import

    for model, input_px in {(recipe.model, recipe.data.input_px) for recipe in recipes}:
        build_network(model, num_findings=len(FINDINGS), input_px=input_px, seed=0)


def _ready(place: Place, recipes: Sequence[Recipe]) -> Resources:
    """What a run gets, once its network and a Ray that can give it are there."""
    check_networks(recipes)
    start_ray(place.address)
    return fit_resources(place.resources)


def describe_counts(counts: Mapping[Outcome, int], num_to_run: int) -> str:
    """`40 trials: 23 completed, 9 pruned, 2 failed, 6 to run`."""
    parts = [f"{count} {outcome}" for outcome, count in counts.items()]
    total = sum(counts.values()) + num_to_run
    noun = "trial" if total == 1 else "trials"
    return f"{total} {noun}: {', '.join([*parts, f'{num_to_run} to run'])}"


def _store_of(plan: BenchmarkPlan, results: Path) -> Path:
    if not plan.searches:
        raise HarnessError(f"benchmark {plan.name}: it names no search, so name a store: --data")
    return Path(read_json(results / "searches" / plan.searches[0] / PLAN_FILE)["store"])


def _is_open(run: Run) -> bool:
    """True for a final run that should be made: new, cut short, or failed by a fault outside it."""
    status = run.directory.status
    if status.outcome is Outcome.FAILED:
        return status.reason is not FailureReason.DIVERGED
    return run.directory.test_evaluation is None


def _machine(images: ImageStore, resources: Resources) -> Machine:
    device: Literal["cpu", "cuda"] = "cuda" if resources.gpus else "cpu"
    return Machine(store=images.path, device=device, num_threads=resources.cpus)


def _best(trials: Sequence[TrialSummary]) -> tuple[float, str] | None:
    scores = [(trial.score, trial.name) for trial in trials if trial.score is not None]
    return max(scores, default=None)


def _leaderboard_row(trial: TrialSummary) -> dict[str, Any]:
    changes = {path: own for path, (_, own) in trial.changes.items()}
    return {
        "trial": trial.name,
        "outcome": str(trial.status),
        SCORE: trial.score,
        "epochs": trial.num_epochs,
    } | changes


@contextmanager
def _tracked(
    tracker: Tracker,
    name: str,
    kind: Literal["search", "benchmark"],
    *,
    ended: Sequence[Run],
    directories: Callable[[], Sequence[RunDirectory]],
    finish: Callable[[], list[dict[str, Any]]],
) -> Iterator[None]:
    """The MLflow run of a job, closed with the truth about how and when the job ended.

    Args:
        ended: Runs of the job that an earlier call has made.
        directories: All of its runs, the last of which to end ends the job.
        finish: Makes the job's last files and returns the rows that MLflow shows.
    """
    tracker.group(name, kind)
    for run in ended:
        tracker.sync(run)
    outcome, rows = Outcome.FAILED, []
    try:
        yield
        outcome, rows = Outcome.COMPLETED, finish()
    except KeyboardInterrupt:
        outcome, rows = Outcome.PREEMPTED, finish()
        raise
    finally:
        last = max((directory.status.at for directory in directories()), default=now())
        tracker.end_group(Status(outcome=outcome, at=last), rows)
