"""The commands that compare: `benchmark`, `evaluate`, `report`."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import RESULTS, Address, CpusPerTrial, GpusPerTrial, Results, StorageUri
from harness.console import say_results
from harness.core.imports import import_quickly
from harness.words import named_files, place_of, plan_of, writable

Resamples = Annotated[
    int | None, typer.Option("--resamples", help="Bootstrap resamples behind each interval: 2000.")
]
ByImage = Annotated[
    bool,
    typer.Option("--by-image", help="Intervals over images, too narrow, in place of patients."),
]


def benchmark(
    plan: Annotated[str | None, typer.Argument(help="A plan: a file, or a shipped name.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Image store; without: the searches' own.")
    ] = None,
    search: Annotated[
        list[str] | None, typer.Option("--search", help="In place of a plan: a search. Repeatable.")
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name of the benchmark, and of its folder; else the plan's.")
    ] = "",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Fresh seeds; else as the plan says, or 3.")
    ] = None,
    predictions: Annotated[
        list[str] | None,
        typer.Option("--predictions", help="NAME=FILE.csv: scores from elsewhere as a row."),
    ] = None,
    reproduce: Annotated[
        str | None, typer.Option(help="A published row to set beside ours: dannynet.")
    ] = None,
    ensembles: Annotated[
        bool, typer.Option("--ensembles", help="Means of seeds and of winners as rows, too.")
    ] = False,
    boxes: Annotated[
        bool | None,
        typer.Option("--boxes/--no-boxes", help="Hold the maps against the store's boxes."),
    ] = None,
    unequal_budgets: Annotated[
        bool,
        typer.Option(
            "--unequal-budgets", help="Compare searches of different lengths all the same."
        ),
    ] = False,
    allow_contaminated: Annotated[
        bool,
        typer.Option("--allow-contaminated", help="Score weights that may have seen test images."),
    ] = False,
    resamples: Resamples = None,
    by_image: ByImage = False,
    address: Address = None,
    storage: StorageUri = None,
    cpus_per_trial: CpusPerTrial = 1,
    gpus_per_trial: GpusPerTrial = None,
    results: Results = RESULTS,
) -> None:
    """Train winners anew, score test once a seed, write the table.

    Published recipes are trained beside them.

    Examples: harness benchmark nih; harness benchmark --search dannynet --search chexnet
    --predictions theirs=theirs.csv --reproduce dannynet
    """
    chosen = plan_of(plan, search or [], name=name, seeds=seeds).with_options(
        resamples=resamples,
        unit="image" if by_image else None,
        ensembles=ensembles or None,
        reproduce=reproduce,
        boxes=boxes,
        unequal_budgets=unequal_budgets or None,
    )
    place = place_of(results, address, cpus_per_trial, gpus_per_trial, storage)
    import_quickly("harness.jobs.benchmark")  # takes seconds: mistakes above are told first
    from harness.jobs.benchmark import Entered
    from harness.jobs.benchmark import benchmark as run_benchmark

    entered = Entered(
        store=data.resolve() if data else None,
        predictions=named_files(predictions or []),
        allow_contaminated=allow_contaminated,
    )
    found = run_benchmark(chosen, place=place, entered=entered)
    say_results(found, place.results / chosen.name)
    raise typer.Exit(3 if found.is_partial else 0)


def evaluate(
    predictions: Annotated[
        list[str],
        typer.Option("--predictions", help="FILE.csv, or NAME=FILE.csv. Repeatable: rows."),
    ],
    labels: Annotated[
        Path, typer.Option("--labels", help="Label table, such as Data_Entry_2017_v2020.csv.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder that is written.")],
    val_predictions: Annotated[
        list[str] | None,
        typer.Option("--val-predictions", help="The same, of validation: to tune thresholds on."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", help="List of the test images, such as test_list.txt."),
    ] = None,
    resamples: Resamples = None,
    by_image: ByImage = False,
) -> None:
    """Score predictions of any model, as a benchmark does its own.

    The figures, intervals and forms are the same.

    Example: harness evaluate --predictions theirs.csv --labels Data_Entry_2017_v2020.csv
    --images test_list.txt --out theirs
    """
    from harness.benchmark.plan import StatisticsPlan

    out, options = writable(out), {"unit": "image" if by_image else "patient"}
    statistics = StatisticsPlan().with_options(resamples=resamples, **options)
    # Takes seconds, so a mistake above is told first.
    from harness.jobs.evaluate import Evaluated
    from harness.jobs.evaluate import evaluate as score

    found = score(
        Evaluated(
            predictions=named_files(predictions),
            val_predictions=named_files(val_predictions or []),
            labels=labels.resolve(),
            images=images.resolve() if images else None,
        ),
        out=out,
        statistics=statistics,
    )
    say_results(found, out)


def report(
    folder: Annotated[Path, typer.Argument(help="What `harness benchmark` or `evaluate` wrote.")],
) -> None:
    """Make table, report and figures again from stored predictions.

    It needs no GPU, no images, no network.

    Example: harness report results/nih
    """
    folder = writable(folder)
    from harness.jobs.evaluate import report as write_report

    say_results(write_report(folder), folder)
