"""The command line: one short function a command, heavy imports inside.

Exit codes: 0 all is well, 1 nothing came of it, 2 a mistake of the user's, 3 a partial table.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.console import (
    print_table,
    progress_bar,
    say_leaderboard,
    say_store,
    say_table,
    show_values,
)
from harness.core.errors import HarnessError
from harness.options import checked_name, in_set, place_of, settings_of, space_of, writable

app = typer.Typer(
    name="harness",
    help="Fair hyperparameter search and honest benchmark tables for chest X-ray classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Make image stores, and look into them.", no_args_is_help=True)
prepare_app = typer.Typer(help="Turn a data set into an image store.", no_args_is_help=True)
app.add_typer(data_app, name="data")
data_app.add_typer(prepare_app, name="prepare")

Results = Annotated[
    Path, typer.Option("--results", envvar="HARNESS_RESULTS", help="Folder of all that is written.")
]
Store = Annotated[Path, typer.Option("--data", help="Image store, made by `harness data prepare`.")]
Address = Annotated[
    str | None,
    typer.Option("--address", help="Ray cluster: `auto`, or host:port. Without: this machine."),
]
CpusPerTrial = Annotated[int, typer.Option(min=1, help="CPU cores, and torch threads, of a run.")]
GpusPerTrial = Annotated[
    float | None, typer.Option(min=0, help="GPUs of a run. Without: 1 where Ray has any.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder of the store to write.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all randomness.")]

RESULTS = Path("results")


UsageError: Any = typer.BadParameter.__base__
"""What Typer raises at a wrong command or option; no name for it is common to its versions."""

INTERRUPTED = 130


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and exit code 2.

    With HARNESS_DEBUG in the environment a mistake is shown as a trace.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        code = app(prog_name="harness", standalone_mode=False) or 0
    except UsageError as error:
        code = 2
        is_help = "\n" in error.message  # `harness data`, which names no command
        print(error.message) if is_help else _complain(_usage(error))
    except (HarnessError, OSError) as error:
        if "HARNESS_DEBUG" in os.environ:
            raise
        code = 2
        _complain(_system_message(error) if isinstance(error, OSError) else str(error))
    except KeyboardInterrupt:
        code = INTERRUPTED  # what Typer makes of it, too
    if code == INTERRUPTED:
        _complain("interrupted; the same command goes on from here")
    raise SystemExit(code)


def _complain(message: str) -> None:
    """`message` on stderr, each of its lines marked as ours."""
    for line in message.splitlines():
        print(f"harness: {line}", file=sys.stderr)


def _usage(error: Any) -> str:
    what = error.format_message().replace("Input should", "it should").rstrip(".?")
    return f"{what}; see `{error.ctx.command_path if error.ctx else 'harness'} --help`"


def _system_message(error: OSError) -> str:
    """A full disk, a folder that may not be written."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error} (HARNESS_DEBUG=1 shows where it was met)"


# Data -----------------------------------------------------------------------------------------


@prepare_app.command("nih")
def prepare_nih(
    root: Annotated[Path, typer.Option("--root", help="Folder of the unpacked NIH release.")],
    out: Out,
    size: Annotated[int, typer.Option(min=16, help="Side of the stored images, in pixels.")] = 256,
    max_bad: Annotated[int, typer.Option(min=0, help="Unreadable images that are borne.")] = 10,
) -> None:
    """Make an image store of NIH ChestX-ray14. Run again, it continues.

    Example: harness data prepare nih --root /data/nih --out /data/stores/nih-256
    """
    from harness.data.nih import prepare_nih

    with progress_bar("images") as progress:
        store = prepare_nih(
            root.resolve(), out.resolve(), size_px=size, max_bad=max_bad, progress=progress
        )
    say_store(store)


@data_app.command("phantom")
def phantom(
    out: Out,
    images: Annotated[int, typer.Option(min=50, help="Number of images.")] = 2000,
    size: Annotated[int, typer.Option(min=32, help="Side of the images, in pixels.")] = 256,
    seed: Seed = 0,
) -> None:
    """Draw a store of synthetic chest radiographs: nothing to download, no patient shown.

    Example: harness data phantom --out phantom-256 --images 2000
    """
    from harness.data.phantom import make_phantom

    with progress_bar("images") as progress:
        store = make_phantom(
            out.resolve(), num_images=images, size_px=size, seed=seed, progress=progress
        )
    say_store(store)


@data_app.command("show")
def show(
    store: Annotated[Path, typer.Argument(help="An image store.")],
    split: Annotated[str, typer.Option(help="Split whose parts are counted.")] = "official",
    sheet: Annotated[
        Path | None, typer.Option(help="Where the contact sheet goes; else into the store.")
    ] = None,
) -> None:
    """Count images per finding and part, and write a contact sheet.

    Example: harness data show phantom-256
    """
    from harness.data.contact_sheet import contact_sheet, summary_table
    from harness.data.splits import make_split
    from harness.data.store import ImageStore

    images = ImageStore.open(store.resolve())
    table = summary_table(images, make_split(images, split))
    print_table([str(table.index.name or ""), *table.columns], table.reset_index().values.tolist())
    path = sheet.resolve() if sheet else images.path / "contact_sheet.png"
    contact_sheet(images).save(path)
    print(f"wrote {path}")
    print(f"next: harness spaces, then harness search NAME --data {images.path} --trials 60")


# Spaces ---------------------------------------------------------------------------------------


@app.command()
def spaces(
    files: Annotated[
        list[str] | None, typer.Argument(help="Spaces to check: files, or shipped names.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(help="Write the JSON schema that lets editors complete a space.")
    ] = None,
) -> None:
    """List the shipped search spaces, or check and show some.

    Examples: harness spaces; harness spaces my_space.yaml
    """
    from harness.core.files import write_json
    from harness.core.space import SearchSpace, describe_space, shipped_spaces
    from harness.core.space_schema import space_schema

    if schema:
        write_json(schema.resolve(), space_schema())
        print(f"wrote {schema.resolve()}")
        return
    if not files:
        rows = [
            [space.name, space.title, ", ".join(space.parameters)]
            for space in map(SearchSpace.load, shipped_spaces().values())
        ]
        print_table(["space", "title", "searched"], rows)
        print("next: harness spaces NAME, or harness search NAME --data STORE --trials 60")
        return
    for name in files:
        space = SearchSpace.load(name)
        print(f"{space.name}: {space.title}\n{space.source}")
        rows = [list(row.values()) for row in describe_space(space)]
        print_table(["parameter", "range", "published", "when"], rows)


# Runs -----------------------------------------------------------------------------------------


@app.command()
def search(
    space: Annotated[str, typer.Argument(help="A search space: a file, or a shipped name.")],
    data: Store,
    trials: Annotated[int, typer.Option(min=1, help="Trials in all; trial 0 is the published.")],
    name: Annotated[str, typer.Option(help="Name of the search; without: the space's.")] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Fix a value of every recipe: --set train.epochs=5"),
    ] = None,
    address: Address = None,
    cpus_per_trial: CpusPerTrial = 1,
    gpus_per_trial: GpusPerTrial = None,
    seed: Seed = 0,
    results: Results = RESULTS,
) -> None:
    """Search a space on Ray, everything in MLflow. Run again, it continues.

    Example: harness search dannynet --data /data/stores/nih-256 --trials 60 --address auto
    """
    chosen = space_of(space, settings_of(settings or []))
    name = checked_name(name or chosen.name)
    place = place_of(results, address, cpus_per_trial, gpus_per_trial)
    from harness import jobs  # takes seconds, so a mistake above is told first

    board = jobs.search(
        chosen,
        store=data.resolve(),
        num_trials=trials,
        name=name,
        place=place,
        seed=seed,
    )
    say_leaderboard(board, place.results / "searches" / name)
    raise typer.Exit(0 if any(trial.status.outcome == "completed" for trial in board) else 1)


@app.command()
def train(
    space: Annotated[str, typer.Argument(help="The published recipe of this space is trained.")],
    data: Store,
    out: Annotated[Path, typer.Option("--out", help="Run directory. Run again, it continues.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value: --set optim.lr=1e-4")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    seed: Seed = 0,
) -> None:
    """Train one recipe here and now, without Ray, Optuna or MLflow.

    Example: harness train dannynet --data /data/stores/nih-256 --out runs/dannynet
    """
    from harness.core.machine import Machine
    from harness.core.records import EpochReport

    chosen = space_of(space, {})
    recipe = chosen.recipe(chosen.default_values())
    with in_set():
        recipe = recipe.with_values(settings_of(settings or []))
    from harness.data.store import ImageStore  # takes seconds, so a mistake above is told first
    from harness.trial import run_trial

    images = ImageStore.open(data.resolve())
    recipe = recipe.with_values({"data.store": images.fingerprint, "seed": seed})

    def report(epoch: EpochReport) -> None:
        shown = (f"{key} {epoch.metrics[key]:.4f}" for key in ("train/loss", "val/loss"))
        auroc = f"val AUROC {epoch.metrics['val/auroc_macro']:.4f}"
        print(f"epoch {epoch.epoch}/{recipe.train.epochs}  {'  '.join(shown)}  {auroc}")

    machine = Machine(store=images.path, num_threads=threads)
    record = run_trial(recipe, machine, out.resolve(), report)
    score = record.val.macro["auroc"]
    shown = "-" if score is None else f"{score:.4f}"
    print(f"kept epoch {record.best_epoch}: val AUROC {shown}\nwrote {out.resolve()}")


@app.command()
def winners(
    search: Annotated[str | None, typer.Option(help="Only of this search.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    results: Results = RESULTS,
) -> None:
    """Show the best completed trials of all searches, as MLflow has them.

    Example: harness winners --search dannynet
    """
    from harness import tracking

    rows = tracking.winners(results.resolve(), search=search, limit=limit)
    if not rows:
        raise HarnessError("no trial has completed yet: run `harness search` first, or again")
    print_table(
        ["search", "trial", "model", "val AUROC", "sampled"],
        [
            [row.search, row.run, row.model, f"{row.score:.4f}", show_values(row.values)]
            for row in rows
        ],
    )
    print("next: harness benchmark --search NAME, or harness ui to browse them")


@app.command()
def benchmark(
    plan: Annotated[str | None, typer.Argument(help="A plan: a file, or a shipped name.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Image store; without: the searches' own.")
    ] = None,
    search: Annotated[
        list[str] | None, typer.Option("--search", help="In place of a plan: a search. Repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of a benchmark given by --search.")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Fresh seeds, where --search is given.")] = 3,
    address: Address = None,
    cpus_per_trial: CpusPerTrial = 1,
    gpus_per_trial: GpusPerTrial = None,
    results: Results = RESULTS,
) -> None:
    """Train winners and published recipes anew, score test once a seed, and write the table.

    Examples: harness benchmark nih; harness benchmark --search dannynet --search chexnet
    """
    from harness.benchmark.plan import BenchmarkPlan

    if (plan is None) == (not search):
        raise HarnessError("name a plan, or searches with --search NAME")
    chosen = (
        BenchmarkPlan.load(plan)
        if plan
        else BenchmarkPlan.of_searches(
            search or [], name=checked_name(name) if name else "", seeds=seeds
        )
    )
    place = place_of(results, address, cpus_per_trial, gpus_per_trial)
    from harness import jobs  # takes seconds, so a mistake above is told first

    table = jobs.benchmark(chosen, store=data.resolve() if data else None, place=place)
    say_table(table, place.results / chosen.name)
    raise typer.Exit(3 if table.is_partial else 0)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
    results: Results = RESULTS,
) -> None:
    """Open MLflow on what the searches and benchmarks have logged.

    Example: harness ui --port 5001
    """
    from harness import tracking

    tracking.serve_ui(results.resolve(), port)


@app.command()
def quickstart(
    images: Annotated[int, typer.Option(min=200, help="Synthetic images to draw.")] = 2400,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each of the three searches.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Final runs of each recipe.")] = 2,
    results: Results = RESULTS,
) -> None:
    """The whole tour on synthetic images, in minutes: data, three searches, the table.

    Example: harness quickstart
    """
    from harness.quickstart import run_quickstart

    results = writable(results)
    table = run_quickstart(results, num_images=images, num_trials=trials, num_seeds=seeds)
    say_table(table, results / table.name)
    raise typer.Exit(3 if table.is_partial else 0)
