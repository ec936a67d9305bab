"""The tour in small, as a process of its own, twice."""

import json
import subprocess
import sys
import time

import pytest
from mlflow.tracking import MlflowClient

TRIALS, SEEDS = 1, 1


def quickstart(results) -> str:
    words = ("quickstart", "--results", results, "--images", 200, "--trials", TRIALS)
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, words), "--seeds", str(SEEDS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_tour_ends_in_a_table_and_is_not_made_twice(tmp_path):
    first = quickstart(tmp_path)
    table = json.loads((tmp_path / "phantom" / "results.json").read_text())
    labels = " ".join(row["label"] for row in table["rows"])
    for family in ("dannynet-mini", "chexnet-mini", "vit-mini"):
        assert family in labels
        assert family in first
    assert table["caption"]["is_synthetic"]
    assert "SYNTHETIC" in first

    runs = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["1"], max_results=1000)
    kinds = [run.data.tags["harness.kind"] for run in runs]
    assert kinds.count("trial") == 3 * TRIALS
    assert kinds.count("search") == 3
    assert kinds.count("benchmark") == 1
    assert kinds.count("final") == len(table["rows"]) * SEEDS
    assert {run.info.status for run in runs} == {"FINISHED"}

    written = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.rglob("*")
        if path.name in ("record.json", "test.json", "metrics.jsonl", "images.npy")
    }
    started = time.monotonic()
    second = quickstart(tmp_path)
    assert time.monotonic() - started < 60
    assert second.count(" 0 to run") == 4
    assert all(path.stat().st_mtime_ns == at for path, at in written.items())
