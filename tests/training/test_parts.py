import gc
import shutil

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.data.batches import Batches
from harness.data.splits import make_split
from harness.data.store import ImageStore
from harness.training.parts import StoreRows, as_predictions, check_val_labels, open_data, open_test
from tests.conftest import ROOT


@pytest.fixture
def recipe(toy_store):
    return Recipe().with_values({"data.store": toy_store.fingerprint})


def test_a_store_is_opened_once_by_a_process(toy_store, recipe) -> None:
    machine = Machine(store=toy_store.path)
    store, split = open_data(recipe, machine)
    again = open_data(recipe, machine)
    assert again[0] is store
    assert again[1] is split


def test_a_store_that_was_written_to_is_opened_again(toy_store, recipe, tmp_path) -> None:
    path = tmp_path / "store"
    shutil.copytree(toy_store.path, path)
    machine = Machine(store=path)
    open_data(recipe, machine)
    table = path / "table.parquet"
    content = table.read_bytes()
    table.write_bytes(content[: len(content) // 2])
    with pytest.raises(HarnessError, match="damaged image store"):
        open_data(recipe, machine)
    table.write_bytes(content)
    open_data(recipe, machine)
    shutil.rmtree(path)
    with pytest.raises(HarnessError, match="no such folder"):
        open_data(recipe, machine)


def test_training_is_given_the_rows_of_train_and_val_and_no_other(toy_store, recipe) -> None:
    rows, split = open_data(recipe, Machine(store=toy_store.path))
    whole = make_split(toy_store, "official")
    assert (split.name, split.sha256, len(split.test)) == (whole.name, whole.sha256, 0)
    assert len(rows) == len(rows.label_NL) == len(whole.train) + len(whole.val)
    for part in ("train", "val"):
        ours, theirs = getattr(split, part), getattr(whole, part)
        zeros_NL = np.zeros((len(ours), len(rows.findings)))
        found, wanted = (
            as_predictions(zeros_NL, *pair) for pair in ((rows, ours), (toy_store, theirs))
        )
        assert list(found.image_ids) == list(wanted.image_ids)
        assert list(found.patient_ids) == list(wanted.patient_ids)
        assert np.array_equal(found.label_NL, wanted.label_NL)
    assert set(rows.table["image"]).isdisjoint(toy_store.table["image"].iloc[whole.test])


def test_validation_without_a_known_positive_and_negative_of_one_finding_is_refused(
    toy_store, recipe
) -> None:
    """As if only the positives of validation were told, and of one finding the negatives alone."""
    _, split = open_data(recipe, Machine(store=toy_store.path))
    rows = StoreRows(toy_store, np.arange(len(toy_store)))
    check_val_labels(rows, split)
    rows.is_known_NL = rows.label_NL.copy()
    rows.is_known_NL[:, 0] = ~rows.label_NL[:, 0]
    rows.label_NL[:, 0] = False
    with pytest.raises(HarnessError, match="no finding is known to be both present and absent"):
        check_val_labels(rows, split)
    rows.is_known_NL[split.val[0], :] = True
    check_val_labels(rows, split)


def test_predictions_know_which_labels_the_store_knows(toy_store) -> None:
    rows = StoreRows(toy_store, np.arange(6))
    rows.is_known_NL[2, 3] = rows.label_NL[2, 3] = False
    made = as_predictions(np.zeros((2, 14)), rows, np.array([2, 4]))
    assert np.argwhere(~made.is_known_NL).tolist() == [[0, 3]]


@pytest.mark.parametrize("seed", [None, 3])
def test_their_batches_are_those_of_the_whole_store(toy_store, recipe, seed) -> None:
    rows, split = open_data(recipe, Machine(store=toy_store.path))
    train = make_split(toy_store, "official").train
    told = {"batch_size": 50, "device": "cpu", "seed": seed}
    ours = Batches(rows, split.train, **told).epoch(2)
    theirs = Batches(toy_store, train, **told).epoch(2)
    for our, their in zip(ours, theirs, strict=True):
        assert all(torch.equal(*pair) for pair in zip(our, their, strict=True))


def test_no_number_of_a_row_leads_to_another_row(toy_store) -> None:
    row_N = np.array([4, 7, 9])
    images = StoreRows(toy_store, row_N).images
    assert images.shape == (3, *toy_store.images.shape[1:])
    assert np.array_equal(images[-1], toy_store.images[9])
    for row in (3, -4):
        with pytest.raises(IndexError):
            images[row]


def test_no_whole_store_stays_open_behind_what_training_is_given(toy_store, recipe, tmp_path):
    """Not in the cache either, from which the next run is served."""
    shutil.copytree(toy_store.path, tmp_path / "store")
    open_data(recipe, Machine(store=tmp_path / "store"))
    gc.collect()
    kept = [thing for thing in gc.get_objects() if type(thing) is ImageStore]
    assert [store for store in kept if store.path == tmp_path / "store"] == []


def test_nothing_but_the_scoring_of_test_asks_for_its_rows() -> None:
    package = ROOT / "harness"
    files = [path for path in package.rglob("*.py") if "open_test" in path.read_text()]
    names = {str(path.relative_to(package)) for path in files}
    assert names == {"scoring.py", "training/parts.py", "explain/sights.py"}


def test_the_test_rows_are_opened_by_a_function_of_their_own(toy_store, recipe) -> None:
    test = open_test(recipe, Machine(store=toy_store.path))
    row_N = make_split(toy_store, "official").test
    assert list(test.table["image"]) == list(toy_store.table["image"].iloc[row_N])
    with pytest.raises(HarnessError, match="belongs to the store 0000"):
        open_test(recipe.with_values({"data.store": "0" * 64}), Machine(store=toy_store.path))
