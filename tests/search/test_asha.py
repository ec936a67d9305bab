"""Successive halving: known rungs and cutoffs, Ray's own decisions, and the same after a crash."""

import math
import random
from types import SimpleNamespace

import pytest
from ray.tune.schedulers import ASHAScheduler

from harness.core.parameters import SearchSettings
from harness.search.asha import Asha

NUM_SEARCHES = 300


def settings_of(grace=1, reduction=2, scheduler="asha"):
    return SearchSettings(grace_epochs=grace, reduction_factor=reduction, scheduler=scheduler)


def believing(settings, num_epochs):
    """As Ray, which believes its first rung from the start."""
    return Asha(settings, num_epochs=num_epochs, num_to_prove=0)


def rungs_of(asha):
    return [rung.epoch for rung in asha.rungs]


# Known answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grace", "reduction", "num_epochs", "rungs"),
    [
        (4, 3, 25, [4, 12]),
        (1, 3, 9, [1, 3]),  # none at the last epoch
        (1, 3, 10, [1, 3, 9]),
        (10, 3, 30, [10]),
        (5, 2, 5, []),
        (1, 10, 1001, [1, 10, 100, 1000]),  # log(1000, 10) is below 3 in floats
    ],
)
def test_rungs(grace, reduction, num_epochs, rungs) -> None:
    assert rungs_of(Asha(settings_of(grace, reduction), num_epochs=num_epochs)) == rungs


@pytest.mark.parametrize(
    ("grace", "per_epoch", "reduction", "num_epochs", "rungs"),
    [
        (0.25, 4, 3, 5, [0.25, 0.75, 2.25]),
        (0.5, 2, 2, 2, [0.5, 1]),
        (0.1, 10, 3, 1, [1 / 10, 3 / 10, 9 / 10]),  # 3 * 0.1 is above 0.3 in floats
        (0.333, 3, 3, 4, [1 / 3, 1, 3]),
    ],
)
def test_rungs_within_epochs_are_where_reports_come(grace, per_epoch, reduction, num_epochs, rungs):
    settings = SearchSettings(
        grace_epochs=grace, reports_per_epoch=per_epoch, reduction_factor=reduction
    )
    assert rungs_of(Asha(settings, num_epochs=num_epochs)) == rungs


def test_a_trial_may_end_within_an_epoch_and_is_replayed_so() -> None:
    settings = SearchSettings(grace_epochs=0.25, reports_per_epoch=4, reduction_factor=3)
    asha = believing(settings, num_epochs=5)
    assert asha.goes_on("a", 0.25, 0.6)
    assert asha.goes_on("a", 0.5, 0.1), "there is no rung"
    assert not asha.goes_on("b", 0.25, 0.5)
    assert asha.goes_on("c", 0.25, 0.6)
    assert asha.goes_on("a", 0.75, 0.7)
    assert not asha.goes_on("c", 0.75, 0.0)
    again = believing(settings, num_epochs=5)
    assert again.replay("a", {0.25: 0.6, 0.5: 0.1, 0.75: 0.7})
    assert not again.replay("b", {0.25: 0.5}, went_on=False)
    assert not again.replay("c", {0.25: 0.6, 0.75: 0.0})
    assert [rung.scores for rung in again.rungs] == [rung.scores for rung in asha.rungs]


def test_of_three_that_reach_a_rung_one_goes_on() -> None:
    """The cutoff is the 66.7th percentile of the scores before: linear between the nearest."""
    asha = believing(settings_of(2, 3), num_epochs=10)
    assert asha.goes_on("a", 2, 0.60)  # the first has nobody to lag behind
    assert not asha.goes_on("b", 2, 0.59)  # cutoff 0.60
    assert asha.goes_on("c", 2, 0.60)  # cutoff 0.5967: of {0.59, 0.60} two thirds of the way up
    assert not asha.goes_on("d", 2, 0.599)  # cutoff 0.60 of {0.59, 0.60, 0.60}
    assert asha.goes_on("e", 2, 0.60)  # equal to the cutoff is enough


def test_between_rungs_a_trial_goes_on_however_bad_it_is() -> None:
    asha = believing(settings_of(2, 3), num_epochs=10)
    for name in "abcd":
        assert asha.goes_on(name, 1, 0.9)
        asha.goes_on(name, 2, 0.9)
    assert asha.goes_on("late", 1, 0.1)
    assert not asha.goes_on("late", 2, 0.1)


def test_without_a_scheduler_every_trial_goes_on() -> None:
    asha = believing(settings_of(scheduler="none"), num_epochs=10)
    assert all(asha.goes_on(str(trial), 4, -trial) for trial in range(10))


def test_a_rung_asked_again_answers_the_same() -> None:
    asha = believing(settings_of(1, 2), num_epochs=20)
    first = asha.goes_on("a", 1, 0.5)
    assert not asha.goes_on("b", 1, 0.4)
    for name in "cdef":
        asha.goes_on(name, 1, 0.9)
    assert asha.goes_on("a", 1, 0.5) is first is True, "others that came later do not matter"
    assert asha.goes_on("a", 1, 0.1), "nor does another score: the first one counts"
    assert not asha.goes_on("b", 1, 0.95)
    assert not asha.goes_on("b", 2, 0.95), "what has been ended does not come back"
    assert len(asha.rungs[0].scores) == 6


def test_a_missed_rung_takes_the_first_report_after_it() -> None:
    asha = believing(settings_of(2, 2), num_epochs=20)
    assert asha.goes_on("a", 3, 0.7)
    assert asha.rungs[0].scores == {"a": 0.7}
    assert not asha.goes_on("b", 5, 0.6), "it lags at epoch 2's rung; alone at epoch 4's"
    assert asha.rungs[1].scores == {"b": 0.6}


def test_a_trial_at_its_last_epoch_is_not_ended() -> None:
    asha = believing(settings_of(2, 2), num_epochs=4)
    assert asha.goes_on("a", 2, 0.9)
    assert asha.goes_on("b", 4, 0.1)
    assert asha.rungs[0].scores == {"a": 0.9, "b": 0.1}, "the rung that was missed learns of it"


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_ends_a_trial_and_leaves_no_trace(score) -> None:
    asha = believing(settings_of(1, 2), num_epochs=9)
    assert not asha.goes_on("a", 1, score)
    assert not asha.goes_on("a", 3, score)
    assert not any(rung.scores or rung.went_on for rung in asha.rungs)


# The first rung proves itself -------------------------------------------------------------------


def proving(early, late):
    """Six trials with these scores at both rungs, then whether a seventh, the worst, goes on."""
    asha = Asha(settings_of(1, 3), num_epochs=9)
    for number, (first, second) in enumerate(zip(early, late, strict=True)):
        assert asha.goes_on(str(number), 1, first), "nobody is ended before"
        asha.goes_on(str(number), 3, second)
    return asha.goes_on("late", 1, 0.0)


RISING = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def test_a_first_rung_that_ranks_as_the_second_does_ends_trials() -> None:
    assert not proving(RISING, RISING)
    assert not proving(RISING, [0.6, 0.7, 0.65, 0.8, 0.9, 0.85])


def test_a_first_rung_that_tells_nothing_ends_nobody() -> None:
    assert proving(RISING, RISING[::-1])
    assert proving(RISING, [0.5] * 6), "all alike at the second"
    assert proving([0.5] * 6, RISING)
    assert proving(RISING[:5], RISING[:5]), "five are too few to tell"


def test_the_second_rung_ends_trials_from_the_start() -> None:
    asha = Asha(settings_of(1, 3), num_epochs=9)
    assert asha.goes_on("a", 1, 0.5)
    assert asha.goes_on("a", 3, 0.6)
    assert asha.goes_on("b", 1, 0.1)
    assert not asha.goes_on("b", 3, 0.5)


def test_what_was_decided_before_the_first_rung_had_proved_itself_stays() -> None:
    asha = Asha(settings_of(1, 3), num_epochs=9)
    for number, score in enumerate(RISING):
        asha.replay(str(number), {1: score, 2: score, 3: score}, went_on=False)
    assert asha.replay("early", {1: 0.0}, went_on=True)
    assert not asha.replay("late", {1: 0.0})
    assert asha.goes_on("early", 1, 0.0)


# Against Ray --------------------------------------------------------------------------------


def random_search(lot):
    """(settings, epochs of a whole trial, curve of each trial, who reports next)."""
    settings = settings_of(lot.randint(1, 5), lot.randint(2, 4))
    num_epochs = settings.grace_epochs + lot.randint(1, 25)
    num_trials = lot.randint(2, 14)
    curves = {}
    for number in range(num_trials):
        length = num_epochs if lot.random() < 0.8 else lot.randint(1, num_epochs)
        score, curve = 0.5, {}
        for epoch in range(1, length + 1):
            score += lot.choice([0, 0, 0.01, 0.02])  # monotone, and with many equal scores
            curve[epoch] = round(score, 2)
        curves[f"t{number:04}"] = curve
    turns = [name for name, curve in curves.items() for _ in curve]
    lot.shuffle(turns)
    return settings, num_epochs, curves, turns


def reports_of(curves, turns, ended):
    """(name, epoch, score) in the order of `turns`; a trial in `ended` reports no more."""
    left = {name: iter(curve.items()) for name, curve in curves.items()}
    for name in turns:
        if name not in ended:
            epoch, score = next(left[name])
            yield name, epoch, score


def decisions_of_ray(settings, num_epochs, curves, turns):
    ray = ASHAScheduler(
        time_attr="epoch",
        metric="score",
        mode="max",
        max_t=num_epochs,
        grace_period=settings.grace_epochs,
        reduction_factor=settings.reduction_factor,
    )
    trials = {name: SimpleNamespace(trial_id=name) for name in curves}
    for trial in trials.values():
        ray.on_trial_add(None, trial)
    ended: set[str] = set()
    for name, epoch, score in reports_of(curves, turns, ended):
        result = {"epoch": epoch, "score": score}
        stops = ray.on_trial_result(None, trials[name], result) == ASHAScheduler.STOP
        if epoch == max(curves[name]) and not stops:
            ray.on_trial_complete(None, trials[name], result)
        if stops:
            ended.add(name)
        if epoch < num_epochs:  # at its last epoch Ray stops every trial
            yield name, epoch, not stops


def decisions_of(asha, curves, turns):
    ended: set[str] = set()
    for name, epoch, score in reports_of(curves, turns, ended):
        goes_on = asha.goes_on(name, epoch, score)
        if not goes_on:
            ended.add(name)
        if epoch < asha.num_epochs:
            yield name, epoch, goes_on


def test_the_decisions_are_those_of_ray() -> None:
    lot = random.Random(0)
    num_ended = 0
    for _ in range(NUM_SEARCHES):
        settings, num_epochs, curves, turns = random_search(lot)
        asha = believing(settings, num_epochs=num_epochs)
        ours = list(decisions_of(asha, curves, turns))
        assert ours == list(decisions_of_ray(settings, num_epochs, curves, turns))
        num_ended += sum(not goes_on for *_, goes_on in ours)
    assert num_ended > NUM_SEARCHES, "searches that end no trial would show nothing"


# After a crash ------------------------------------------------------------------------------


def rebuilt(settings, num_epochs, done, *, is_known):
    """Rungs from the (name, epoch, score, goes_on) of `done`, as run directories have them."""
    asha = believing(settings, num_epochs=num_epochs)
    curves, decided = {}, {}
    for name, epoch, score, goes_on in done:
        curves.setdefault(name, {})[epoch] = score
        decided[name] = goes_on
    answers = {
        name: asha.replay(name, curves[name], went_on=decided[name] if is_known else None)
        for name in sorted(curves)
    }
    return asha, answers, decided


def events_of(settings, num_epochs, curves, turns):
    asha = believing(settings, num_epochs=num_epochs)
    ended: set[str] = set()
    events = []
    for name, epoch, score in reports_of(curves, turns, ended):
        goes_on = asha.goes_on(name, epoch, score)
        events.append((name, epoch, score, goes_on))
        if not goes_on:
            ended.add(name)
    return events


def test_a_search_replayed_at_any_moment_decides_as_if_undisturbed() -> None:
    lot = random.Random(1)
    num_checked = 0
    for _ in range(25):
        settings, num_epochs, curves, turns = random_search(lot)
        events = events_of(settings, num_epochs, curves, turns)
        for cut in range(len(events)):
            asha, answers, decided = rebuilt(settings, num_epochs, events[:cut], is_known=True)
            assert answers == decided
            for name, epoch, score, goes_on in events[cut:]:
                assert asha.goes_on(name, epoch, score) is goes_on
                num_checked += not goes_on
    assert num_checked > 1000


def test_one_trial_after_another_needs_no_memory_of_decisions() -> None:
    """The scores alone tell what was decided, where no trial overtook another."""
    lot = random.Random(2)
    for _ in range(25):
        settings, num_epochs, curves, turns = random_search(lot)
        events = events_of(settings, num_epochs, curves, sorted(turns))
        for cut in range(len(events)):
            asha, answers, decided = rebuilt(settings, num_epochs, events[:cut], is_known=False)
            assert answers == decided
            for name, epoch, score, goes_on in events[cut:]:
                assert asha.goes_on(name, epoch, score) is goes_on


def test_a_trial_that_trains_some_epochs_anew_is_decided_alike() -> None:
    """A lost worker goes on from a checkpoint, and tells again what it had told."""
    lot = random.Random(3)
    for _ in range(25):
        settings, num_epochs, curves, turns = random_search(lot)
        asha = believing(settings, num_epochs=num_epochs)
        told: dict[str, list] = {}
        for name, epoch, score, goes_on in events_of(settings, num_epochs, curves, turns):
            for before in told.setdefault(name, [])[-lot.randint(1, 6) :]:
                assert asha.goes_on(*before[:3]) is before[3]
            assert asha.goes_on(name, epoch, score) is goes_on
            told[name].append((name, epoch, score, goes_on))


def test_a_pending_decision_is_made_on_what_is_known_by_now() -> None:
    asha = believing(settings_of(1, 2), num_epochs=9)
    for name in "bcd":
        assert asha.replay(name, {1: 0.8, 2: 0.9, 3: 0.9})
    assert asha.replay("e", {1: 0.1, 2: 0.9, 3: 0.9}), "it went past epoch 1: that was decided"
    assert not asha.replay("a", {1: 0.5})
    assert asha.replay("f", {1: 0.5}, went_on=True)
    assert asha.replay("g", {}), "nothing has been told of it yet"


def test_a_hundred_trials_leave_a_line_a_rung_each() -> None:
    asha = believing(settings_of(4, 3, "asha"), num_epochs=25)
    for trial in range(100):
        for epoch in range(1, 26):
            asha.goes_on(str(trial), epoch, 0.5)
    assert [len(rung.scores) for rung in asha.rungs] == [100, 100]
