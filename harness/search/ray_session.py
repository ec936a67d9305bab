"""A quiet connection to Ray, and what its nodes can give."""

import os
import socket
from dataclasses import dataclass

from harness.core.errors import HarnessError

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else workers start by `uv run`, in a copied project
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # else a run that fails at once ends the search
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}

KNOCK_TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one run asks for. `gpus` None: one where the cluster has any, else none."""

    cpus: int = 1
    gpus: float | None = None


def start_ray(address: str | None) -> None:
    """Connect to the cluster at `address`, or start a private Ray; it ends with the process.

    Does nothing where this process has a Ray already.

    Raises:
        HarnessError: No cluster answers at the address.
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
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise HarnessError(_no_ray(address, error)) from None


def _knock(address: str) -> None:
    """Find out at once that nobody listens at host:port, which Ray takes minutes for.

    Raises:
        HarnessError: Nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # `auto`, or what Ray itself refuses
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise HarnessError(_no_ray(address, error)) from None


def _no_ray(address: str | None, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    reason = reason.partition("\n")[0].partition(". ")[0].strip()
    if address is None:
        return f"Ray does not start on this machine ({reason})"
    return (
        f"no Ray cluster answers at --address {address} ({reason}): start one with "
        "`ray start --head`, or leave --address out to use this machine alone"
    )


def fit_resources(resources: Resources) -> Resources:
    """The resources with `gpus` settled, once it is sure that some node can give them.

    Raises:
        HarnessError: No node is large enough; Ray would wait for one without end.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    largest = max(nodes, key=lambda node: (node.get("GPU", 0), node.get("CPU", 0)))
    num_cpus, num_gpus = largest.get("CPU", 0), largest.get("GPU", 0)
    gpus = resources.gpus if resources.gpus is not None else float(num_gpus > 0)
    is_fitting = any(
        node.get("CPU", 0) >= resources.cpus and node.get("GPU", 0) >= gpus for node in nodes
    )
    if not is_fitting:
        raise HarnessError(
            f"a trial asks for {resources.cpus} CPU and {gpus:g} GPU, but the largest of "
            f"{len(nodes)} Ray nodes has {num_cpus:g} CPU and {num_gpus:g} GPU: lower "
            "--cpus-per-trial or --gpus-per-trial"
        )
    return Resources(cpus=resources.cpus, gpus=gpus)
