"""`benchmark`: the final runs of a plan, and the comparison table that they make."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.benchmark.contestants import contestants
from harness.benchmark.figures import write_figures
from harness.benchmark.final_runs import final_runs
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.render import summary_rows, write_table
from harness.benchmark.table import ComparisonTable, build_table
from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.records import FailureReason, Outcome
from harness.core.run import Run
from harness.data.store import ImageStore
from harness.jobs.place import (
    Place,
    Tracked,
    get_ready,
    machine_of,
    open_images,
    open_storage,
    tracked,
)
from harness.search.control import LOCK_FILE
from harness.search.progress import ProgressDisplay
from harness.search.ray_session import Resources
from harness.search.run_book import RunList
from harness.search.search import read_plan
from harness.tracking import Tracker


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
    with held(folder / "runs" / LOCK_FILE):
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

        def rows_of_table() -> list[dict[str, Any]]:
            headers, cells = summary_rows(build_table(plan, rows, runs, images.manifest))
            return [dict(zip(headers, row, strict=True)) for row in cells]

        def finish() -> None:
            table = build_table(plan, rows, runs, images.manifest)
            paths = [*write_table(table, folder), *write_figures(table, folder)]
            tracker.log_files(plan.name, paths)
            tracker.log_figures(runs[: len(rows)])  # one run of each row

        job = Tracked(
            name=plan.name,
            kind="benchmark",
            ended=ended,
            directories=lambda: [run.directory for run in runs],
            outcome=lambda: Outcome.COMPLETED,
            rows=rows_of_table,
            finish=finish,
        )
        resources = None
        if to_run:
            recipes = [row.recipe for row in rows]
            resources = get_ready(
                place, recipes, images, num_runs=len(to_run), num_kept=len(to_run)
            )
        with tracked(tracker, job):
            if resources:
                _make(to_run, place=place, resources=resources, images=images, tracker=tracker)
        return build_table(plan, rows, runs, images.manifest)


def _make(
    runs: Sequence[Run], *, place: Place, resources: Resources, images: ImageStore, tracker: Tracker
) -> None:
    from harness.search.execution import execute  # a finished job needs no Ray

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
