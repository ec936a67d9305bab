"""Every reader of another source makes the store that its tables and images say."""

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.data.readers import READERS, prepare
from harness.data.splits import make_split
from harness.trial import run_trial
from tests.contracts.source_folders import FOLDERS, SIZE_PX


@pytest.fixture(params=READERS)
def source(request, tmp_path):
    """The name of a reader, a folder for it, and what is in the folder."""
    root = tmp_path / "source"
    root.mkdir()
    return request.param, root, FOLDERS[request.param](root)


@pytest.fixture
def made(source, tmp_path):
    reader, root, _ = source
    return prepare(reader, root, tmp_path / "store", size_px=SIZE_PX, num_workers=1)


def test_each_reader_has_an_example():
    assert set(FOLDERS) == set(READERS)


def test_images_patients_parts_and_labels_are_those_of_the_source(source, made):
    _, _, expected = source
    table = made.table.set_index("image")
    assert list(table.index) == list(expected)
    for number, (image, (patient, part, labels)) in enumerate(expected.items()):
        assert np.abs(made.images[number] - 20.0 * number).max() <= 1, "JPEG may be off by one"
        assert (table["patient"][image], table["fold"][image]) == (patient, part)
        for column, finding in enumerate(made.findings):
            label = labels.get(finding, False)
            assert made.is_known_NL[number, column] == (label is not None)
            assert made.label_NL[number, column] == bool(label)


def test_the_source_is_told(source, made):
    reader, root, _ = source
    assert made.manifest.source == reader
    tables = {path.name for path in root.glob("*.csv")}
    assert set(made.manifest.inputs) == tables | {"size_px"}


def test_its_own_parts_are_a_split(source, made):
    _, _, expected = source
    split = make_split(made, "as_given")
    for part in ("train", "val", "test"):
        assert len(getattr(split, part)) == sum(told[1] == part for told in expected.values())


def test_made_again_it_is_opened_and_from_other_tables_refused(source, made, tmp_path):
    reader, root, _ = source
    again = prepare(reader, root, made.path, size_px=SIZE_PX, num_workers=1)
    assert again.manifest.created_at == made.manifest.created_at
    table = next(root.glob("*.csv"))
    table.write_text(table.read_text() + "\n")
    with pytest.raises(HarnessError, match="choose another --out"):
        prepare(reader, root, made.path, size_px=SIZE_PX, num_workers=1)


def test_images_that_are_not_there_are_named(source, tmp_path):
    reader, root, expected = source
    first = next(iter(expected))
    (root / first).unlink()
    with pytest.raises(HarnessError, match=f"{first} .no such file"):
        prepare(reader, root, tmp_path / "s", size_px=SIZE_PX, num_workers=1, max_bad=0)
    store = prepare(reader, root, tmp_path / "s", size_px=SIZE_PX, num_workers=1, max_bad=1)
    assert [failure.image for failure in store.manifest.failures] == [first]
    assert first not in set(store.table["image"])


def test_a_network_is_trained_on_it(source, made, tmp_path):
    """Unknown labels of train and all: no loss is NaN."""
    recipe = Recipe().with_values({
        "data.store": made.fingerprint, "data.split": "as_given", "data.resize_px": 32,
        "data.input_px": 32, "model.name": "densenet_mini", "model.weights": "none",
        "train.batch_size": 2, "train.epochs": 1,
    })  # fmt: skip
    record = run_trial(recipe, Machine(store=made.path, device="cpu"), tmp_path / "run")
    assert np.isfinite(record.metrics["train/loss"])
