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
    folder = out.resolve()
    folder.mkdir(parents=True, exist_ok=True)  # minutes later would be too late to learn of it
    from harness.speed.measure import describe_hardware
    from harness.speed.report import HEADERS, rows_of, write_report
    from harness.speed.search import compare

    hardware = describe_hardware()
    measurements = compare(trials, lambda line: print(f"measuring {line}", flush=True))
    print_table(HEADERS, rows_of(measurements))
    for path in write_report(measurements, hardware, folder):
        print(f"wrote {path}")
