"""The README's walk-through for real, on one machine: PostgreSQL, MLflow, three Ray nodes, a search
submitted as a job, a worker node lost on the way; and `slurm.sh` on real Ray nodes.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cluster.cluster_files import CLUSTER
from tests.cluster.lab import BIN, Lab, answers, free_ports, num_nodes, outcomes, wait_until

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]
NUM_TRIALS = 4
SEARCH = "walk"


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


def draw_store(lab: Lab) -> Path:
    store = lab.folder / "store"
    lab.run(BIN / "harness", "data", "phantom", "--out", store, "--images", 400, "--size", 48)
    return store


def search_words(lab: Lab, store: Path, num_trials: int) -> tuple[object, ...]:
    return (
        "harness", "search", "dannynet-mini", "--name", SEARCH, "--data", store,
        "--trials", num_trials, "--set", "train.epochs=6",
        "--results", lab.folder / "results", "--address", "auto",
    )  # fmt: skip


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
        lambda: (
            job.poll() is not None or sum(o in running for o in outcomes(lab, SEARCH).values()) >= 2
        ),
        "no trials",
        lab,
        timeout_s=240,
    )
    lab.end("worker2", number=signal.SIGKILL)  # as a spot machine goes
    assert job.wait(timeout=400) == 0, lab.logs()
    assert len(outcomes(lab, SEARCH)) == NUM_TRIALS
    assert set(outcomes(lab, SEARCH).values()) <= {"completed", "pruned"}

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=100)
    print({"nodes": 3, "trials": outcomes(lab, SEARCH), "runs": [run.info.status for run in runs]})
    assert len(runs) == NUM_TRIALS + 1  # each trial once, and the search
    assert not [run for run in runs if run.info.status in ("RUNNING", "SCHEDULED")]
    shown = lab.run(BIN / "harness", "status", SEARCH, "--results", lab.folder / "results")
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
    running = [name for name, outcome in outcomes(lab, SEARCH).items() if outcome == "running"]
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
    assert "running" not in outcomes(lab, SEARCH).values()

    lab.environment["SLURM_RESTART_COUNT"] = "1"
    again = lab.start("again", *words)
    assert again.wait(timeout=400) == 0, lab.logs()
    assert len(outcomes(lab, SEARCH)) == NUM_TRIALS
    assert set(outcomes(lab, SEARCH).values()) <= {"completed", "pruned"}
    assert not list(lab.folder.glob("ray-*"))
