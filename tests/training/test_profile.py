"""A profile tells all parts of an epoch, and moves no number."""

import json

import pytest

from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.run_dir import RunDirectory
from harness.data.splits import make_split
from harness.training import profile
from harness.training.profile import Profile
from harness.trial import run_trial

TOY = {
    "data.resize_px": 32, "data.input_px": 32, "model.name": "densenet_mini",
    "model.weights": "none", "train.epochs": 2, "train.batch_size": 16,
}  # fmt: skip


@pytest.fixture(scope="module")
def watched(toy_store, tmp_path_factory):
    """Two equal runs, the first one watched."""
    recipe = Recipe().with_values(TOY | {"data.store": toy_store.fingerprint})
    machine = Machine(store=toy_store.path, device="cpu")
    folder = tmp_path_factory.mktemp("runs")
    seen = Profile(folder / "watched")
    run_trial(recipe, machine, folder / "watched", watch=seen.watch)
    run_trial(recipe, machine, folder / "plain")
    return seen, RunDirectory(folder / "watched"), RunDirectory(folder / "plain")


def test_a_profile_changes_no_number(watched):
    _, run, plain = watched
    assert run.best_weights.read_bytes() == plain.best_weights.read_bytes()
    for report, other in zip(run.epochs, plain.epochs, strict=True):
        ours, theirs = dict(report.metrics), dict(other.metrics)
        del ours["time/epoch_s"], theirs["time/epoch_s"]
        assert ours == theirs


def test_the_page_has_all_parts_and_they_add_up(watched, toy_store):
    seen, _, _ = watched
    assert seen.is_written
    rows = [line.split("|")[1:-1] for line in seen.page.read_text().splitlines() if "%" in line]
    parts = {row[0].strip(): row for row in rows if not row[0].startswith(" `")}
    assert list(parts) == [
        "data", "augmentation", "forward", "backward", "optimizer", "validation", "checkpoint",
        "all else",
    ]  # fmt: skip
    shares = [float(row[2].strip(" %")) for row in parts.values()]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    num_train = len(make_split(toy_store, "official").train)
    assert seen.num_steps == -(-num_train // 16)  # of one epoch, not of two


def test_the_trace_holds_the_steps_and_their_phases(watched):
    seen, _, _ = watched
    events = json.loads(seen.trace.read_text())["traceEvents"]
    # The profiler tells each mark once for the CPU, whatever else it makes of it.
    marks = [
        event["name"] for event in events
        if event.get("cat") == "user_annotation" and event["name"].startswith(profile.MARK)
    ]  # fmt: skip
    assert marks.count(profile.MARK + "forward") == profile.NUM_STEPS
    assert "| `aten::" in seen.page.read_text()


def test_an_epoch_of_few_steps_has_its_parts_alone(toy_store, tmp_path):
    values = TOY | {"data.store": toy_store.fingerprint, "train.batch_size": 128}
    recipe = Recipe().with_values(values | {"train.epochs": 1})
    seen = Profile(tmp_path / "run")
    run_trial(recipe, Machine(store=toy_store.path, device="cpu"), tmp_path / "run",
              watch=seen.watch)  # fmt: skip
    assert seen.is_written
    assert not seen.trace.exists()
    assert "too few steps" in seen.page.read_text()
