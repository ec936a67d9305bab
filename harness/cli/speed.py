"""`harness speed`: what the harness itself costs, measured here and now."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.console import print_table

if TYPE_CHECKING:
    from harness.speed.report import Speed

speed_app = typer.Typer(help="Measure what the harness itself costs.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", help="Folder of the JSON, the page and the picture.")]
DEFAULT_OUT = Path("results/speed")


@speed_app.callback()
def speed() -> None:
    """Measure what the harness itself costs."""


@speed_app.command("search")
def search(
    trials: Annotated[int, typer.Option(min=2, help="Trivial trials of the harness.")] = 20,
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure what a search costs beside its training.

    Stock Ray Tune does the same work. With --trials 300 it also shows whether the driver's
    memory grows.

    Example: harness speed search --trials 300
    """
    from harness.speed.search import measure_search

    _run("search", out, partial(measure_search, trials))


@speed_app.command("evaluation")
def evaluation(out: Out = DEFAULT_OUT) -> None:
    """Measure what figures and their intervals cost.

    scikit-learn does the same work.

    Example: harness speed evaluation --out results/speed
    """
    from harness.speed.evaluation import measure_evaluation

    _run("evaluation", out, measure_evaluation)


@speed_app.command("data")
def data(
    images: Annotated[int, typer.Option(min=8, help="Images of 1024 px that are decoded.")] = 64,
    root: Annotated[
        Path | None, typer.Option(help="Folder of PNG files to decode. Without: drawn ones.")
    ] = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure how fast images are decoded, stored and read.

    Others' ways of it are measured, too.

    Example: harness speed data --root /data/nih/images --images 64
    """
    from harness.speed.data import measure_data

    root = root.resolve() if root else None
    _run("data", out, lambda tell: measure_data(images, root=root, tell=tell))


@speed_app.command("tracking")
def tracking(out: Out = DEFAULT_OUT) -> None:
    """Measure for how long an epoch's metrics hold up a run.

    MLflow's own calls are measured, too.

    Example: harness speed tracking --out results/speed
    """
    from harness.speed.tracking import measure_tracking

    _run("tracking", out, measure_tracking)


@speed_app.command("train")
def train(
    steps: Annotated[int, typer.Option(min=3, help="Steps of each network that are timed.")] = 20,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure what a training step and an epoch's end cost.

    The same step by hand is measured, too.

    Example: harness speed train --threads 2
    """
    from harness.speed.train import measure_train

    _run("train", out, partial(measure_train, steps, threads))


@speed_app.command("gpu")
def gpu(
    part: Annotated[
        list[str] | None, typer.Option(help="Only steps, loop, trials, compiled or compilations.")
    ] = None,
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure the training step on one GPU: which --speedups pay.

    Example: harness speed gpu --part steps
    """
    from harness.speed.gpu import main

    words = [word for each in part or () for word in ("--part", each)]
    raise typer.Exit(main([*words, "--out", str(out)]))


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
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure how many trial-epochs a search needs.

    Ray's and Optuna's own ways are measured beside it.

    Example: harness speed efficiency --tasks dev --seeds 3
    """
    from harness.speed.lcbench import lcbench_folder

    folder = lcbench_folder(lcbench)
    from harness.speed.efficiency import task_set
    from harness.speed.efficiency_page import measure_efficiency

    _run("efficiency", out, partial(measure_efficiency, folder, task_set(tasks), seeds))


def _run(name: str, out: Path, measure: "Callable[[Callable[[str], None]], Speed]") -> None:
    """Measure, show the table, and write it into a folder."""
    folder = out.resolve()
    folder.mkdir(parents=True, exist_ok=True)  # minutes later is too late to learn it cannot be
    from harness.speed.instruments import describe_hardware
    from harness.speed.report import write_speed

    hardware = describe_hardware()
    speed = measure(_say)
    for table in speed.tables:
        print_table(table.headers, table.rows)
    for path in write_speed(folder / name, speed, hardware):
        print(f"wrote {path}")


def _say(line: str) -> None:
    print(f"measuring {line}", flush=True)
