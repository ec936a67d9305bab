"""A trained run's maps held against boxes: known boxes, the test lock, and what is kept."""

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from harness.core.looks import read_looks
from harness.core.machine import Machine
from harness.core.run_dir import RunDirectory
from harness.core.space import SearchSpace
from harness.data.splits import make_split
from harness.data.store import StoreOrigin, write_store
from harness.explain import sights
from harness.explain.explanations import explanations_file, read_explanations
from harness.explain.measures import measure
from harness.explain.sights import explain_run, region_of
from harness.scoring import score_test
from harness.trial import run_trial
from tests.conftest import TOY_PX, toy_images


@pytest.fixture(scope="module")
def boxed_store(tmp_path_factory):
    """The toy store, with a box around each bright square, in a frame of twice its pixels."""
    images, table = toy_images(240)
    findings = list(table.columns[6:])
    rows = [
        (image, finding, 16.0 * (column % 4), 16.0 * (column // 4), 12.0, 12.0)
        for image, label_L in zip(table["image"], table[findings].to_numpy(), strict=True)
        for column, finding in enumerate(findings)
        if label_L[column] and column % 5 == 0
    ]
    origin = StoreOrigin(
        source="toy", is_synthetic=True, label_version="toy", attribution="",
        box_frame_px=2 * TOY_PX,
    )  # fmt: skip
    boxes = pd.DataFrame(rows, columns=["image", "finding", "x", "y", "w", "h"])
    path = tmp_path_factory.mktemp("stores") / "boxed"
    return write_store(path, images=images, table=table, boxes=boxes, origin=origin)


@pytest.fixture(scope="module")
def trained(boxed_store, tmp_path_factory):
    space = SearchSpace.load("dannynet-mini")
    changes = {"data.resize_px": 32, "data.input_px": 32, "train.epochs": 1}
    recipe = space.recipe(space.default_values())
    recipe = recipe.with_values(changes | {"data.store": boxed_store.fingerprint})
    path = tmp_path_factory.mktemp("runs") / "run"
    run_trial(recipe, Machine(store=boxed_store.path, device="cpu"), path)
    return RunDirectory(path)


@pytest.fixture
def machine(boxed_store) -> Machine:
    return Machine(store=boxed_store.path, device="cpu")


def test_each_finding_with_a_box_is_looked_for(trained, machine, boxed_store) -> None:
    found = explain_run(trained, machine, "val")
    split = make_split(boxed_store, "official")
    images = set(boxed_store.table["image"].iloc[split.val])
    boxes = boxed_store.boxes[boxed_store.boxes["image"].isin(images)]
    told = {(each.image, each.finding): tuple(each.boxes[0]) for each in found.sights}
    assert told == {(row.image, row.finding): (row.x, row.y, row.w, row.h)
                    for row in boxes.itertuples()}  # fmt: skip
    assert (found.layer, found.grid, found.frame_px) == ("features.norm5", (2, 2), 64)
    assert all(0 <= place <= 64 for each in found.sights if each.peak for place in each.peak)
    assert measure(found)["chance"] == pytest.approx(12 * 12 / 64**2)


def test_it_is_kept_and_made_again_for_another_layer(trained, machine, monkeypatch) -> None:
    first = explain_run(trained, machine, "val")
    assert read_explanations(trained.path, "val") == first
    monkeypatch.setattr(sights, "cams_of", None)
    assert explain_run(trained, machine, "val") == first
    monkeypatch.undo()
    other = explain_run(trained, machine, "val", layer="features.denseblock1")
    assert (other.layer, other.grid) == ("features.denseblock1", (4, 4))
    explanations_file(trained.path, "val").unlink()


def test_validation_needs_no_look_and_test_writes_it_down_before(
    trained, machine, monkeypatch
) -> None:
    explain_run(trained, machine, "val")
    assert read_looks(trained.path) == ()

    def open_test(*args):
        (look,) = read_looks(trained.path)
        assert look.run == trained.path.name
        raise InterruptedError

    monkeypatch.setattr(sights, "open_test", open_test)
    with pytest.raises(InterruptedError):
        explain_run(trained, machine, "test")
    monkeypatch.undo()
    explain_run(trained, machine, "test")
    score_test(machine, trained.path)
    assert len(read_looks(trained.path)) == 1, "one look by one code at what one run has frozen"


def test_an_unfinished_run_and_another_store_are_refused(
    trained, machine, toy_store, tmp_path
) -> None:
    with pytest.raises(HarnessError, match=r"not a finished run \(.*\); only a completed one"):
        explain_run(RunDirectory(tmp_path), machine, "test")
    with pytest.raises(HarnessError, match="the recipe belongs to the store"):
        explain_run(trained, Machine(store=toy_store.path, device="cpu"), "val")


def test_a_damaged_file_is_named(trained) -> None:
    explanations_file(trained.path, "val").write_text("{}")
    with pytest.raises(HarnessError, match=r"explanations_val\.json: damaged"):
        read_explanations(trained.path, "val")
    explanations_file(trained.path, "val").unlink()


def test_a_region_is_what_is_high_and_connected_with_the_highest() -> None:
    heat = np.zeros((10, 10), dtype=np.float32)
    heat[2:4, 5:9], heat[3, 6], heat[7:9, 1] = 0.8, 1, 0.9
    assert region_of(heat, frame_px=20, level=0.7) == (10, 4, 8, 4)
    assert region_of(heat, frame_px=10, level=0.95) == (6, 3, 1, 1)
    assert region_of(np.zeros((4, 4), dtype=np.float32), frame_px=4) is None
