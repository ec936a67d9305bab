"""A worker is killed and a node removed in the middle of an epoch: other nodes go on."""

import json
import os
import signal
from pathlib import Path

import pytest

from harness.core.json_lines import read_json_lines
from harness.core.records import Outcome
from tests.drills.searches import SMALL, Search, check_mlflow, check_whole, kill, wait_until

NUM_EPOCHS = 60


def workers_of(results: Path) -> list[int]:
    """Process ids of the Ray workers that hold the lock of a run in `results`."""
    texts = (lock.read_text().strip() for lock in sorted(results.rglob(".lock")))
    return [int(json.loads(text)["pid"]) for text in texts if text]


def parent_of(pid: int) -> int:
    """The raylet of a worker; 0 where the worker is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def node_at_work(nodes: list, search: Search):
    """A node whose worker is in the middle of a run; None where there is none at this moment."""
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in nodes}
    for run in search.runs():
        has_begun = run.status.outcome is Outcome.RUNNING and 2 < len(run.epochs) < NUM_EPOCHS - 8
        holders = workers_of(run.path.parent / run.path.name) if has_begun else []
        for pid in holders:
            if node := raylets.get(parent_of(pid)):
                return node
    return None


def lines_of(search: Search) -> dict[str, list[dict]]:
    """The epochs of each trial, with the seconds they took: trained anew, these would differ.

    The last one's checkpoint may not be written yet.
    """
    return {
        run.path.name: read_json_lines(run.path / "metrics.jsonl")
        for run in search.runs()
        if (run.path / "metrics.jsonl").exists()
    }


def check_same_epochs(*, before: list[dict], after: list[dict]) -> None:
    """No epoch was trained twice but the one that was being written, and that one to the same end.

    An epoch's line is there before its checkpoint.
    """
    *whole, last = before or [{}]
    assert after[: len(whole)] == whole
    if last:
        again = after[len(whole)]
        assert again["epoch"] == last["epoch"]
        assert without_seconds(again) == without_seconds(last)


def without_seconds(epoch: dict) -> dict[str, float]:
    return {name: value for name, value in epoch["metrics"].items() if name != "time/epoch_s"}


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
        "--set", f"train.epochs={NUM_EPOCHS}", "--set", f"train.early_stop_epochs={NUM_EPOCHS}",
        "--scheduler", "none", "--address", cluster.address,
    )  # fmt: skip
    process = search.start()
    try:
        wait_until(
            lambda: sum(len(lines) >= 4 for lines in lines_of(search).values()) >= 2, process, 180
        )
        before_kill = lines_of(search)
        os.kill(workers_of(search.results)[0], signal.SIGKILL)
        wait_until(lambda: "worker process died" in search.log.read_text(), process, 180)
        wait_until(lambda: node_at_work(nodes, search), process, 180)
        before_removal = lines_of(search)
        cluster.remove_node(node_at_work(nodes, search))
        assert process.wait(600) == 0, search.log.read_text()
    finally:
        kill(process)
    check_whole(search, 3)
    check_mlflow(search)
    assert {run.status.outcome for run in search.runs()} == {Outcome.COMPLETED}
    after = lines_of(search)
    for before in (before_kill, before_removal):
        for name, lines in before.items():
            check_same_epochs(before=lines, after=after[name])
    log = search.log.read_text()
    assert "its worker process died" in log
    assert "its node was lost" in log
