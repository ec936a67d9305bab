"""The clock of a race: known epochs, known order of asks, and a miss."""

import numpy as np
import pytest

from harness.speed.race import BUDGET_EPOCHS, NUM_WORKERS, race


class Scripted:
    """Stops each trial after so many epochs; notes what it is asked and told."""

    def __init__(self, stop_after):
        self.stop_after = stop_after
        self.told = []

    def ask(self, number):
        self.told.append(("ask", number))
        return {"number": number}

    def goes_on(self, number, epoch, score):
        self.told.append((number, epoch, score))
        return epoch < self.stop_after.get(number, 99)

    def end(self, number, *, is_whole):
        self.told.append(("end", number, is_whole))


def curve_of(values):
    """Trial 5 reaches 1 after its third epoch, and falls back; the others nothing."""
    return (
        np.array([0.1, 0.2, 1.0, 0.3]) if values["number"] == 5 else np.array([0.4, 0.1, 0.2, 0.3])
    )


def test_a_worker_asks_as_soon_as_its_trial_has_ended():
    contender = Scripted({0: 1, 2: 1})
    finish = race(contender, curve_of, target=1.0)
    # Ticks: 0-3, then trial 4 in place of 0, 1, 5 in place of 2, 3; twice more to 5's third epoch.
    assert finish.num_epochs == 4 + 4 + 4 + 3
    assert finish.num_trials == 7, "trial 1 has come to its end by then"
    asks = [told[1] for told in contender.told if told[0] == "ask"]
    assert asks == [0, 1, 2, 3, 4, 5, 6]
    assert contender.told.index(("end", 0, False)) + 1 == contender.told.index(("ask", 4))


def test_scores_are_the_best_so_far_and_whole_trials_are_called_so():
    contender = Scripted({})
    race(contender, curve_of, target=1.0)
    assert [told[2] for told in contender.told if told[0] == 0] == [0.4] * 4
    assert ("end", 0, True) in contender.told
    assert race(Scripted({}), curve_of, target=1.0).num_epochs == 4 * NUM_WORKERS + 2 * 4 + 2


def test_a_miss_counts_twice_the_budget():
    finish = race(Scripted({}), curve_of, target=2.0)
    assert finish.num_epochs is None
    assert finish.cost_epochs == 2 * BUDGET_EPOCHS
    assert finish.num_trials == pytest.approx(BUDGET_EPOCHS / 4, abs=NUM_WORKERS)
