"""`kill -9` of the driver, again and again: the search ends as if it had been left in peace."""

import random
import time

import pytest

from tests.drills.searches import SMALL, Search, check_mlflow, check_whole, kill

NUM_KILLS, NUM_TRIALS = 20, 12
LONGEST_S = 25.0


def command(toy_store, results):
    return Search(
        results, "dannynet-mini", "--data", toy_store.path, "--trials", NUM_TRIALS, *SMALL,
        "--set", "train.epochs=24", "--set", "train.early_stop_epochs=24",
        "--cpus-per-trial", 2,  # one trial at a time: what ends first cannot change the draws
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(toy_store, tmp_path_factory):
    search = command(toy_store, tmp_path_factory.mktemp("drill") / "undisturbed")
    assert search.finish() == 0, search.log.read_text()
    return search


def test_twenty_kills_leave_no_trace(undisturbed, toy_store, tmp_path):
    search = command(toy_store, tmp_path / "killed")
    lot = random.Random(0)
    num_inside = 0
    for _ in range(NUM_KILLS):
        process = search.start()
        deadline = time.monotonic() + lot.uniform(1, LONGEST_S)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        num_inside += process.poll() is None
        kill(process)
    assert search.finish() == 0, search.log.read_text()
    print(f"{num_inside} of {NUM_KILLS} kills met the search at work")
    assert num_inside >= NUM_KILLS // 2
    check_whole(search, NUM_TRIALS)
    check_mlflow(search)
    assert search.picture() == undisturbed.picture()
