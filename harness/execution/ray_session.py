"""A quiet connection to Ray, and what its nodes can give."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.core.errors import HarnessError

log = logging.getLogger(__name__)

T = TypeVar("T")

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else workers start by `uv run`, in a copied project
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # else a run that fails at once ends the search
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}

KNOCK_TIMEOUT_S = 10
DEFAULT_PORT = 6379
TOLERANCE = 1e-6
"""Of counting parts of a GPU: 1 / 0.1 must be ten."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one run asks for. `gpus` None: one where the cluster has any, else none."""

    cpus: int = 1
    gpus: float | None = None


def start_ray(address: str | None) -> None:
    """Connect to the cluster at `address`, or start a private Ray; it ends with the process.

    Does nothing where this process has a Ray already.

    Raises:
        HarnessError: No cluster answers at the address, or one of other versions.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray  # reads the variables above when it is imported

    if ray.is_initialized():
        return
    if address:
        _knock(address)
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")  # tries, of 40 s each
    try:
        _connect(address)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise HarnessError(_no_ray(address, error)) from None
    except Exception as error:  # bare, where a busy machine takes over 30 s to start it
        if address:
            raise HarnessError(_no_ray(address, error)) from None
        log.warning("Ray has not started in time on this busy machine; it is started once more")
        ray.shutdown()
        try:
            _connect(None)
        except Exception as again:
            raise HarnessError(_no_ray(None, again)) from None


def _connect(address: str | None) -> None:
    import ray

    ray.init(
        address=address or "local",
        include_dashboard=None if address else False,
        log_to_driver=False,
        logging_level="ERROR",
    )


def _knock(address: str) -> None:
    """Find out in seconds that no Ray listens at host:port, which Ray takes minutes for.

    Raises:
        HarnessError: Nobody listens, or something that is not Ray.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)  # which Ray takes, too
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # `auto`, or what Ray itself refuses
    try:
        with socket.create_connection((host.strip("[]"), int(port)), KNOCK_TIMEOUT_S) as stream:
            is_ray = _has_encryption() or _speaks_http2(stream)
    except (OSError, OverflowError) as error:
        raise HarnessError(_no_ray(address, error)) from None
    if not is_ray:
        raise HarnessError(
            f"what listens at --address {address} is not a Ray cluster; its port is the one that "
            f"`ray start --head` names, {DEFAULT_PORT} unless told otherwise"
        )


def _has_encryption() -> bool:
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _speaks_http2(stream: socket.socket) -> bool:
    """Whether the other side answers as gRPC, which Ray speaks, does: by a SETTINGS frame.

    RFC 9113, section 3.4: both sides begin with one, of type 4, the client's after a fixed text.
    """
    stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    try:
        head = stream.recv(9, socket.MSG_WAITALL)
    except (TimeoutError, ConnectionError):
        return False
    return len(head) == 9 and head[3] == 4


def _no_ray(address: str | None, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    if "Version mismatch" in reason:
        return f"{_versions_differ(reason)}; install the cluster's versions here"
    reason = reason.partition("\n")[0].partition(". ")[0].strip()
    if address is None:
        return f"Ray does not start on this machine ({reason})"
    return (
        f"no Ray cluster answers at --address {address} ({reason}): start one with "
        "`ray start --head`, or leave --address out to use this machine alone"
    )


def _versions_differ(reason: str) -> str:
    """Both sides' versions, which Ray tells line by line, the cluster's first."""
    told = [line.strip() for line in reason.splitlines() if line.strip().startswith(("Ray:", "Py"))]
    theirs, ours = ", ".join(told[:2]), ", ".join(told[2:])
    return f"the cluster runs {theirs}, this process {ours}"


def fit_resources(resources: Resources) -> Resources:
    """The resources with `gpus` settled, once it is sure that some node can give them.

    Raises:
        HarnessError: No node is large enough; Ray would wait for one without end.
    """
    nodes = [node["Resources"] for node in alive_nodes()]
    largest = max(nodes, key=lambda node: (node.get("GPU", 0), node.get("CPU", 0)))
    num_cpus, num_gpus = largest.get("CPU", 0), largest.get("GPU", 0)
    gpus = resources.gpus if resources.gpus is not None else float(num_gpus > 0)
    settled = Resources(cpus=resources.cpus, gpus=gpus)
    if not num_slots(settled):
        raise HarnessError(
            f"a trial asks for {resources.cpus} CPU and {gpus:g} GPU, but the largest of "
            f"{len(nodes)} Ray nodes has {num_cpus:g} CPU and {num_gpus:g} GPU: lower "
            "--cpus-per-trial or --gpus-per-trial"
        )
    return settled


def num_slots(resources: Resources) -> int:
    """How many runs that ask for these resources the cluster's nodes hold at once, when idle."""
    return sum(_slots_of(node["Resources"], resources) for node in alive_nodes())


def _slots_of(node: Mapping[str, float], resources: Resources) -> int:
    by_cpu = int(node.get("CPU", 0) // resources.cpus)
    gpus, num_gpus = resources.gpus or 0, node.get("GPU", 0)
    if not gpus:
        return by_cpu
    # A part of a GPU is a part of one: 0.4 of each of 3 GPUs are 6 runs, and not 7.
    by_gpu = int(num_gpus) * int(1 / gpus + TOLERANCE) if gpus < 1 else int(num_gpus // gpus)
    return min(by_cpu, by_gpu)


def alive_nodes() -> list[dict[str, Any]]:
    """Ray's own description of each node that lives."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def is_connected() -> bool:
    """Whether this process has a Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def on_a_node(
    task: Callable[..., T], *arguments: object, resources: Resources, limit_s: float
) -> T:
    """What a function returns where a run would be made; in this process where it has no Ray.

    A process of its own calls it there: what torch takes of a GPU goes back with that.

    Raises:
        HarnessError: The function has raised it, or no node had room and an answer in time.
    """
    if not is_connected():
        return task(*arguments)
    import ray

    options = {"num_cpus": resources.cpus, "num_gpus": resources.gpus or 0}
    remote = ray.remote(**options, max_calls=1, max_retries=0)(task)
    answer = remote.remote(*arguments)
    try:
        found: T = ray.get(answer, timeout=limit_s)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(answer, force=True)
        raise HarnessError(
            f"no node has answered within {limit_s:.0f} s: what else runs on the cluster leaves "
            "no room (`ray status`)"
        ) from None
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, HarnessError):
            raise error.cause from None
        raise
    return found
