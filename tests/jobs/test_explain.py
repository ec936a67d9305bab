"""The maps of a benchmark's final runs: who is asked for them, and what is told meanwhile."""

import io
import shutil

import pandas as pd
import pytest
from rich.console import Console

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.data.splits import make_split
from harness.data.store import ImageStore
from harness.jobs import explain


@pytest.fixture
def images(trained_results) -> ImageStore:
    return ImageStore.open(trained_results.parent / "store")


@pytest.fixture
def runs(trained_results, tmp_path):
    """Three final runs, the last of which has not been scored on test."""
    (trained,) = (trained_results / "searches" / "dannynet").glob("t0000-*")
    for name in ("first", "second", "third"):
        shutil.copytree(trained, tmp_path / name)
    found = [RunDirectory(tmp_path / name) for name in ("first", "second", "third")]
    for directory in found[:2]:
        evaluation = directory.record.val.model_copy(update={"part": "test"})
        directory.write_test_evaluation(evaluation)
    return [Run("nih", each.path.name, "final", each.recipe, each, {}) for each in found]


@pytest.fixture
def look(runs, images):
    """Asks for the maps; what is told on the console, line by line."""

    def ask(store: ImageStore = images) -> list[str]:
        written = io.StringIO()
        machine = Machine(store=images.path, device="cpu")
        explain.explain_final_runs(runs, store, machine, Console(file=written, markup=False))
        return written.getvalue().splitlines()

    return ask


def test_a_run_that_has_no_map_is_told_of_and_the_others_go_on(look, monkeypatch) -> None:
    def made(run, machine, part, *, progress):
        assert part == "test"
        if run.path.name == "first":
            raise HarnessError("MlpMixer: no layer of it is known")
        progress(0, 7)
        progress(7, 7)

    monkeypatch.setattr(explain, "explain_run", made)
    assert look() == [
        "[1/2]  first  no maps: MlpMixer: no layer of it is known",
        "[2/2]  second  looked at 7 boxes of test",
    ]


def test_nobody_is_asked_where_no_image_of_test_has_a_box(look, images, runs, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(explain, "explain_run", lambda run, *_, **__: asked.append(run))
    test = images.table["image"].iloc[make_split(images, runs[0].recipe.data.split).test]
    is_of_test = images.boxes["image"].isin(test)
    assert is_of_test.any()
    for boxes in (images.boxes[~is_of_test], images.boxes.assign(finding="Rib fracture")):
        store = ImageStore.open(images.path)
        store.boxes = pd.DataFrame(boxes)
        assert look(store) == []
    assert asked == []
    look()
    assert len(asked) == 2
