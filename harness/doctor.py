"""`examine`: this machine, the cluster and MLflow, looked at by themselves, before any job."""

from collections.abc import Sequence
from pathlib import Path

from harness import tracking
from harness.core.errors import HarnessError
from harness.data.store import ImageStore
from harness.execution.checks import Check, Needs
from harness.execution.preflight import DRIVER, look_from_driver, preflight
from harness.execution.ray_session import alive_nodes, start_ray
from harness.jobs.place import Place
from harness.search.control import LOCK_FILE
from harness.search.housekeeping import is_in_use

NUM_NAMED = 5
"""So many of the runs that were left running are named."""


def examine(place: Place, *, store: Path | None = None, does_fix: bool = False) -> list[Check]:
    """All checks of a place: Ray, what every node sees, and MLflow.

    Args:
        store: An image store that every node should have.
        does_fix: Close what MLflow believes running though nobody is at work on it.
    """
    needs = Needs(
        store=store,
        fingerprint=_fingerprint(store),
        results=place.results,
        storage=place.storage,
    )
    mlflow = check_mlflow(place.results, place.tracking_uri, does_fix=does_fix)
    ray = check_ray(place.address)
    seen = preflight(needs) if ray.is_ok else look_from_driver(needs)
    return [ray, mlflow, *seen]


def check_ray(address: str | None) -> Check:
    """That the cluster answers, or that Ray starts on this machine."""
    try:
        start_ray(address)
    except HarnessError as error:
        todo = "run `ray status` on the head node" if address else "see the logs of Ray"
        return Check(what="Ray", node=DRIVER, is_ok=False, detail=str(error), todo=todo)
    nodes = [node["Resources"] for node in alive_nodes()]
    num_cpus, num_gpus = (sum(node.get(name, 0) for node in nodes) for name in ("CPU", "GPU"))
    noun = "node" if len(nodes) == 1 else "nodes"
    detail = f"{len(nodes)} {noun}, {num_cpus:g} CPU and {num_gpus:g} GPU in all"
    return Check(what="Ray", node=DRIVER, is_ok=True, detail=detail)


def check_mlflow(results: Path, uri: str | None = None, *, does_fix: bool = False) -> Check:
    """That MLflow answers, with a warning where it shows runs as running that nobody makes."""

    def is_alive(group: str) -> bool:
        folders = (results / "searches" / group, results / group / "runs")
        return any(is_in_use(folder / LOCK_FILE) for folder in folders)

    try:
        shown = tracking.redact(tracking.store_uri(results, uri))
        stale = tracking.find_stale(results, uri, is_alive=is_alive)
        if stale and does_fix:
            tracking.close_stale(results, stale, uri)
    except HarnessError as error:
        todo = "start its server, or unset MLFLOW_TRACKING_URI to keep runs in --results"
        return Check(what="MLflow", node=DRIVER, is_ok=False, detail=str(error), todo=todo)
    if not stale:
        return Check(what="MLflow", node=DRIVER, is_ok=True, detail=f"{shown} answers")
    noun = "run" if len(stale) == 1 else "runs"
    them = "it" if len(stale) == 1 else "them"
    state = "closed" if does_fix else f"RUNNING, though nobody is at work on {them}"
    detail = f"{len(stale)} {noun} {state}: {_named(stale)}"
    todo = "" if does_fix else "--fix closes them"
    return Check(what="MLflow", node=DRIVER, is_ok=True, detail=detail, todo=todo)


def _named(stale: Sequence[tracking.StaleRun]) -> str:
    names = [one.group if one.is_group else f"{one.group}/{one.name}" for one in stale]
    more = [f"and {len(names) - NUM_NAMED} more"] if len(names) > NUM_NAMED else []
    return ", ".join([*names[:NUM_NAMED], *more])


def _fingerprint(store: Path | None) -> str:
    """What nodes should have; empty where this machine itself cannot read it, as is told then."""
    try:
        return ImageStore.open(store).fingerprint if store else ""
    except (HarnessError, OSError):
        return ""
