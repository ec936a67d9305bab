"""The comparison itself on a real Ray, in the small; and how a search that fails is told."""

import json

import pytest

from harness.core.errors import HarnessError
from harness.data.phantom import make_phantom
from harness.speed.search import CONTENDERS, measure_apart, told
from harness.speed.trivial_search import NUM_EPOCHS, NUM_IMAGES, SIZE_PX, Measurement, TrivialSearch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    make_phantom(folder / "store", num_images=NUM_IMAGES, size_px=SIZE_PX, num_workers=1)
    return folder


OURS = Measurement(
    num_trials=20, num_slots=2, actor_s=30, wall_s=40, training_s=20, first_s=12, last_s=39,
    rss_mb={"10%": 400.4, "100%": 420.6},
)  # fmt: skip
STOCK = OURS.model_copy(update={"actor_s": 140.0, "wall_s": 90.0, "rss_mb": {}})


def test_the_rows_are_of_an_actors_time_and_of_the_wall():
    speed = told({"harness": OURS, "stock": STOCK})
    actor, wall = speed.rows
    assert (actor.ours, actor.peer, actor.ratio, actor.goal) == (0.5, 6.0, 12.0, 10)
    assert (wall.ours, wall.peer) == (1.5, 4.0)
    for words in ("20 trials in 40.0 s", "30.0 s of actors", ": 400, 421", "2 trials at a time"):
        assert words in speed.notes
    assert speed.figures["contenders"]["stock"]["actor_overhead_s"] == 6.0


def test_only_ways_that_restart_workers_get_fewer_trials():
    given = {name: contender.num_trials(300) for name, contender in CONTENDERS.items()}
    assert given == {"harness": 300, "stock": 20, "stock_reusing": 300}
    assert CONTENDERS["stock"].num_trials(6) == 6


def test_a_search_that_fails_is_told_with_its_reason(tmp_path):
    with pytest.raises(HarnessError, match=r"speed of harness: the search failed \(.*store"):
        measure_apart("harness", TrivialSearch(tmp_path / "harness", 1))


@pytest.mark.drill
def test_a_trial_of_the_harness_costs_less_than_a_stock_one(folder):
    ours = measure_apart("harness", TrivialSearch(folder / "harness", 6))
    stock = measure_apart("stock", TrivialSearch(folder / "stock", 2))
    assert 0 < ours.actor_overhead_s < stock.actor_overhead_s
    assert (ours.num_trials, stock.num_trials) == (6, 2)
    assert 0 < ours.training_s < ours.wall_s * ours.num_slots
    assert ours.later_overhead_s < stock.overhead_s
    runs = [path for name in ("harness", "stock") for path in (folder / name).rglob("record.json")]
    recipes = [json.loads(path.read_text())["recipe"] for path in runs]
    assert {recipe["train"]["epochs"] for recipe in recipes} == {NUM_EPOCHS}
    assert len({recipe["data"]["store"] for recipe in recipes}) == 1
