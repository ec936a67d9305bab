"""Checks of the machine and the removal of what nobody needs, as frames."""

import json
from importlib import import_module
from pathlib import Path

import pytest

import harness
from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.recipe import Recipe
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.execution.checks import Check

NUM_BYTES = 1000


def make_trial(search_dir: Path, number: int, **status: object) -> RunDirectory:
    run = RunDirectory(search_dir / f"t{number:04}-abcdef")
    run.path.mkdir(parents=True)
    run.write_recipe(Recipe())
    record = {"metrics": {"best/auroc_macro": 0.5 + number / 100}}
    (run.path / "record.json").write_text(json.dumps(record))
    run.best_weights.write_bytes(bytes(NUM_BYTES))
    run.set_status(Status(**{"outcome": Outcome.COMPLETED} | status))
    return run


@pytest.fixture
def results(alone, tmp_path) -> Path:
    """A search of three completed trials, and one of a failed trial that could go on."""
    for number in range(3):
        make_trial(tmp_path / "results" / "searches" / "toy", number)
    faulty = {"outcome": Outcome.FAILED, "reason": FailureReason.CODE}
    run = make_trial(tmp_path / "results" / "searches" / "odd", 0, **faulty)
    run.checkpoint.write_bytes(bytes(10))
    return tmp_path / "results"


def weights(results: Path) -> list[str]:
    return sorted(path.parent.name for path in (results / "searches" / "toy").rglob("best.*"))


def test_a_dry_run_lists_what_is_freed_then(results):
    listed = harness.gc(keep=1, dry_run=True)
    assert len(weights(results)) == 3
    gone = listed[listed["state"] == "would be freed"]
    assert [Path(path).parent.name[:5] for path in gone["path"]] == ["t0000", "t0001"]
    assert gone["num_bytes"].sum() == 2 * NUM_BYTES
    assert set(gone["why"]) == {"weights of completed trials beyond the best 1"}
    kept = listed[listed["state"] == "kept"].groupby("why")["num_bytes"].sum()
    assert kept.to_dict() == {
        "the best trials of each search": NUM_BYTES,
        "failed runs that can go on from them (all=True frees them)": NUM_BYTES + 10,
    }
    freed = harness.gc(keep=1)
    assert set(freed["state"]) == {"freed", "kept"}
    assert freed.drop(columns="state").equals(listed.drop(columns="state"))
    assert weights(results) == ["t0002-abcdef"]
    assert "freed" not in set(harness.gc(keep=1)["state"])


def test_all_frees_what_failed_runs_could_go_on_from(results):
    freed = harness.gc(all=True, search="odd")
    assert freed["state"].tolist() == ["freed"] * 2
    assert freed["num_bytes"].sum() == NUM_BYTES + 10


def test_a_running_search_is_left_alone_and_named(results):
    with held(results / "searches" / "toy" / "lock"):
        found = harness.gc(keep=0, search="toy")
    assert found[["state", "why"]].values.tolist() == [["running", "search toy"]]
    assert found["path"].tolist() == [str(results / "searches" / "toy")]
    assert found["num_bytes"].isna().all()
    assert len(weights(results)) == 3


def test_nothing_to_free_is_an_empty_frame_and_mistakes_are_in_keywords(results, tmp_path):
    (tmp_path / "new").mkdir()
    empty = harness.gc(results=tmp_path / "new")
    assert (len(empty), empty["num_bytes"].sum()) == (0, 0)
    with pytest.raises(HarnessError, match=r"^search tyo: no such search .* mean 'toy'"):
        harness.gc(search="tyo")
    with pytest.raises(HarnessError, match="keep -1"):
        harness.gc(keep=-1)
    with pytest.raises(HarnessError, match=r"^results /nowhere: no such folder"):
        harness.gc(results="/nowhere")


def test_checks_are_rows_whose_advice_is_of_the_call(alone, tmp_path, toy_store, monkeypatch):
    seen = {}

    def examine(place, **asked):
        seen.update(asked, place=place)
        return [
            Check(what="Ray", node="driver", is_ok=True, detail="1 node"),
            Check(what="MLflow", node="driver", is_ok=True, detail="1 run", todo="--fix closes it"),
            Check(
                what="results folder", node="node2", is_ok=False, detail="not there",
                todo="share it, or name a --storage",
            ),
        ]  # fmt: skip

    monkeypatch.setattr("harness.api.calls.JOINED", {})
    monkeypatch.setattr(import_module("harness.doctor"), "examine", examine)
    found = harness.doctor(data=toy_store, storage="s3://bucket/runs", fix=True)
    assert found.columns.tolist() == ["check", "where", "state", "seen", "to_do"]
    assert found["state"].tolist() == ["ok", "warning", "FAIL"]
    assert found["where"].tolist() == ["driver", "driver", "node2"]
    assert found["to_do"].tolist() == ["", "fix=True closes it", "share it, or name a storage"]
    place = seen.pop("place")
    assert (place.results, place.storage) == (tmp_path / "results", "s3://bucket/runs")
    assert seen == {"store": toy_store.path, "does_fix": True}
