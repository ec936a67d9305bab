"""Looking at what MLflow holds: the winners, and its web page."""

import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from mlflow.entities import Run as MlflowRun

from harness.core.errors import HarnessError, did_you_mean
from harness.core.records import Outcome
from harness.core.selection import SCORE
from harness.tracking.contents import FINGERPRINT, filter_string
from harness.tracking.store import (
    RESULTS_ID,
    Store,
    artifacts_of,
    database_of,
    embedded_uri,
    find_store,
    has_store,
    redact,
    store_uri,
)

HOST = "127.0.0.1"


@dataclass(frozen=True)
class WinnerRow:
    """A trial as MLflow has it; `values` are those that its search sampled."""

    search: str
    run: str
    model: str
    score: float
    values: dict[str, Any]
    mlflow_run_id: str
    outcome: Outcome


def winners(
    results: Path,
    uri: str | None = None,
    *,
    search: str | None = None,
    limit: int = 10,
    with_pruned: bool = False,
) -> list[WinnerRow]:
    """The best trials by validation score, best first: completed ones, or pruned ones too.

    Raises:
        HarnessError: There is no MLflow store, or no such search in it.
    """
    _check_exists(results, uri)
    store = find_store(results, uri)
    store_of = _stores(store)
    if search is not None:
        _check_search(store, search, {name for name, _ in store_of})
    outcomes = {Outcome.COMPLETED, Outcome.PRUNED} if with_pruned else {Outcome.COMPLETED}
    wanted = f"tags.harness.kind = 'trial' AND metrics.`{SCORE}` >= 0"
    if search is not None:
        wanted = f"{filter_string(search)} AND metrics.`{SCORE}` >= 0"
    found = store.search(wanted, order_by=f"metrics.`{SCORE}` DESC")
    rows = (_winner(run) for run in found if _is_of_the_store(run, store_of))
    return list(islice((row for row in rows if row.outcome in outcomes), limit))


def ui_command(results: Path, port: int = 5000) -> list[str]:
    """The command that serves the embedded store on this machine only."""
    return [
        sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port),
        "--workers", "1", "--backend-store-uri", embedded_uri(results),
        "--artifacts-destination", str(artifacts_of(results)),
    ]  # fmt: skip


def ui_environment() -> dict[str, str]:
    """The environment of `ui_command`: no telemetry, and none of its job runners (0.8 GB)."""
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return os.environ | quiet


def serve_ui(results: Path, port: int = 5000, *, tell: Callable[[str], None]) -> NoReturn:
    """Become the server of MLflow's pages, so that whatever ends this process ends it too.

    Args:
        tell: Called with the address of the runs, which answers some seconds later.

    Raises:
        HarnessError: There is nothing to serve, MLflow runs elsewhere, or the port is taken.
    """
    uri = store_uri(results)
    if uri != embedded_uri(results):
        raise HarnessError(f"the runs are kept at {redact(uri)} (MLFLOW_TRACKING_URI): open that")
    _check_exists(results, uri)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise HarnessError(f"--port {port} is taken; choose another one") from None
    command = ui_command(results, port)
    experiment_id = find_store(results, uri).experiment_id
    where = f"/#/experiments/{experiment_id}/runs" if experiment_id else ""  # not its home page
    tell(f"http://{HOST}:{port}{where}")
    sys.stdout.flush()
    os.execve(command[0], command, ui_environment())


def _check_exists(results: Path, uri: str | None) -> None:
    if not has_store(results, uri):
        raise HarnessError(f"no MLflow store at {database_of(results)}: run `harness search` first")


def _stores(store: Store) -> dict[tuple[str, str], str]:
    """The searches that MLflow has, each with the fingerprint of its image store."""
    parents = store.search("tags.harness.kind = 'search'")  # the latest of a name counts
    return {_search_of(run): run.data.tags.get(FINGERPRINT, "") for run in parents}


def _search_of(run: MlflowRun) -> tuple[str, str]:
    """Its name, and whose it is where several results folders share MLflow."""
    return run.data.tags["harness.group"], run.data.tags.get(RESULTS_ID, "")


def _is_of_the_store(run: MlflowRun, store_of: dict[tuple[str, str], str]) -> bool:
    """False for a trial on an earlier image store of its search: its score is another measure."""
    wanted = store_of.get(_search_of(run))
    return not wanted or run.data.params.get("data.store", wanted) == wanted


def _check_search(store: Store, search: str, names: set[str]) -> None:
    if search not in names:
        known = f"; there are {', '.join(sorted(names))}" if names else ""
        raise HarnessError(
            f"no search {search!r} in MLflow at {store.shown}{did_you_mean(search, names)}{known}"
        )


def _winner(run: MlflowRun) -> WinnerRow:
    tags = run.data.tags
    return WinnerRow(
        search=tags["harness.group"],
        run=tags["harness.run"],
        model=tags["harness.model"],
        score=run.data.metrics[SCORE],
        values=json.loads(tags["harness.values"]),
        mlflow_run_id=run.info.run_id,
        outcome=Outcome(tags["harness.outcome"]),
    )
