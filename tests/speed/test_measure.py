"""The arithmetic of the overhead, the memory samples, and what is not measured."""

import json
import time

import pytest

from harness.core.errors import HarnessError
from harness.core.recipe import Recipe
from harness.speed.measure import (
    NUM_EPOCHS,
    Measurement,
    MemorySampler,
    Work,
    describe_hardware,
    measure,
    peak_mb,
    resident_mb,
)

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
    work = Work(tmp_path / "work", 3)
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
            Work(tmp_path, 2),
            lambda work: trials_of(work, [1], every_s=0),
            num_slots=1,
            records=RECORDS,
        )


def test_the_memory_of_this_process_is_seen_to_grow():
    if resident_mb() is None:
        pytest.skip("this system does not tell the memory of a process")
    with MemorySampler() as memory:
        before = resident_mb()
        ballast = bytearray(200_000_000)
        ballast[::4096] = bytes(len(ballast[::4096]))  # touched, so it is resident
    at = memory.at_per_cents()
    assert list(at) == ["10%", "50%", "90%", "100%"]
    assert at["100%"] - before == pytest.approx(200, abs=20)


def test_the_peak_stays_when_the_memory_is_given_back():
    if peak_mb() is None:
        pytest.skip("this system does not tell the memory of a process")
    ballast = bytearray(200_000_000)
    ballast[::4096] = bytes(len(ballast[::4096]))
    held = resident_mb()
    del ballast
    assert peak_mb() >= held - 5
    assert resident_mb() < held - 150


def test_samples_are_told_at_the_right_places():
    sampler = MemorySampler([float(number) for number in range(101)])
    assert sampler.at_per_cents() == {"10%": 10.0, "50%": 50.0, "90%": 90.0, "100%": 100.0}
    assert MemorySampler().at_per_cents() == {}


def test_the_work_is_a_few_epochs_that_nothing_cuts_short(tmp_path):
    space = Work(tmp_path, 1).space
    assert isinstance(space.base, Recipe)
    assert (space.base.train.epochs, space.search.scheduler) == (NUM_EPOCHS, "none")
    assert "optim.lr" in space.space


def test_the_hardware_is_described():
    hardware = describe_hardware()
    assert hardware["cores"] >= 1
    assert hardware["memory_gb"] > 0
