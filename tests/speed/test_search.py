"""The comparison itself on a real Ray, in the small; and how a search that fails is told."""

import json

import pytest

from harness.core.errors import HarnessError
from harness.data.phantom import make_phantom
from harness.speed.measure import NUM_IMAGES, SIZE_PX, Work
from harness.speed.search import measure_apart


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    make_phantom(folder / "store", num_images=NUM_IMAGES, size_px=SIZE_PX, num_workers=1)
    return folder


def test_a_search_that_fails_is_told_with_its_reason(tmp_path):
    with pytest.raises(HarnessError, match=r"speed of harness: the search failed \(.*store"):
        measure_apart("harness", Work(tmp_path / "harness", 1))


@pytest.mark.drill
def test_a_trial_of_the_harness_costs_less_than_a_stock_one(folder):
    ours = measure_apart("harness", Work(folder / "harness", 6))
    stock = measure_apart("stock", Work(folder / "stock", 2))
    assert (ours.num_trials, stock.num_trials) == (6, 2)
    assert 0 < ours.training_s < ours.wall_s * ours.num_slots
    assert ours.later_overhead_s < stock.overhead_s
    runs = [path for name in ("harness", "stock") for path in (folder / name).rglob("record.json")]
    recipes = [json.loads(path.read_text())["recipe"] for path in runs]
    assert {recipe["train"]["epochs"] for recipe in recipes} == {1}
    assert len({recipe["data"]["store"] for recipe in recipes}) == 1
