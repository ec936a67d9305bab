"""The Optuna study: the default point first, sound samples, truth about ends, and the same draws
however often it is built anew."""

import math
import statistics
import time
import tracemalloc
from functools import cache

import pytest

from harness.core.parameters import SearchSettings
from harness.core.records import Outcome
from harness.core.space import SearchSpace, shipped_spaces
from harness.search.samplers import SAMPLERS
from harness.search.study import NUM_GUIDED_ASKS, Study


def space_of(sampler="tpe", **parameters):
    return SearchSpace(
        name="toy", title="", source="", space=parameters, search=SearchSettings(sampler=sampler)
    )


@pytest.fixture(params=SAMPLERS)
def sampler(request):
    return request.param


@pytest.fixture
def space():
    return conditional_space("tpe")


def conditional_space(sampler):
    return space_of(
        sampler,
        **{
            "optim.lr": {"kind": "log_float", "low": 1e-5, "high": 1e-1, "default": 1e-3},
            "loss.name": {"kind": "choice", "choices": ["bce", "focal"], "default": "bce"},
            "loss.gamma": {
                "kind": "float", "low": 0, "high": 5, "default": 2, "when": {"loss.name": "focal"},
            },
            "train.batch_size": {"kind": "int", "low": 1, "high": 64, "default": 8},
        }
    )  # fmt: skip


def run(study, number, score_of):
    values = study.ask(number)
    end(study, number, values, Outcome.COMPLETED, {1: score_of(values)})
    return values


def end(study, number, values, outcome, scores):
    """One trial from its begin to its end."""
    assert study.begin(number, values)
    for epoch, score in scores.items():
        study.note(number, epoch, score)
    study.end(number, outcome, scores)


def test_trial_0_is_the_default_point(space):
    assert Study(space, seed=1).ask(0) == space.default_values()


def test_points_of_a_warm_start_come_right_after_the_default_one(space):
    first = [{"optim.lr": 1e-2, "loss.name": "bce", "train.batch_size": 4}]
    study = Study(space, seed=1, first=first)
    assert study.ask(0) == space.default_values()
    assert study.ask(1) == first[0]
    assert study.ask(1, 1) != first[0], "it was turned down: another trial has it"
    assert study.ask(2) == Study(space, seed=1).ask(2)


def test_samples_lie_in_the_space_and_gamma_belongs_to_focal(space):
    study = Study(space, seed=1)
    samples = [run(study, number, lambda values: 0.5) for number in range(25)]
    for values in samples:
        assert space.active(values) == values
        assert ("loss.gamma" in values) == (values["loss.name"] == "focal")
    assert {values["loss.name"] for values in samples} == {"bce", "focal"}


@pytest.mark.parametrize("name", shipped_spaces())
def test_every_shipped_space_can_be_asked(name):
    space = SearchSpace.load(name)
    study = Study(space, seed=0)
    for number in range(3):
        space.recipe(study.ask(number))


def test_equal_seeds_ask_alike_and_others_do_not(space):
    def ask_all(seed):
        study = Study(space, seed=seed)
        return [run(study, number, lambda values: -values["optim.lr"]) for number in range(15)]

    assert ask_all(1) == ask_all(1)
    assert ask_all(1)[1:] != ask_all(2)[1:]


def test_tpe_learns_where_the_good_values_are():
    space = space_of(**{
        "optim.lr": {"kind": "log_float", "low": 1e-5, "high": 1e-1, "default": 1e-1},
    })  # fmt: skip
    study = Study(space, seed=0)
    lrs = [
        run(study, number, lambda values: -abs(values["optim.lr"] - 1e-3) * 1e3)["optim.lr"]
        for number in range(40)
    ]
    early, late = lrs[1:11], lrs[30:]
    assert sum(3e-4 < lr < 3e-3 for lr in late) > sum(3e-4 < lr < 3e-3 for lr in early)


@pytest.mark.parametrize(
    ("outcome", "scores", "kept", "is_whole"),
    [
        (Outcome.COMPLETED, {2: 0.7, 1: 0.6}, {1: 0.6, 2: 0.7}, True),
        (Outcome.COMPLETED, {}, {}, True),
        (Outcome.PRUNED, {1: 0.6}, {1: 0.6}, False),
        (Outcome.FAILED, {1: 0.6}, {}, False),
        (Outcome.CANCELLED, {1: 0.6}, {}, False),
        (Outcome.COMPLETED, {1: 0.6, 2: math.nan, 3: math.inf}, {1: 0.6}, True),
    ],
)
def test_what_is_kept_of_an_end(space, outcome, scores, kept, is_whole):
    study = Study(space, seed=0)
    end(study, 0, study.ask(0), outcome, scores)
    assert study.trials[0].scores == kept
    assert study.trials[0].is_whole is is_whole
    assert not study.trials[0].is_running


def test_what_a_running_trial_reports_is_known_at_once(space):
    study = Study(space, seed=0)
    study.begin(0, study.ask(0))
    study.note(0, 1, 0.6)
    study.note(0, 2, math.nan)
    assert study.trials[0].scores == {1: 0.6}
    assert study.trials[0].is_running


# Built anew ---------------------------------------------------------------------------------

NUM_TRIALS = 18
NUM_STARTUP = 10
"""Trials that ended well before `tpe` looks at them; `gp` does earlier."""


def ending_of(number, values):
    """A course of each kind, which depends on the values: (outcome, scores)."""
    score = 0.8 - 0.05 * abs(math.log10(values["optim.lr"]) + 3) + 0.01 * len(values)
    scores = {epoch: score - 0.1 / epoch for epoch in range(1, 6)}
    if number % 7 == 4:
        return Outcome.FAILED, {1: scores[1]}
    if number % 7 == 6:
        return Outcome.CANCELLED, {}
    if number % 3 == 1:
        return Outcome.PRUNED, {epoch: scores[epoch] for epoch in range(1, 5)}
    return Outcome.COMPLETED, scores


@cache
def undisturbed(sampler):
    """[(values, outcome, scores)] of a search one trial after another."""
    study = Study(conditional_space(sampler), seed=3)
    history = []
    for number in range(NUM_TRIALS):
        values = study.ask(number)
        outcome, scores = ending_of(number, values)
        end(study, number, values, outcome, scores)
        history.append((values, outcome, scores))
    return history


def test_a_study_built_anew_at_any_moment_asks_what_the_undisturbed_one_asks(sampler):
    history = undisturbed(sampler)
    num_told = sum(outcome in (Outcome.COMPLETED, Outcome.PRUNED) for _, outcome, _ in history)
    assert num_told > NUM_STARTUP + 2, "the sampler would never have looked at them"
    for cut in range(1, NUM_TRIALS):
        assert told(sampler, history[:cut]).ask(cut) == history[cut][0]


def told(sampler, history):
    """A study that has been told the trials of a history, the last one first."""
    study = Study(conditional_space(sampler), seed=3)
    for number, ended in reversed(list(enumerate(history))):
        end(study, number, *ended)
    return study


def test_what_was_told_changes_what_is_asked(sampler):
    """Else the test above would hold for a study that forgets everything."""
    history = undisturbed(sampler)
    values = told(sampler, upside_down(history[:-1])).ask(NUM_TRIALS - 1)
    assert (values == history[-1][0]) is (sampler == "random")


def upside_down(history):
    """The same trials, the worst of which is the best."""
    return [
        (values, outcome, {epoch: 1 - score for epoch, score in scores.items()})
        for values, outcome, scores in history
    ]


def test_trials_that_were_running_count_alike_after_a_restart(sampler):
    """Three trials run when the driver dies; they are reopened in the order of their numbers."""
    history = undisturbed(sampler)
    live, rebuilt = (told(sampler, history[: NUM_TRIALS - 2]) for _ in range(2))
    asked = []
    for number in range(NUM_TRIALS - 2, NUM_TRIALS + 2):
        asked.append(live.ask(number))
        live.begin(number, asked[-1])
        live.note(number, 1, 0.7)
    for number in (NUM_TRIALS, NUM_TRIALS - 1, NUM_TRIALS - 2):
        rebuilt.begin(number, asked[number - NUM_TRIALS + 2])
        rebuilt.note(number, 1, 0.7)
    assert rebuilt.ask(NUM_TRIALS + 1) == asked[3]


def test_another_attempt_draws_another_point_and_changes_no_later_one(sampler):
    history = undisturbed(sampler)
    study = told(sampler, history[:12])
    points = [study.ask(12, attempt) for attempt in range(3)]
    assert all(points.count(point) == 1 for point in points)
    assert study.ask(12) == history[12][0] == points[0]


def test_after_many_attempts_the_sampler_is_asked_no_more(sampler):
    """Where few points are left it names those that there are again and again."""
    history = undisturbed(sampler)[:14]
    one, other = (
        told(sampler, each).ask(14, NUM_GUIDED_ASKS) for each in (history, upside_down(history))
    )
    assert one == other


def test_a_space_with_conditions_is_searched_in_all_of_its_branches(sampler):
    """The Gaussian process leaves what only some trials have to TPE."""
    space = conditional_space(sampler)
    study = Study(space, seed=0)
    samples = [
        run(study, number, lambda values: 0.5 + 0.1 * ("loss.gamma" in values))
        for number in range(20)
    ]
    for values in samples:
        assert space.active(values) == values
    assert len({values["loss.gamma"] for values in samples[10:] if "loss.gamma" in values}) > 2


def test_a_trial_that_a_changed_space_does_not_hold_is_left_out():
    lr = {"optim.lr": {"kind": "log_float", "low": 1e-4, "high": 1e-2, "default": 1e-3}}
    narrow = Study(space_of(**lr), seed=0)
    assert narrow.begin(0, {"optim.lr": 5e-3})
    assert not narrow.begin(1, {"optim.lr": 5e-2})
    assert not narrow.begin(2, {})
    assert not narrow.begin(3, {"optim.lr": 5e-3, "train.batch_size": 8}), "it has no batch size"
    narrow.note(1, 1, 0.5)
    narrow.end(1, Outcome.COMPLETED, {1: 0.6})
    assert list(narrow.trials) == [0]


def test_a_bound_that_went_through_a_logarithm_is_put_back(space):
    study = Study(space, seed=0)
    values = {"optim.lr": 1e-5 * (1 - 1e-12), "loss.name": "bce", "train.batch_size": 8}
    assert study.begin(0, values)
    assert study.trials[0].values["optim.lr"] == 1e-5


# Cost ---------------------------------------------------------------------------------------


def test_three_hundred_trials_stay_quick_and_small(sampler):
    """0.2 s were measured for `gp`, and 6 MB; an ask that reads its history badly takes seconds."""
    space = SearchSpace.load("vit_small").with_search({"sampler": sampler})
    study = Study(space, seed=0)
    for number in range(300):
        values = space.default_values()
        values["optim.lr"] *= 1 + number / 300
        scores = {epoch: 0.7 + 0.001 * epoch + 0.0001 * number for epoch in range(1, 26)}
        end(study, number, values, Outcome.PRUNED, scores)
    durations = []
    tracemalloc.start()
    for number in range(300, 303):
        started = time.process_time()
        values = study.ask(number)
        durations.append(time.process_time() - started)
        end(study, number, values, Outcome.COMPLETED, {1: 0.8})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert statistics.median(durations) < 3
    assert peak < 60e6
