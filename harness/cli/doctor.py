"""`harness doctor`: is all there that a search needs?"""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import RESULTS, Address, Results, StorageUri
from harness.console import print_table
from harness.words import place_of


def doctor(
    address: Address = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="An image store that every node should have.")
    ] = None,
    storage: StorageUri = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Close what MLflow wrongly shows as running.")
    ] = False,
    results: Results = RESULTS,
) -> None:
    """Check this machine, every node of the cluster and MLflow. Exit code 1 if anything fails.

    Example: harness doctor --address auto --data /data/stores/nih-256
    """
    place = place_of(results, address, 1, None, storage)
    from harness.doctor import examine  # takes seconds, so a mistake above is told first

    checks = examine(place, store=data.resolve() if data else None, does_fix=fix)
    headers = ["check", "where", "state", "seen", "to do"]
    print_table(
        headers,
        [[check.what, check.node, check.word, check.detail, check.todo] for check in checks],
    )
    num_failed = sum(not check.is_ok for check in checks)
    print(f"{num_failed} of {len(checks)} checks failed" if num_failed else "all checks are ok")
    raise typer.Exit(1 if num_failed else 0)
