"""`harness gc`: what lies in the results folder and nobody needs is removed, or only listed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RESULTS, Results
from harness.console import print_table

if TYPE_CHECKING:
    from harness.search.waste import Waste


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list it.")] = False,
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="Best trials of a search that keep weights; else as it says."),
    ] = None,
    search: Annotated[str | None, typer.Option(help="Only of this search.")] = None,
    with_resumable: Annotated[
        bool, typer.Option("--all", help="Also what failed runs could go on from.")
    ] = False,
    results: Results = RESULTS,
) -> None:
    """Free disk: spent weights and checkpoints, Ray's scratch. Metrics and predictions stay.

    Example: harness gc --dry-run
    """
    from harness.search.waste import free

    found = free(
        results.resolve(), search, keep=keep, with_resumable=with_resumable, is_dry=dry_run
    )
    _say_sizes("would be freed" if dry_run else "freed", found.gone)
    _say_sizes("kept", found.kept)
    for item in found.stuck:
        print(f"could not be removed: {item.path}")
    for job in found.running:
        print(f"left alone, since it is running: {job}")
    if dry_run and found.gone:
        print("nothing was changed; next: the same command without --dry-run")


def _say_sizes(verb: str, items: Sequence["Waste"]) -> None:
    """A table of how many and how large, a row for each reason, and their total."""
    if not items:
        print(f"nothing {verb}")
        return
    reasons = sorted({item.why for item in items})
    rows = [_row(why, [item for item in items if item.why == why]) for why in reasons]
    print_table([verb, "number", "size"], [*rows, _row("in all", items)])
    print()


def _row(what: str, items: Sequence["Waste"]) -> list[str | int]:
    return [what, len(items), show_size(sum(item.num_bytes for item in items))]


def show_size(num_bytes: int) -> str:
    """`0.4 MB`, `84.0 MB`, `1.23 GB`: powers of ten, as disks are sold."""
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"
