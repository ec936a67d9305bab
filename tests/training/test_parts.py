import shutil

import pytest

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.data.store import ImageStore
from harness.training.parts import open_data


@pytest.fixture
def recipe(toy_store):
    return Recipe().with_values({"data.store": toy_store.fingerprint})


def test_a_store_is_opened_once_by_a_process(toy_store, recipe) -> None:
    machine = Machine(store=toy_store.path)
    store, split = open_data(recipe, machine)
    assert isinstance(store, ImageStore)
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
