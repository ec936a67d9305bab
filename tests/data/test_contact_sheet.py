import numpy as np
import pandas as pd
import pytest
from PIL import ImageColor

from harness.core.findings import FINDINGS, NO_FINDING
from harness.data.contact_sheet import BOX, WARNING, choose_rows, contact_sheet, summary_table
from harness.data.splits import make_split, split_table
from harness.data.store import ImageStore, write_store


@pytest.fixture
def big_store(tmp_path, make_table, origin):
    """Forty patients, one image each; every fifth has no finding, the others one of four."""
    rows = [
        (str(number), "test" if number % 4 == 0 else "train_val", (*FINDINGS[:4], "")[number % 5])
        for number in range(40)
    ]
    images = np.random.default_rng(0).integers(0, 200, (40, 16, 16), dtype=np.uint8)
    boxes = [(f"image_{number:03d}.png", FINDINGS[0], 4.0, 4.0, 8.0, 8.0) for number in (5, 10)]
    frame = make_table(*rows)
    return write_store(
        tmp_path / "big", images=images, table=frame, origin=origin,
        boxes=pd.DataFrame(boxes, columns=["image", "finding", "x", "y", "w", "h"]),
    )  # fmt: skip


def num_pixels(sheet, colour: str) -> int:
    pixels = np.asarray(sheet)
    return int((pixels == ImageColor.getrgb(colour)).all(axis=-1).sum())


def test_the_counts_add_up_to_the_table(big_store):
    table = summary_table(big_store, make_split(big_store, "official"))
    assert list(table.columns) == ["train", "val", "test"]
    total = table.sum(axis=1)
    assert total["images"] == total["patients"] == 40
    assert total[NO_FINDING] == total[FINDINGS[0]] == 8
    assert total[FINDINGS[7]] == 0
    assert table.loc["images", "test"] == 10


def test_patients_that_nobody_knows_are_not_counted(big_store):
    manifest = big_store.manifest.model_copy(update={"has_patients": False})
    store = ImageStore(
        big_store.path, manifest=manifest, table=big_store.table, boxes=big_store.boxes
    )
    assert "patients" not in summary_table(store, make_split(store, "official")).index


def test_the_counts_are_of_the_parts_of_the_split(big_store):
    split = split_table(big_store.table, "official")
    table = summary_table(big_store, split)
    for part in ("train", "val", "test"):
        label_NL = big_store.label_NL[getattr(split, part)]
        assert table.loc[list(FINDINGS), part].to_list() == label_NL.sum(axis=0).tolist()


def test_examples_have_the_finding_and_those_with_a_box_come_first(big_store):
    rows = choose_rows(big_store, FINDINGS[0], num=4, seed=0)
    assert len(set(rows)) == 4
    assert big_store.label_NL[rows, 0].all()
    assert set(rows[:2]) == {5, 10}
    none = choose_rows(big_store, NO_FINDING, num=100, seed=0)
    assert sorted(none) == list(range(4, 40, 5))


def test_the_seed_chooses_the_examples(big_store):
    chosen = {tuple(choose_rows(big_store, NO_FINDING, num=4, seed=seed)) for seed in (0, 0, 1, 2)}
    assert len(chosen) == 3


def test_the_sheet_shows_the_boxes(big_store):
    """Each box is half the cell wide: an outline of 66 px sides, 2 px thick, gives ~520 pixels."""
    assert num_pixels(contact_sheet(big_store, num=4), BOX) == pytest.approx(2 * 520, rel=0.1)
    big_store.boxes = big_store.boxes[:0]
    assert num_pixels(contact_sheet(big_store, num=4), BOX) == 0


def test_a_phantom_is_marked_synthetic(big_store):
    assert num_pixels(contact_sheet(big_store), WARNING) > 1000
    big_store.manifest = big_store.manifest.model_copy(update={"is_synthetic": False})
    assert num_pixels(contact_sheet(big_store), WARNING) == 0


@pytest.mark.parametrize("num", [1, 6])
def test_the_sheet_shows_the_images_themselves(big_store, num):
    big_store.images = np.full((40, 16, 16), 123, np.uint8)
    sheet = contact_sheet(big_store, num=num)
    shown = sum(
        len(choose_rows(big_store, name, num=num, seed=0)) for name in (*FINDINGS, NO_FINDING)
    )
    boxes_area = num_pixels(sheet, BOX)
    assert num_pixels(sheet, "#7b7b7b") == shown * 132 * 132 - boxes_area
