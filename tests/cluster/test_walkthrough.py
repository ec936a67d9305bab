"""The README's walk-through for real, on one machine: PostgreSQL, MLflow, three Ray nodes, a search
submitted as a job, a worker node lost on the way; and `slurm.sh` on real Ray nodes.

Everything is started here, keeps its files in a folder of its own, and is ended by its own process
group.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster_files import CLUSTER

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]
BIN = Path(sys.executable).parent
NUM_TRIALS = 4


def free_ports(count: int) -> list[int]:
    """Ports below those that the system hands out, so that no connection takes them meanwhile."""
    start, found = 20000 + secrets.randbelow(9000), []
    for port in range(start, 32000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


class Lab:
    """Processes that were started here, each with a log, and the folder that they share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, subprocess.Popen] = {}
        self.environment = {
            **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "OMP_NUM_THREADS": "1",
        }

    def start(self, name: str, *words: object, **options: object) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.started[name] = subprocess.Popen(
                [str(word) for word in words],
                **{
                    "env": self.environment,
                    "cwd": self.folder,
                    "stdout": log,
                    "stderr": log,
                    "start_new_session": True,
                }
                | options,
            )
        return self.started[name]

    def run(self, *words: object, **variables: str) -> str:
        """What a command prints; it may take five minutes and must end well."""
        done = subprocess.run(
            [str(word) for word in words],
            env=self.environment | variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-2000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def end(self, *names: str, number: int = signal.SIGTERM) -> None:
        """End process groups, the hard way where the polite one takes longer than 15 s."""
        processes = [self.started.pop(name) for name in names]
        deadline = time.monotonic() + 15
        for attempt in (number, signal.SIGKILL):
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, attempt)
            for process in processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=max(0.1, deadline - time.monotonic()))

    def end_all(self) -> None:
        self.end(*reversed(self.started))


@pytest.fixture
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="hw-", dir="/tmp"))  # short: Ray's sockets lie below it
    folder.chmod(0o755)
    lab = Lab(folder)
    try:
        yield lab
    finally:
        lab.end_all()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(is_so, what: str, lab: Lab, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"{what} after {timeout_s} s\n{lab.logs()}"
        time.sleep(0.5)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=3) as reply:
        return reply.status == 200
    return False


def start_postgres(lab: Lab, port: int) -> str:
    """The URI of a fresh database; PostgreSQL refuses to run as root."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not there: apt-get install postgresql")
    psycopg2 = pytest.importorskip("psycopg2")
    home, password = lab.folder / "postgres", secrets.token_hex(16)
    home.mkdir()
    (home / "password").write_text(password, encoding="utf-8")
    as_user: dict[str, object] = {"cwd": home}
    if os.geteuid() == 0:
        for path in (home, home / "password"):
            shutil.chown(path, "postgres", "postgres")
        as_user |= {"user": "postgres", "group": "postgres", "extra_groups": []}
    subprocess.run(
        [found[-1], "--pgdata=data", "--username=mlflow", "--pwfile=password",
         "--auth=scram-sha-256"],
        check=True, capture_output=True, **as_user,
    )  # fmt: skip
    server = found[-1].parent / "postgres"
    lab.start("postgres", server, "-D", "data", "-p", port, "-h", "127.0.0.1", "-k", "", **as_user)
    where = {"host": "127.0.0.1", "port": port, "user": "mlflow", "password": password}

    def connects() -> bool:
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(dbname="postgres", **where).close()
            return True
        return False

    wait_until(connects, "PostgreSQL does not answer", lab)
    connection = psycopg2.connect(dbname="postgres", **where)
    connection.autocommit = True
    connection.cursor().execute("CREATE DATABASE mlflow")
    connection.close()
    return f"postgresql+psycopg2://mlflow:{password}@127.0.0.1:{port}/mlflow"


def start_mlflow(lab: Lab, backend: str, port: int) -> str:
    lab.start(
        "mlflow", BIN / "mlflow", "server", "--backend-store-uri", backend, "--port", port,
        "--artifacts-destination", lab.folder / "mlflow", "--host", "127.0.0.1", "--workers", 1,
    )  # fmt: skip
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), "MLflow is not up", lab)
    return f"http://127.0.0.1:{port}"


def start_ray_nodes(lab: Lab, ports: list[int]) -> str:
    """A head and two workers of one CPU each; the address of the cluster.

    Args:
        ports: Of the cluster, its dashboard, its client server, and the agent of each node.
    """
    common = ("--num-cpus", 1, "--block", "--disable-usage-stats", "--dashboard-agent-listen-port")
    lab.start(
        "head", BIN / "ray", "start", "--head", "--port", ports[0], "--dashboard-port", ports[1],
        "--ray-client-server-port", ports[2], "--temp-dir", lab.folder / "r0", *common, ports[3],
    )  # fmt: skip
    address_of = re.compile(r"--address='([^']+)'")
    log = lab.folder / "head.log"
    wait_until(lambda: address_of.search(log.read_text()), "the head does not start", lab)
    address = address_of.search(log.read_text())[1]
    for number in (1, 2):
        lab.start(
            f"worker{number}", BIN / "ray", "start", "--address", address,
            "--temp-dir", lab.folder / f"r{number}", *common, ports[3 + number],
        )  # fmt: skip
    wait_until(lambda: num_nodes(lab, address) == 3, "the workers do not join", lab)
    # A job is taken once the head's agent is there, which comes last.
    well = f"http://{address.partition(':')[0]}:{ports[3]}/api/local_raylet_healthz"
    wait_until(lambda: answers(well), "the agent of the head is not well", lab)
    return address


def num_nodes(lab: Lab, address: str) -> int:
    shown = lab.run(BIN / "ray", "status", "--address", address)
    return len(re.findall(r"node_[0-9a-f]{8}", shown.partition("Pending")[0]))


def draw_store(lab: Lab) -> Path:
    store = lab.folder / "store"
    lab.run(BIN / "harness", "data", "phantom", "--out", store, "--images", 400, "--size", 48)
    return store


def search_words(lab: Lab, store: Path, num_trials: int) -> tuple[object, ...]:
    return (
        "harness", "search", "dannynet-mini", "--name", "walk", "--data", store,
        "--trials", num_trials, "--set", "train.epochs=6",
        "--results", lab.folder / "results", "--address", "auto",
    )  # fmt: skip


def outcomes(lab: Lab) -> dict[str, str]:
    """The outcome of each trial of the search, as its run directory says."""
    import json

    found = (lab.folder / "results" / "searches" / "walk").glob("t*/status.json")
    return {path.parent.name: json.loads(path.read_text())["outcome"] for path in found}


def test_machines_of_your_own(lab):
    database, server, *of_ray = free_ports(8)
    dashboard = of_ray[1]
    uri = start_mlflow(lab, start_postgres(lab, database), server)
    start_ray_nodes(lab, of_ray)
    store = draw_store(lab)
    job = lab.start(
        "job", BIN / "ray", "job", "submit", "--address", f"http://127.0.0.1:{dashboard}",
        "--submission-id", "walk-1", "--",
        "env", f"MLFLOW_TRACKING_URI={uri}", *search_words(lab, store, NUM_TRIALS),
    )  # fmt: skip
    running = ("running", "completed", "pruned")
    wait_until(
        lambda: job.poll() is not None or sum(o in running for o in outcomes(lab).values()) >= 2,
        "no trials",
        lab,
        timeout_s=240,
    )
    lab.end("worker2", number=signal.SIGKILL)  # as a spot machine goes
    assert job.wait(timeout=400) == 0, lab.logs()
    assert len(outcomes(lab)) == NUM_TRIALS
    assert set(outcomes(lab).values()) <= {"completed", "pruned"}

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=100)
    print({"nodes": 3, "trials": outcomes(lab), "runs": [run.info.status for run in runs]})
    assert len(runs) == NUM_TRIALS + 1  # each trial once, and the search
    assert not [run for run in runs if run.info.status in ("RUNNING", "SCHEDULED")]
    shown = lab.run(BIN / "harness", "status", "walk", "--results", lab.folder / "results")
    assert str(NUM_TRIALS) in shown


SRUN = """#!/usr/bin/env bash
# One machine stands for all nodes: each task is a process here.
tasks=1; while [[ $1 == --* ]]; do [[ $1 == --ntasks=* ]] && tasks=${1#*=}; shift; done
pids=(); trap 'kill "${pids[@]}" 2>/dev/null' TERM
for ((task = 0; task < tasks; task++)); do SLURM_PROCID=$task "$@" & pids+=($!); done
wait "${pids[@]}"; wait "${pids[@]}" 2>/dev/null; exit 0
"""


def has_checkpoint(lab: Lab) -> bool:
    """Whether a trial that runs has something to go on from."""
    running = [name for name, outcome in outcomes(lab).items() if outcome == "running"]
    return any(list(lab.folder.rglob(f"{name}/last.ckpt")) for name in running)


def test_slurm_on_real_ray_nodes(lab):
    """Ends at the first TERM with checkpoints and a requeue; started again, all is completed."""
    stubs = lab.folder / "bin"
    stubs.mkdir()
    requeued = lab.folder / "requeued"
    for name, body in {"srun": SRUN, "scontrol": f'#!/bin/sh\necho "$@" >> {requeued}\n'}.items():
        (stubs / name).write_text(body, encoding="utf-8")
        (stubs / name).chmod(0o755)
    lab.environment |= {
        "PATH": f"{stubs}:{lab.environment['PATH']}",
        "LOCAL_ROOT": str(lab.folder),
        "SLURM_JOB_ID": str(secrets.randbelow(6000)),
        "SLURM_JOB_NUM_NODES": "2",
        "SLURMD_NODENAME": socket.gethostname(),
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_GPUS_ON_NODE": "0",
    }
    store = draw_store(lab)
    words = ("bash", CLUSTER / "slurm.sh", *search_words(lab, store, NUM_TRIALS))
    first = lab.start("first", *words)
    wait_until(
        lambda: first.poll() is not None or has_checkpoint(lab),
        "no trial has a checkpoint",
        lab,
        timeout_s=300,
    )
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=120) == 0, lab.logs()
    assert requeued.read_text().split()[0] == "requeue", lab.logs()
    assert "running" not in outcomes(lab).values()

    lab.environment["SLURM_RESTART_COUNT"] = "1"
    again = lab.start("again", *words)
    assert again.wait(timeout=400) == 0, lab.logs()
    assert len(outcomes(lab)) == NUM_TRIALS
    assert set(outcomes(lab).values()) <= {"completed", "pruned"}
    assert not list(lab.folder.glob("ray-*"))
