"""A worker is killed and a node removed in the middle of an epoch: other nodes go on."""

import json
import os
import signal
from pathlib import Path

import pytest

from harness.core.files import read_json_lines
from harness.core.records import Outcome
from tests.drills.searches import SMALL, Search, check_mlflow, check_whole, kill, wait_until


def workers_of(results: Path) -> list[int]:
    """Process ids of the Ray workers that hold the lock of a run in `results`."""
    found = []
    for lock in results.rglob("t0*/.lock"):
        text = lock.read_text().strip()
        if text:
            found.append(int(json.loads(text)["pid"]))
    return found


def lines_of(search: Search) -> dict[str, list[dict]]:
    """The epochs of each trial, with the seconds they took: trained anew, these would differ."""
    return {
        run.path.name: read_json_lines(run.path / "metrics.jsonl")
        for run in search.runs()
        if (run.path / "metrics.jsonl").exists()
    }


@pytest.fixture
def cluster(monkeypatch):
    """Three nodes with raylets of their own: a head without room for trials, and two workers."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield made
    made.shutdown()


def test_runs_go_on_elsewhere_from_their_last_epoch(cluster, toy_store, tmp_path):
    nodes = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
    cluster.wait_for_nodes()
    search = Search(
        tmp_path / "results", "dannynet-mini", "--data", toy_store.path, "--trials", 3, *SMALL,
        "--set", "train.epochs=30", "--set", "train.early_stop_epochs=30", "--scheduler", "none",
        "--address", cluster.address,
    )  # fmt: skip
    process = search.start()
    try:
        wait_until(
            lambda: sum(len(lines) >= 4 for lines in lines_of(search).values()) >= 2, process, 180
        )
        before_kill = lines_of(search)
        os.kill(workers_of(search.results)[0], signal.SIGKILL)
        wait_until(
            lambda: all(len(lines) >= 8 for lines in list(lines_of(search).values())[:2]),
            process,
            180,
        )
        before_removal = lines_of(search)
        cluster.remove_node(nodes[0])
        assert process.wait(600) == 0, search.log.read_text()
    finally:
        kill(process)
    check_whole(search, 3)
    check_mlflow(search)
    assert {run.status.outcome for run in search.runs()} == {Outcome.COMPLETED}
    after = lines_of(search)
    for before in (before_kill, before_removal):
        for name, lines in before.items():
            assert after[name][: len(lines)] == lines  # nothing was trained twice
    log = search.log.read_text()
    assert "its worker process died" in log
    assert "its node was lost" in log
