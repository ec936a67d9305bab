"""What another terminal asks of a running search: stop, cancel, retry.

A request is a file in the `control` folder of the search; whoever drives the search takes it away.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import read_json, write_json
from harness.core.ledger import Ledger, LedgerLine
from harness.core.locks import held, is_held
from harness.core.recipe import Frozen
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory

LEDGER_FILE = "ledger.jsonl"
LOCK_FILE = "lock"
RETRY = "retry"
"""The message of the status of a trial that is to be made again."""
NOT_RETRIED = (FailureReason.DIVERGED, FailureReason.DATA)
"""These would fail again; they are made again only when they are named."""


class Request(Frozen):
    """`stop`: no new trials. `cancel`: end the running ones, too. `retry`: make `trials` again."""

    what: Literal["stop", "cancel", "retry"]
    trials: tuple[str, ...] = ()


class Answer(NamedTuple):
    """What becomes of a request.

    Attributes:
        trials: Those that it is about.
        is_left: True where it is left to whoever drives the search; else it is done.
    """

    trials: list[str]
    is_left: bool


def stop(search_dir: Path) -> None:
    """Ask whoever drives the search to begin no more trials; those that run go on.

    Raises:
        HarnessError: Nobody drives it.
    """
    if not is_running(search_dir):
        raise HarnessError(
            f"search {search_dir.name!r} is not running, so there is nothing to stop"
        )
    send(search_dir, Request(what="stop"))


def cancel(search_dir: Path) -> Answer:
    """End a search: its unfinished trials are cancelled, as soon as those that run are ended.

    Raises:
        LockedError: The search was begun this very moment.
    """
    ledger_file = search_dir / LEDGER_FILE
    if is_running(search_dir):
        send(search_dir, Request(what="cancel"))
        return Answer(unfinished(Ledger(ledger_file)), is_left=True)
    with held(search_dir / LOCK_FILE):
        return Answer(cancel_unfinished(search_dir, Ledger(ledger_file)), is_left=False)


def retry(
    search_dir: Path, trials: tuple[str, ...] = (), *, with_cancelled: bool = False
) -> Answer:
    """Have the trials of `choose_for_retry` made again, by whoever drives the search now or next.

    Raises:
        HarnessError: A named trial does not exist, or has not failed.
        LockedError: The search was begun this very moment.
    """
    chosen = choose_for_retry(search_dir, trials, with_cancelled=with_cancelled)
    is_left = bool(chosen) and is_running(search_dir)
    if is_left:
        send(search_dir, Request(what="retry", trials=tuple(chosen)))
    elif chosen:
        with held(search_dir / LOCK_FILE):
            reopen(search_dir, Ledger(search_dir / LEDGER_FILE), chosen)
    return Answer(chosen, is_left)


def is_running(search_dir: Path) -> bool:
    """True while some process drives the search."""
    return is_held(search_dir / LOCK_FILE)


def send(search_dir: Path, request: Request) -> None:
    """Leave a request for whoever drives the search."""
    name = f"{time.time_ns()}-{request.what}.json"
    write_json(search_dir / "control" / name, request.model_dump(mode="json"))


def receive(search_dir: Path) -> list[Request]:
    """Take all requests, in the order in which they were made."""
    requests = []
    # Not those whose name begins with a dot, which `glob` finds, too: they are half written.
    for path in sorted((search_dir / "control").glob("[0-9]*.json")):
        requests.append(Request.model_validate(read_json(path)))
        path.unlink()
    return requests


def choose_for_retry(
    search_dir: Path, trials: tuple[str, ...] = (), *, with_cancelled: bool = False
) -> list[str]:
    """The trials that a retry makes again: the named ones, else the failed ones.

    Without names, those are left out which would fail again: diverged, or bad data.

    Raises:
        HarnessError: A named trial does not exist, or has not failed.
    """
    ledger = Ledger(search_dir / LEDGER_FILE)
    if not trials:
        return [
            name
            for name in ledger.trials
            if (line := ledger.last(name))
            and (
                (line.outcome is Outcome.FAILED and line.reason not in NOT_RETRIED)
                or (with_cancelled and line.outcome is Outcome.CANCELLED)
            )
        ]
    return [_checked(ledger, name) for name in trials]


def _checked(ledger: Ledger, name: str) -> str:
    found = [trial for trial in ledger.trials if trial == name or trial.startswith(f"{name}-")]
    if not found:
        near = did_you_mean(name, ledger.trials)
        raise HarnessError(f"{ledger.path.parent.name} has no trial {name!r}{near}")
    line = ledger.last(found[0])
    if line is None or line.outcome not in (Outcome.FAILED, Outcome.CANCELLED):
        state = line.outcome if line else "unknown"
        raise HarnessError(f"{found[0]} is {state}: only failed and cancelled trials are retried")
    return found[0]


def reopen(search_dir: Path, ledger: Ledger, trials: Sequence[str]) -> None:
    """Put trials back among those to be run; they go on from their checkpoints, where they are."""
    queued = Status(outcome=Outcome.QUEUED, message=RETRY)
    for name in trials:
        ledger.append(LedgerLine(trial=name, outcome=queued.outcome, message=queued.message))
        if (search_dir / name).is_dir():
            RunDirectory(search_dir / name).set_status(queued)


def unfinished(ledger: Ledger) -> list[str]:
    """The trials that were begun and have not ended."""
    return [
        name
        for name in ledger.trials
        if (line := ledger.last(name)) is not None and not line.outcome.is_final
    ]


def cancel_unfinished(search_dir: Path, ledger: Ledger) -> list[str]:
    """Call the unfinished trials of a search that nobody drives cancelled; returns their names."""
    cancelled = Status(outcome=Outcome.CANCELLED, message="harness cancel")
    names = unfinished(ledger)
    for name in names:
        ledger.note(name, cancelled)
        if (search_dir / name).is_dir():
            RunDirectory(search_dir / name).set_status(cancelled)
    return names
