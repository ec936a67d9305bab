import numpy as np
import pytest

from harness.app.examples import NUM_OF_STORE, StoreExamples, phantom, phantom_names
from harness.core.errors import HarnessError
from harness.core.recipe import Recipe
from harness.data.phantom.make import make_phantom
from harness.data.splits import make_split


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores") / "phantom"
    return make_phantom(folder, num_images=120, size_px=64, num_workers=1)


def test_phantoms_have_boxes_within_the_picture_and_the_last_has_none():
    first, last = phantom(phantom_names()[0]), phantom(phantom_names()[-1])
    assert first.boxes
    for box in first.boxes:
        assert 0 <= box.x <= box.x + box.w <= 1.001
        assert 0 <= box.y <= box.y + box.h <= 1.001
        assert box.finding.replace("_", " ") in first.note
    assert last.boxes == ()
    assert "no finding" in last.note
    assert len({phantom(name).key for name in phantom_names()[:3]}) == 3


def test_examples_of_a_store_are_of_its_validation_part_alone(store):
    examples = StoreExamples(store.path, Recipe())
    val = set(store.table["image"].iloc[make_split(store, "official").val])
    assert 0 < len(examples.names) <= NUM_OF_STORE
    assert set(examples.names) <= val
    assert "may have trained on" in examples.caution


def test_there_is_no_caution_for_the_models_own_store(store):
    recipe = Recipe().with_values({"data.store": store.fingerprint})
    assert StoreExamples(store.path, recipe).caution == ""


def test_an_example_has_the_pixels_the_labels_and_the_boxes_of_its_row(store):
    examples = StoreExamples(store.path, Recipe())
    boxed = set(store.boxes["image"])
    name = next(name for name in examples.names if name in boxed)
    row = int(np.flatnonzero(store.table["image"] == name)[0])
    subject = examples.subject(name)
    assert (subject.radiograph.pixel_HW == store.images[row]).all()
    first = store.boxes[store.boxes["image"] == name].iloc[0]
    assert subject.boxes[0].finding == first["finding"]
    assert subject.boxes[0].x * 64 == pytest.approx(first["x"])
    assert subject.boxes[0].h * 64 == pytest.approx(first["h"])
    for finding in store.findings:
        is_told = finding.replace("_", " ") in subject.note
        assert is_told == bool(store.table[finding].iloc[row])


def test_a_split_that_the_store_cannot_have_is_told(store):
    with pytest.raises(HarnessError, match="as_given"):
        StoreExamples(store.path, Recipe().with_values({"data.split": "as_given"}))
