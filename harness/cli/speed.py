"""`harness speed`: what the harness itself costs, measured here and now."""

from pathlib import Path
from typing import Annotated

import typer

from harness.console import print_table

speed_app = typer.Typer(help="Measure what the harness itself costs.", no_args_is_help=True)


@speed_app.callback()
def speed() -> None:
    """Measure what the harness itself costs."""


@speed_app.command("search")
def search(
    trials: Annotated[int, typer.Option(min=2, help="Trivial trials of the harness.")] = 300,
    out: Annotated[Path, typer.Option("--out", help="Folder of search.json and search.md.")] = Path(
        "results/speed"
    ),
) -> None:
    """Measure what a search costs beside its training, and stock Ray Tune on the same work.

    Example: harness speed search --trials 300
    """
    folder = _made(out)
    from harness.speed.measure import describe_hardware
    from harness.speed.search import HEADERS, compare, rows_of, write_search_report

    hardware = describe_hardware()
    measurements = compare(trials, _say)
    print_table(HEADERS, rows_of(measurements))
    for path in write_search_report(measurements, hardware, folder):
        print(f"wrote {path}")


@speed_app.command("evaluation")
def evaluation(
    out: Annotated[
        Path, typer.Option("--out", help="Folder of evaluation.json and evaluation.md.")
    ] = Path("results/speed"),
) -> None:
    """Measure what figures and their intervals cost, and scikit-learn on the same work.

    Example: harness speed evaluation --out results/speed
    """
    folder = _made(out)
    from harness.speed.evaluation import HEADERS, compare, rows_of, write_evaluation_report
    from harness.speed.measure import describe_hardware

    hardware = describe_hardware()
    comparison = compare(_say)
    print_table(HEADERS, rows_of(comparison))
    for path in write_evaluation_report(comparison, hardware, folder):
        print(f"wrote {path}")


@speed_app.command("data")
def data(
    images: Annotated[int, typer.Option(min=8, help="Images of 1024 px that are decoded.")] = 64,
    root: Annotated[
        Path | None, typer.Option(help="Folder of PNG files to decode. Without: drawn ones.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of data.json and data.md.")] = Path(
        "results/speed"
    ),
) -> None:
    """Measure how fast images are decoded, beside Pillow, and read back from a store.

    Example: harness speed data --root /data/nih/images --images 64
    """
    folder = _made(out)
    from harness.speed.data import HEADERS, measure_data, rows_of, write_data_report
    from harness.speed.measure import describe_hardware

    hardware = describe_hardware()
    speed = measure_data(images, root=root.resolve() if root else None, tell=_say)
    print_table(HEADERS, rows_of(speed))
    for path in write_data_report(speed, hardware, folder):
        print(f"wrote {path}")


@speed_app.command("efficiency")
def efficiency(
    seeds: Annotated[int, typer.Option(min=1, help="Searches of each way on each task.")] = 10,
    tasks: Annotated[str, typer.Option(help="dev, held-out or all.")] = "all",
    lcbench: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_LCBENCH", help="Folder of the surrogate. Without: beside the checkout."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of efficiency.json, .md, .png.")
    ] = Path("results/speed"),
) -> None:
    """Measure how many trial-epochs a search needs, and Ray's and Optuna's own ways beside it.

    Example: harness speed efficiency --tasks dev --seeds 3
    """
    from harness.speed.lcbench import lcbench_folder

    folder = _made(out)
    from harness.speed.efficiency import compare, task_set
    from harness.speed.efficiency_page import HEADERS, rows_of, write_efficiency_report
    from harness.speed.measure import describe_hardware

    hardware = describe_hardware()
    found = compare(lcbench_folder(lcbench), tasks=task_set(tasks), num_seeds=seeds, tell=_say)
    print_table(HEADERS, rows_of(found))
    for path in write_efficiency_report(found, hardware, folder):
        print(f"wrote {path}")


def _made(folder: Path) -> Path:
    """The folder, made now: minutes later would be too late to learn that it cannot be."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _say(line: str) -> None:
    print(f"measuring {line}", flush=True)
