"""The arithmetic of the overhead, and what is not measured."""

import json
import time

import pytest

from harness.core.errors import HarnessError
from harness.core.recipe import Recipe
from harness.speed.trivial_search import NUM_EPOCHS, Measurement, TrivialSearch, measure

RECORDS = "t*/record.json"


def measurement(**changes):
    figures = {
        "num_trials": 10, "num_slots": 2, "actor_s": 55.0, "wall_s": 30.0,
        "training_s": 40.0, "first_s": 5.0, "last_s": 29.3, "rss_mb": {},
    }  # fmt: skip
    return Measurement(**figures | changes)


def test_overhead_is_what_the_training_does_not_explain():
    assert measurement().overhead_s == pytest.approx((30 - 40 / 2) / 10)


def test_an_actor_s_overhead_is_what_it_does_beside_training():
    assert measurement().actor_overhead_s == pytest.approx((55 - 40) / 10)


def test_overhead_of_later_trials_leaves_the_start_out():
    assert measurement().later_overhead_s == pytest.approx(24.3 / 9 - 2)
    assert measurement(num_trials=1).later_overhead_s is None


def trials_of(work, durations_s, *, every_s):
    """A search that writes a record after each pause, as a real one does at the end of a trial."""
    for number, duration_s in enumerate(durations_s):
        time.sleep(every_s)
        for run_dir in (work.folder / f"t{number}", work.folder / "copies" / f"t{number}"):
            run_dir.mkdir(parents=True)
            (run_dir / "record.json").write_text(json.dumps({"duration_s": duration_s}))


def test_a_search_of_known_length_is_measured(tmp_path):
    work = TrivialSearch(tmp_path / "work", 3)
    found = measure(
        work,
        lambda work: trials_of(work, [0.1, 0.2, 0.3], every_s=0.2),
        num_slots=2,
        records=RECORDS,
    )
    assert found.training_s == pytest.approx(0.6)
    assert 0.6 <= found.wall_s < 5
    assert 0.15 <= found.first_s < found.last_s - 0.3 < found.wall_s
    assert found.overhead_s == pytest.approx((found.wall_s - 0.3) / 3)


def test_a_search_that_lost_trials_is_not_measured(tmp_path):
    with pytest.raises(HarnessError, match="1 of 2 trials completed"):
        measure(
            TrivialSearch(tmp_path, 2),
            lambda work: trials_of(work, [1], every_s=0),
            num_slots=1,
            records=RECORDS,
        )


def test_the_work_is_a_few_epochs_that_nothing_cuts_short(tmp_path):
    space = TrivialSearch(tmp_path, 1).space
    assert isinstance(space.base, Recipe)
    assert (space.base.train.epochs, space.search.scheduler) == (NUM_EPOCHS, "none")
    assert "optim.lr" in space.space
