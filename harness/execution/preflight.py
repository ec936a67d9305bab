"""`preflight`: every node of the Ray cluster is looked at before the first trial.

A task pinned to each node looks there and takes no CPU, so that it waits behind no other work; a
node that does not answer in time is a failed check like any other. What is looked at is in
`checks.py`.
"""

import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import write_text
from harness.execution.checks import (
    RESULTS,
    Check,
    Needs,
    check_disk,
    check_file,
    check_results,
    check_storage,
    check_store,
    check_versions,
    own_versions,
    token_folder,
)
from harness.execution.gpus import check_gpus
from harness.execution.ray_session import Resources, alive_nodes, num_slots

DRIVER = "driver"
NODE_TIMEOUT_S = 120.0
"""A cold file system takes a minute to import pandas."""
MAX_SKEW_S = 60.0
TOKEN_WAIT_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a node is asked: it looks for what the driver needs, and knows how Ray calls it."""

    needs: Needs
    token: str
    versions: dict[str, str]
    node: str
    node_id: str
    asked_s: float
    num_gpus: int
    ray_folder: Path


@dataclass(frozen=True)
class Answer:
    """What a node found, and its clock when it did."""

    checks: list[Check]
    clock_s: float


def preflight(
    needs: Needs, resources: Resources | None = None, *, timeout_s: float = NODE_TIMEOUT_S
) -> list[Check]:
    """All that can be looked at before the first trial, from this process and from every node.

    Ray must be connected (`start_ray`).

    Args:
        resources: What one trial asks for; told is how many trials run at once.
        timeout_s: How long a node may take to answer.
    """
    with _token(needs) as (token, checks):
        asked = ask_nodes(needs, token)
        checks += _look_here(needs)  # while they look
        if resources is not None:
            checks.append(_check_slots(resources))
        return checks + hear_nodes(asked, timeout_s)


def look_from_driver(needs: Needs) -> list[Check]:
    """What this process alone sees: all there is to see where it trains by itself."""
    with _token(needs) as (_, checks):
        return checks + _look_here(needs)


def raise_failed(checks: Sequence[Check]) -> None:
    """Nothing, where all checks are ok.

    Raises:
        HarnessError: Some are not; each has a line of its own.
    """
    failed = [str(check) for check in checks if not check.is_ok]
    if failed:
        noun = "check" if len(failed) == 1 else "checks"
        raise HarnessError("\n".join([f"{len(failed)} {noun} failed before the start:", *failed]))


# The driver -----------------------------------------------------------------------------------


@contextmanager
def _token(needs: Needs) -> Iterator[tuple[str, list[Check]]]:
    """A token that lies in the results folder for a while, and the check that it does."""
    token = secrets.token_hex(8)
    if needs.results is None or needs.storage:
        yield token, []
        return
    folder, was_there = token_folder(needs.results, token), needs.results.exists()
    try:
        write_text(folder / "driver", token)
    except (HarnessError, OSError) as error:
        todo = "name another folder by --results"
        detail = f"{needs.results}: {getattr(error, 'strerror', None) or error}"
        yield token, [Check(what=RESULTS, node=DRIVER, is_ok=False, detail=detail, todo=todo)]
        return
    try:
        yield token, [check_results(needs.results, token, node=DRIVER, name="again")]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not was_there:
            with suppress(OSError):  # somebody has begun to use it
                needs.results.rmdir()


def _look_here(needs: Needs) -> list[Check]:
    checks = [check_file(path, node=DRIVER) for path in needs.files]
    if needs.store:
        checks.append(check_store(needs.store, needs.fingerprint, node=DRIVER))
    if needs.storage:
        checks.append(check_storage(needs.storage, needs.num_bytes, node=DRIVER))
    if needs.results:
        num_bytes = 0 if needs.storage else needs.num_bytes
        checks.append(check_disk("disk", needs.results, num_bytes, node=DRIVER))
    return checks


def _check_slots(resources: Resources) -> Check:
    nodes, slots = alive_nodes(), num_slots(resources)
    asked = f"{resources.cpus} CPU and {resources.gpus or 0:g} GPU"
    noun = "trial" if slots == 1 else "trials"
    return Check(
        what="room",
        node=DRIVER,
        is_ok=slots > 0,
        detail=f"{slots} {noun} of {asked} at once on {len(nodes)} node(s)",
        todo="" if slots else "lower --cpus-per-trial or --gpus-per-trial",
    )


# The nodes ------------------------------------------------------------------------------------


def look_around(question: Question) -> Answer:
    """What a node sees; run there."""
    needs, node = question.needs, question.node
    checks = [check_versions(own_versions(), question.versions, node=node)]
    checks += [check_file(path, node=node) for path in needs.files]
    if needs.store:
        checks.append(check_store(needs.store, needs.fingerprint, node=node))
    if needs.storage:
        checks.append(check_storage(needs.storage, 0, node=node))
        here = Path(tempfile.gettempdir())  # where a run lies that is mirrored to the storage
        checks.append(check_disk("disk", here, needs.node_bytes, node=node))
    elif needs.results:
        name = question.node_id
        checks.append(check_results(needs.results, question.token, node=node, name=name))
    checks.append(check_disk("Ray's own disk", question.ray_folder, 0, node=node))
    gpus = check_gpus(question.num_gpus, needs.gpu_bytes, node=node)
    return Answer([*checks, *([gpus] if gpus else [])], time.time())


def ask_nodes(
    needs: Needs, token: str = "", look: Callable[[Question], Answer] = look_around
) -> dict[Any, Question]:
    """Each node's question by Ray's reference to the answer, in the order of Ray's list."""
    return {_send(look, question): question for question in _questions(needs, token)}


def hear_nodes(asked: Mapping[Any, Question], timeout_s: float) -> list[Check]:
    """The checks of every node; one that fails or is late has a failed check to tell so."""
    import ray

    _, late = ray.wait(list(asked), num_returns=len(asked), timeout=timeout_s)
    checks: list[Check] = []
    for answer, question in asked.items():
        if answer in late:
            ray.cancel(answer, force=True)
            checks.append(_no_answer(question.node, f"no answer within {timeout_s:g} s"))
            continue
        try:
            found: Answer = ray.get(answer)
        except ray.exceptions.RayError as error:
            checks.append(_no_answer(question.node, str(error).strip().splitlines()[-1]))
            continue
        checks += [_seen_here(check, question) for check in found.checks]
        checks.append(check_clock(found.clock_s, question.asked_s, node=question.node))
    return checks


def _questions(needs: Needs, token: str) -> list[Question]:
    nodes = alive_nodes()
    counts = Counter(_name_of(node) for node in nodes)
    versions = own_versions()
    return [
        Question(
            needs=needs,
            token=token,
            versions=versions,
            node=_name_of(node, is_alone=counts[_name_of(node)] == 1),
            node_id=node["NodeID"],
            asked_s=time.time(),
            num_gpus=int(node["Resources"].get("GPU", 0)),
            ray_folder=Path(node["ObjectStoreSocketName"]).parents[2],
        )
        for node in nodes
    ]


def _name_of(node: dict[str, Any], *, is_alone: bool = True) -> str:
    """A node as people know it; with Ray's id where one machine has several."""
    more = "" if is_alone else f", {node['NodeID'][:6]}"
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}{more})"


def _send(look: Callable[[Question], Answer], question: Question) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(question.node_id, soft=False)
    task = ray.remote(num_cpus=0, max_retries=0)(look)
    return task.options(scheduling_strategy=there).remote(question)


def _no_answer(node: str, detail: str) -> Check:
    todo = "see whether the node lives (`ray status`), has harness installed, and its disks answer"
    return Check(what="answers", node=node, is_ok=False, detail=detail, todo=todo)


def _seen_here(check: Check, question: Question) -> Check:
    """The check, once the driver has read what the node says it wrote."""
    results = question.needs.results
    if results is None or check.what != RESULTS or not check.is_ok:
        return check
    return _read_back(check, token_folder(results, question.token) / question.node_id)


def _read_back(check: Check, path: Path) -> Check:
    deadline = time.monotonic() + TOKEN_WAIT_S
    while not path.exists() and time.monotonic() < deadline:  # a network's cache may lag
        time.sleep(0.1)
    if path.exists():
        return check
    detail = f"{path.parents[1]}: what the node wrote is not seen by the driver"
    todo = "share this folder with every node at the same path, or name a --storage"
    return Check(what=check.what, node=check.node, is_ok=False, detail=detail, todo=todo)


def check_clock(clock_s: float, asked_s: float, *, node: str) -> Check:
    """A warning where a clock showed `clock_s` outside of the time from `asked_s` to now."""
    skew_s = max(asked_s - clock_s, clock_s - time.time(), 0.0)
    is_off = skew_s > MAX_SKEW_S
    return Check(
        what="clock",
        node=node,
        is_ok=True,
        detail=f"{skew_s:.0f} s off the driver's" if skew_s > 1 else "agrees with the driver's",
        todo="set it by NTP: times in records will mislead" if is_off else "",
    )
