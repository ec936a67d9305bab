"""The commands that look at a search from another terminal, and steer it."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import RESULTS, Results
from harness.console import say_status

Name = Annotated[str, typer.Argument(help="Name of the search.")]


def status(name: Name, results: Results = RESULTS) -> None:
    """Show how a search stands: trials by state, the best so far.

    Example: harness status dannynet
    """
    folder = _search_dir(name, results)
    from harness.search.standing import standing_of

    say_status(standing_of(folder))


def stop(name: Name, results: Results = RESULTS) -> None:
    """Let a search start no new trials; those that run go on.

    Example: harness stop dannynet
    """
    folder = _search_dir(name, results)
    from harness.search.control import stop

    stop(folder)
    print(f"{name} starts no new trials; the same search command goes on with the rest")


def cancel(name: Name, results: Results = RESULTS) -> None:
    """End a search: no new trials, and those that run are ended.

    These are called cancelled.

    Example: harness cancel dannynet
    """
    folder = _search_dir(name, results)
    from harness.search.control import cancel

    answer = cancel(folder)
    if answer.is_left:
        print(f"{name} ends its running trials; see harness status {name}")
    else:
        print(f"{name} was not running; cancelled {len(answer.trials)} unfinished trial(s)")


def retry(
    name: Name,
    trials: Annotated[
        list[str] | None, typer.Argument(help="Trials, such as t0007; without: all that failed.")
    ] = None,
    cancelled: Annotated[
        bool, typer.Option("--cancelled", help="Without names: the cancelled ones, too.")
    ] = False,
    results: Results = RESULTS,
) -> None:
    """Make failed trials again, from their checkpoints.

    Those that would fail again are left.

    Examples: harness retry dannynet; harness retry dannynet t0007 t0012
    """
    folder = _search_dir(name, results)
    from harness.search.control import retry

    answer = retry(folder, tuple(trials or ()), with_cancelled=cancelled)
    names = ", ".join(answer.trials)
    if not answer.trials:
        print(f"{name} has no failed trial that another try could mend")
    elif answer.is_left:
        print(f"{name} takes up again: {names}")
    else:
        print(f"to be made again: {names}\nnext: the same harness search command")


def _search_dir(name: str, results: Path) -> Path:
    from harness.search.plan import find_search

    return find_search(name, results.resolve())
