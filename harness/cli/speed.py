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


@speed_app.command("train")
def train(
    steps: Annotated[int, typer.Option(min=3, help="Steps of each network that are timed.")] = 20,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    out: Annotated[Path, typer.Option("--out", help="Folder of train.json and train.md.")] = Path(
        "results/speed"
    ),
) -> None:
    """Measure what a training step and an epoch's end cost, and the same step by hand.

    Example: harness speed train --threads 2
    """
    folder = _made(out)
    from harness.speed.measure import describe_hardware
    from harness.speed.reports import measure_reports
    from harness.speed.train import HEADERS, MODELS, Work, compare, rows_of, write_train_report

    hardware = describe_hardware()
    works = [Work(model, num_timed=steps, threads=threads) for model in MODELS]
    speed = compare(works, _say, measure_reports)
    print_table(HEADERS, rows_of(speed))
    for path in write_train_report(speed, hardware, folder):
        print(f"wrote {path}")


@speed_app.command("gpu")
def gpu(
    part: Annotated[
        list[str] | None, typer.Option(help="Only steps, loop, trials or compilations; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of gpu.json and gpu.md.")] = Path(
        "results/speed"
    ),
) -> None:
    """Measure what one GPU makes of the training step, and which --speedups pay there.

    Example: harness speed gpu --part steps
    """
    from harness.speed.gpu import main

    words = [word for each in part or () for word in ("--part", each)]
    raise typer.Exit(main([*words, "--out", str(out)]))


def _made(folder: Path) -> Path:
    """The folder, made now: minutes later would be too late to learn that it cannot be."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _say(line: str) -> None:
    print(f"measuring {line}", flush=True)
