"""The commands that search, train and choose."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import (
    RESULTS,
    Address,
    CpusPerTrial,
    GpusPerTrial,
    Results,
    Seed,
    StorageUri,
    Store,
)
from harness.console import print_table, say_estimates, say_leaderboard, say_results, show_values
from harness.core.errors import HarnessError
from harness.core.imports import import_quickly
from harness.words import (
    count_of,
    names_of,
    place_of,
    recipe_of,
    settings_of,
    spaces_of,
    speedups_of,
    writable,
)


def search(
    spaces: Annotated[list[str], typer.Argument(help="Search spaces: files, or shipped names.")],
    data: Store,
    trials: Annotated[
        str, typer.Option(help="Trials of each space; trial 0 is its default. +20: so many more.")
    ],
    name: Annotated[str, typer.Option(help="Name of the search; without: the space's.")] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Fix a value of every recipe: --set train.epochs=5"),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="In place of the space's: gp learns most from each trial and takes a part of a "
            "second over it; tpe takes milliseconds, for many hundreds of trials; random."
        ),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="asha or none, in place of the space's.")
    ] = None,
    warm_start: Annotated[
        str,
        typer.Option(help="Earlier searches, as NAME,NAME, whose winners are tried after trial 0."),
    ] = "",
    hours: Annotated[
        float | None, typer.Option(min=0, help="End after so many hours; run again, it goes on.")
    ] = None,
    gpu_hours: Annotated[
        float | None,
        typer.Option(min=0, help="End after so many GPU-hours, of all calls together."),
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="Best trials that keep their weights.")] = 5,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on although space, data or code changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show trials, hours and disk, and do nothing.")
    ] = False,
    address: Address = None,
    storage: StorageUri = None,
    cpus_per_trial: CpusPerTrial = 1,
    gpus_per_trial: GpusPerTrial = None,
    seed: Seed = 0,
    results: Results = RESULTS,
) -> None:
    """Search spaces on Ray, everything in MLflow. Run again, it continues.

    Examples: harness search dannynet --data /data/stores/nih-256 --trials 60 --address auto;
    harness search dannynet chexnet vit_small --data /data/stores/nih-256 --trials 60
    """
    chosen = spaces_of(
        spaces, name, settings_of(settings or []), sampler=sampler, scheduler=scheduler
    )
    num_trials, is_extension = count_of(trials)
    place = place_of(results, address, cpus_per_trial, gpus_per_trial, storage)
    # Takes seconds, so a mistake above is told first.
    from harness.jobs.search import SearchOrder, estimate
    from harness.jobs.search import search as run_search
    from harness.search.budget import Budget

    order = SearchOrder(
        num_trials=num_trials,
        is_extension=is_extension,
        seed=seed,
        keep=keep,
        accept_changes=accept_changes,
        warm_start=names_of(warm_start),
        budget=Budget(hours=hours, gpu_hours=gpu_hours),
    )
    if dry_run:
        say_estimates(estimate(chosen, store=data.resolve(), order=order, place=place))
        return
    boards = run_search(chosen, store=data.resolve(), order=order, place=place)
    for search_name, board in boards.items():
        say_leaderboard(board, place.results / "searches" / search_name)
    has_winner = all(any(t.status.outcome == "completed" for t in b) for b in boards.values())
    raise typer.Exit(0 if has_winner else 1)


def train(
    space: Annotated[str, typer.Argument(help="The published recipe of this space is trained.")],
    data: Store,
    out: Annotated[Path, typer.Option("--out", help="Run directory. Run again, it continues.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value: --set optim.lr=1e-4")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    speedups: Annotated[
        str, typer.Option(help="On a GPU: auto (graphs), none, compile, graphs or both.")
    ] = "auto",
    profile: Annotated[
        bool, typer.Option("--profile", help="Tell where the time of the first epoch goes.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Train one recipe here and now, without Ray, Optuna or MLflow.

    Example: harness train dannynet --data /data/stores/nih-256 --out runs/dannynet
    """
    from harness.core.machine import Machine
    from harness.core.records import EpochReport

    means, out = speedups_of(speedups), out.resolve()
    recipe = recipe_of(space, settings_of(settings or []), seed=seed)
    import_quickly("harness.trial")  # takes seconds: mistakes above are told first
    from harness.training.listeners import unwatched
    from harness.training.profile import Profile
    from harness.trial import train_alone

    def report(epoch: EpochReport) -> None:
        shown = (f"{key} {epoch.metrics[key]:.4f}" for key in ("train/loss", "val/loss"))
        auroc = f"val AUROC {epoch.metrics['val/auroc_macro']:.4f}"
        print(f"epoch {epoch.epoch}/{recipe.train.epochs}  {'  '.join(shown)}  {auroc}")

    machine = Machine(store=data.resolve(), num_threads=threads, speedups=means)
    seen = Profile(out)
    watch = seen.watch if profile else unwatched
    record = train_alone(recipe, machine, out, report, watch=watch)
    score = record.val.macro["auroc"]
    shown = "-" if score is None else f"{score:.4f}"
    print(f"kept epoch {record.best_epoch}: val AUROC {shown}\nwrote {out}")
    if seen.is_written:
        print(f"wrote {seen.page} and {seen.trace.name}")
    elif profile:
        print("no profile: the run had been trained before, so no epoch was left to watch")


def winners(
    search: Annotated[str | None, typer.Option(help="Only of this search.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    results: Results = RESULTS,
) -> None:
    """Show the best completed trials of all searches, from MLflow.

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
    best = rows[0]
    print(
        f"next: harness benchmark --search {best.search}, harness promote "
        f"{best.search}/{best.run}, or harness ui to browse them"
    )


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
    results: Results = RESULTS,
) -> None:
    """Open MLflow on what the searches and benchmarks have logged.

    Example: harness ui --port 5001
    """
    from harness import tracking

    tracking.serve_ui(results.resolve(), port, tell=_say_address)


def _say_address(address: str) -> None:
    print(f"open {address} when it answers, in some seconds (Ctrl-C ends it)")
    from harness.core.selection import SCORE

    print(f"its Columns show scores: {SCORE} is what ranks trials")


def quickstart(
    images: Annotated[int, typer.Option(min=200, help="Synthetic images to draw.")] = 2400,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each of the three searches.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Final runs of each recipe.")] = 2,
    results: Results = RESULTS,
) -> None:
    """The whole tour on synthetic images: data, searches, the table.

    It takes minutes.

    Example: harness quickstart
    """
    import_quickly("harness.quickstart")
    from harness.quickstart import run_quickstart

    results = writable(results)
    found = run_quickstart(results, num_images=images, num_trials=trials, num_seeds=seeds)
    say_results(found, results / found.name)
    raise typer.Exit(3 if found.is_partial else 0)
