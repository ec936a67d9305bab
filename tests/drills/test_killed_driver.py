"""`kill -9` of the driver, again and again: the search ends as if it had been left in peace."""

import random
import time
from dataclasses import dataclass

import pytest

from tests.drills.searches import SMALL, Search, check_mlflow, check_whole, kill, wait_until

NUM_KILLS, NUM_TRIALS = 20, 12


def command(toy_store, results):
    return Search(
        results, "dannynet-mini", "--data", toy_store.path, "--trials", NUM_TRIALS, *SMALL,
        "--set", "train.epochs=24", "--set", "train.early_stop_epochs=24",
        "--cpus-per-trial", 2,  # one trial at a time: what ends first cannot change the draws
    )  # fmt: skip


@dataclass
class Undisturbed:
    """The search left in peace: what it takes to its first epoch, and from there to its end."""

    search: Search
    start_s: float
    work_s: float

    @property
    def longest_s(self) -> float:
        """Kills up to here meet starts and trials, and leave something to do for the next one."""
        return self.start_s + 3 * self.work_s / NUM_KILLS


@pytest.fixture(scope="module")
def undisturbed(toy_store, tmp_path_factory):
    search = command(toy_store, tmp_path_factory.mktemp("drill") / "undisturbed")
    began = time.monotonic()
    process = search.start()
    try:
        wait_until(lambda: any(run.epochs for run in search.runs()), process, 600)
        at_work = time.monotonic()
        assert process.wait(900) == 0, search.log.read_text()
    finally:
        kill(process)
    return Undisturbed(search, at_work - began, time.monotonic() - at_work)


def test_twenty_kills_leave_no_trace(undisturbed, toy_store, tmp_path):
    search = command(toy_store, tmp_path / "killed")
    lot = random.Random(0)
    num_inside = 0
    for _ in range(NUM_KILLS):
        process = search.start()
        deadline = time.monotonic() + lot.uniform(1, undisturbed.longest_s)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        num_inside += process.poll() is None
        kill(process)
    assert search.finish() == 0, search.log.read_text()
    print(f"{num_inside} of {NUM_KILLS} kills met the search at work")
    assert num_inside >= NUM_KILLS // 2
    check_whole(search, NUM_TRIALS)
    check_mlflow(search)
    assert search.picture() == undisturbed.search.picture()
