"""The phantom as a store: reproducible, marked as synthetic, with boxes for all that is drawn."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.core.locks import LockedError, held
from harness.data.phantom import make_phantom
from harness.data.phantom.cohort import plan_exams
from harness.data.phantom.film import synthetic_mark
from harness.data.phantom.make import draw_exam
from harness.data.store import ImageStore, lock_of

SIZE_PX, NUM_IMAGES = 48, 80


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    out = tmp_path_factory.mktemp("phantom") / "store"
    return make_phantom(out, num_images=NUM_IMAGES, size_px=SIZE_PX, seed=3)


def test_the_same_seed_gives_the_same_store_with_any_number_of_workers(
    store: ImageStore, tmp_path: Path
) -> None:
    calls: list[tuple[int, int]] = []
    again = make_phantom(
        tmp_path / "again",
        num_images=NUM_IMAGES,
        size_px=SIZE_PX,
        seed=3,
        num_workers=2,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert again.fingerprint == store.fingerprint
    assert calls[-1] == (NUM_IMAGES, NUM_IMAGES)


def test_another_seed_gives_other_patients(store: ImageStore) -> None:
    pixels, _ = draw_exam(plan_exams(1, seed=4)[0], size_px=SIZE_PX)
    assert np.abs(pixels.astype(int) - store.images[0]).mean() > 2


def test_a_larger_store_begins_with_the_smaller(store: ImageStore, tmp_path: Path) -> None:
    small = make_phantom(tmp_path / "small", num_images=10, size_px=SIZE_PX, seed=3)
    np.testing.assert_array_equal(small.images, store.images[:10])
    assert small.table.equals(store.table[:10])


def test_it_says_that_it_is_synthetic(store: ImageStore) -> None:
    assert store.manifest.is_synthetic
    assert store.manifest.source == "phantom"
    mark = synthetic_mark(SIZE_PX)
    assert mark.max() > 150
    corner = store.images[:, SIZE_PX - mark.shape[0] :, : mark.shape[1]]
    assert (corner == mark).all()


def test_every_drawn_finding_has_one_box_inside_the_image(store: ImageStore) -> None:
    drawn = {(exam.image, f) for exam in plan_exams(NUM_IMAGES, seed=3) for f in exam.grades}
    boxes = store.boxes
    assert set(zip(boxes["image"], boxes["finding"], strict=True)) == drawn
    assert len(boxes) == len(drawn)
    assert (boxes[["x", "y"]] >= 0).all(axis=None)
    assert (boxes[["w", "h"]] >= 1).all(axis=None)
    assert (boxes["x"] + boxes["w"]).max() <= store.manifest.box_frame_px == SIZE_PX
    assert (boxes["y"] + boxes["h"]).max() <= SIZE_PX


def test_the_table_holds_what_was_recorded(store: ImageStore) -> None:
    for row, exam in enumerate(plan_exams(NUM_IMAGES, seed=3)):
        assert store.table["image"][row] == exam.image
        assert store.table["patient"][row] == exam.image[:7]
        recorded = {
            f for f, is_there in zip(FINDINGS, store.label_NL[row], strict=True) if is_there
        }
        assert recorded == exam.recorded
    assert (store.table.groupby("patient")["fold"].nunique() == 1).all()
    assert set(store.table["view"]) == {"PA", "AP"}


def test_the_finished_picture_changes_in_the_box() -> None:
    exam = next(e for e in plan_exams(500, seed=0) if e.grades.keys() == {"Effusion"})
    with_it, boxes = draw_exam(exam, size_px=64)
    exam.grades.clear()
    without, _ = draw_exam(exam, size_px=64)
    energy = np.square(with_it.astype(float) - without)
    box = boxes["Effusion"]
    rows = slice(int(box.y), int(np.ceil(box.y + box.h)))
    columns = slice(int(box.x), int(np.ceil(box.x + box.w)))
    assert energy[rows, columns].sum() > 0.9 * energy.sum() > 0


@pytest.mark.parametrize(("name", "value"), [("num_images", 0), ("size_px", 8)])
def test_numbers_that_are_too_small_are_refused(tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(HarnessError, match=f"{name} is {value}"):
        make_phantom(tmp_path / "store", **{name: value})


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="already exists"):
        make_phantom(tmp_path, num_images=1)


def test_two_processes_do_not_draw_one_store(tmp_path: Path) -> None:
    out = tmp_path / "store"
    with held(lock_of(out)), pytest.raises(LockedError, match=r"store: in use by process \d+ on"):
        make_phantom(out, num_images=1, size_px=SIZE_PX)
    assert not out.exists()
