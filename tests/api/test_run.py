"""Runs as objects, and all runs as a frame."""

import numpy as np
import pytest

import harness
from harness.core.errors import HarnessError


@pytest.fixture
def run(trained_results):
    return harness.open_run("dannynet/t0000", results=trained_results)


def test_flags_of_frames_are_those_of_the_evaluation(run):
    """Sensitivity, recomputed from the frames, is the one that the record holds."""
    flagged, labels = run.predictions() >= run.thresholds, run.labels().astype(bool)
    sensitivity = (flagged & labels).sum() / labels.sum()
    figures = run.figures().drop(index="macro")
    known = figures["sensitivity"].dropna().astype(float)
    assert len(known) > 5
    np.testing.assert_allclose(sensitivity[known.index], known)
    assert run.figures().loc["macro", "auroc"] == run.record.val.macro["auroc"]


def test_epochs_are_rows(run):
    epochs = run.epochs()
    assert epochs.index.tolist() == [1, 2]
    assert (
        run.score == epochs["best/auroc_macro"].iloc[-1] == run.record.metrics["best/auroc_macro"]
    )


def test_what_is_not_there_is_told(run, trained_results):
    with pytest.raises(HarnessError, match="its test part was not scored"):
        run.predictions("test")
    with pytest.raises(HarnessError, match="its test part was not scored"):
        run.figures("test")
    with pytest.raises(HarnessError, match="neither a run directory nor a run"):
        harness.open_run("nobody", results=trained_results)


def test_all_runs_are_a_frame_with_their_recipes(trained_results, run):
    frame = harness.runs(results=trained_results)
    (row,) = frame.to_dict("records")
    assert (row["group"], row["outcome"]) == ("dannynet", "completed")
    assert row["val/auroc"] == run.record.val.macro["auroc"]
    assert row["optim.lr"] == run.recipe.optim.lr
    assert row["path"] == str(run.path)
    assert harness.runs("other", results=trained_results).empty


def test_train_is_the_command(toy_store, tmp_path, harness, alone):
    """The same recipe in the same folder: the command finds it trained."""
    import harness as package

    small = {"data.resize_px": 32, "data.input_px": 32, "train.epochs": 1}
    run = package.train("dannynet-mini", data=toy_store, out=tmp_path / "run", set=small, seed=7)
    assert run.outcome == "completed"
    before = (run.path / "metrics.jsonl").stat().st_mtime_ns
    words = [f"--set={path}={value}" for path, value in small.items()]
    code, said, _ = harness(
        "train", "dannynet-mini", "--data", toy_store.path, "--out", run.path, "--seed", 7, *words
    )
    assert code == 0
    assert f"val AUROC {run.score:.4f}" in said
    assert (run.path / "metrics.jsonl").stat().st_mtime_ns == before
    with pytest.raises(HarnessError, match="another recipe"):
        package.train("dannynet-mini", data=toy_store, out=tmp_path / "run", set=small, seed=8)
