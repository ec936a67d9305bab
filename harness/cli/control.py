"""The commands that look at a search from another terminal, and steer it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RESULTS, Results
from harness.console import say_status
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    pass

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
    _ask(_search_dir(name, results), "stop")
    print(f"{name} starts no new trials; the same search command goes on with the rest")


def cancel(name: Name, results: Results = RESULTS) -> None:
    """End a search: no new trials, and those that run are ended.

    These are called cancelled.

    Example: harness cancel dannynet
    """
    folder = _search_dir(name, results)
    from harness.core.ledger import Ledger
    from harness.core.locks import held
    from harness.search.control import (
        LEDGER_FILE,
        LOCK_FILE,
        Request,
        cancel_unfinished,
        is_running,
        send,
    )

    if is_running(folder):
        send(folder, Request(what="cancel"))
        print(f"{name} ends its running trials; see harness status {name}")
        return
    with held(folder / LOCK_FILE):
        names = cancel_unfinished(folder, Ledger(folder / LEDGER_FILE))
    print(f"{name} was not running; cancelled {len(names)} unfinished trial(s)")


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
    from harness.core.ledger import Ledger
    from harness.core.locks import held
    from harness.search.control import (
        LEDGER_FILE,
        LOCK_FILE,
        Request,
        choose_for_retry,
        is_running,
        reopen,
        send,
    )

    chosen = choose_for_retry(folder, tuple(trials or ()), with_cancelled=cancelled)
    if not chosen:
        print(f"{name} has no failed trial that another try could mend")
        return
    if is_running(folder):
        send(folder, Request(what="retry", trials=tuple(chosen)))
        print(f"{name} takes up again: {', '.join(chosen)}")
        return
    with held(folder / LOCK_FILE):
        reopen(folder, Ledger(folder / LEDGER_FILE), chosen)
    print(f"to be made again: {', '.join(chosen)}\nnext: the same harness search command")


def _ask(folder: Path, what: str) -> None:
    from harness.search.control import Request, is_running, send

    if not is_running(folder):
        raise HarnessError(f"search {folder.name!r} is not running, so there is nothing to {what}")
    send(folder, Request.model_validate({"what": what}))


def _search_dir(name: str, results: Path) -> Path:
    from harness.search.plan import find_search

    return find_search(name, results.resolve())
