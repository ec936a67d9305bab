"""The Optuna study: the default point first, sound samples, truth about ends, and the same draws
however often it is built anew."""

import math
import statistics
import time
import tracemalloc
from functools import cache

import pytest
from optuna.trial import TrialState

from harness.core.errors import HarnessError
from harness.core.parameters import SearchSettings
from harness.core.records import Outcome
from harness.core.space import SearchSpace, shipped_spaces
from harness.search.study import NUM_GUIDED_ASKS, SAMPLERS, Study, distribution, point_key


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
    trial, values = study.ask(number)
    study.tell(trial, Outcome.COMPLETED, {1: score_of(values)})
    return values


def test_trial_0_is_the_default_point(space):
    _, values = Study(space, seed=1).ask(0)
    assert values == space.default_values()


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
        _, values = study.ask(number)
        space.recipe(values)


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
    ("outcome", "scores", "state"),
    [
        (Outcome.COMPLETED, {1: 0.6, 2: 0.7}, TrialState.COMPLETE),
        (Outcome.COMPLETED, {2: 0.7, 1: 0.6}, TrialState.COMPLETE),
        (Outcome.COMPLETED, {}, TrialState.FAIL),
        (Outcome.PRUNED, {1: 0.6}, TrialState.PRUNED),
        (Outcome.PRUNED, {}, TrialState.FAIL),
        (Outcome.FAILED, {1: 0.6}, TrialState.FAIL),
        (Outcome.FAILED, {}, TrialState.FAIL),
        (Outcome.CANCELLED, {1: 0.6}, TrialState.FAIL),
    ],
)
def test_optuna_is_told_the_truth_live_and_from_the_folder(space, outcome, scores, state):
    for told in told_both_ways(space, outcome, scores):
        assert told.state is state
        assert told.intermediate_values == scores
        assert told.params == space.default_values()
        if state is TrialState.COMPLETE:
            assert told.value == 0.7


def test_a_score_that_is_not_finite_is_not_told(space):
    scores = {1: 0.6, 2: math.nan, 3: math.inf}
    for told in told_both_ways(space, Outcome.COMPLETED, scores):
        assert (told.value, told.intermediate_values) == (0.6, {1: 0.6})
    for told in told_both_ways(space, Outcome.COMPLETED, {1: math.nan}):
        assert (told.state, told.intermediate_values) == (TrialState.FAIL, {})


def test_the_gaussian_process_learns_of_pruned_trials():
    """Optuna's looks at COMPLETE alone, and ASHA ends most trials."""
    for told in told_both_ways(conditional_space("gp"), Outcome.PRUNED, {1: 0.5, 2: 0.6}):
        assert (told.state, told.value) == (TrialState.COMPLETE, 0.6)


def told_both_ways(space, outcome, scores):
    live, rebuilt = Study(space, seed=0), Study(space, seed=0)
    trial, values = live.ask(0)
    live.tell(trial, outcome, scores)
    assert rebuilt.add(values, outcome, scores)
    return [trial for study in (live, rebuilt) for trial in study.study.trials]


def test_distributions_include_their_bounds(space):
    lr = distribution(space.parameters["optim.lr"])
    assert (lr.low, lr.high, lr.log) == (1e-5, 1e-1, True)
    batch = distribution(space.parameters["train.batch_size"])
    assert (batch.low, batch.high, batch.log, batch.step) == (1, 64, False, 1)


# Built anew ---------------------------------------------------------------------------------

NUM_TRIALS = 18
NUM_STARTUP = 10
"""Trials that ended well before a sampler looks at them: the default of the settings."""


def ending_of(number, values):
    """A course of each kind, which depends on the values: (outcome, scores)."""
    score = 0.8 - 0.05 * abs(math.log10(values["optim.lr"]) + 3) + 0.01 * len(values)
    scores = {epoch: score - 0.1 / epoch for epoch in range(1, 6)}
    if number % 7 == 4:
        return Outcome.FAILED, {1: scores[1]}
    if number % 7 == 6:
        return Outcome.CANCELLED, {}
    if number % 3 == 1:
        return Outcome.PRUNED, {1: scores[1], 2: scores[2]}
    return Outcome.COMPLETED, scores


@cache
def undisturbed(sampler):
    """[(values, outcome, scores)] of a search one trial after another."""
    study = Study(conditional_space(sampler), seed=3)
    history = []
    for number in range(NUM_TRIALS):
        trial, values = study.ask(number)
        outcome, scores = ending_of(number, values)
        study.tell(trial, outcome, scores)
        history.append((values, outcome, scores))
    return history


def test_a_study_built_anew_at_any_moment_asks_what_the_undisturbed_one_asks(sampler):
    history = undisturbed(sampler)
    num_told = sum(outcome in (Outcome.COMPLETED, Outcome.PRUNED) for _, outcome, _ in history)
    assert num_told > NUM_STARTUP + 2, "the sampler would never have looked at them"
    for cut in range(1, NUM_TRIALS):
        study = Study(conditional_space(sampler), seed=3)
        for ended in history[:cut]:
            assert study.add(*ended)
        _, values = study.ask(cut)
        assert values == history[cut][0]


def test_what_was_told_changes_what_is_asked(sampler):
    """Else the test above would hold for a study that forgets everything."""
    history = undisturbed(sampler)
    study = Study(conditional_space(sampler), seed=3)
    for values, outcome, scores in history[:-1]:
        study.add(values, outcome, {epoch: 1 - score for epoch, score in scores.items()})
    _, values = study.ask(NUM_TRIALS - 1)
    assert (values == history[-1][0]) is (sampler == "random")


def test_trials_that_were_running_count_alike_after_a_restart(sampler):
    """Three trials run when the driver dies; they are reopened in the order of their numbers."""
    history = undisturbed(sampler)
    live, rebuilt = (Study(conditional_space(sampler), seed=3) for _ in range(2))
    for ended in history[: NUM_TRIALS - 2]:
        assert live.add(*ended)
    asked = [live.ask(number)[1] for number in range(NUM_TRIALS - 2, NUM_TRIALS + 2)]
    for ended in history[: NUM_TRIALS - 2]:
        assert rebuilt.add(*ended)
    for values in asked[:3]:
        assert rebuilt.reopen(values)[1] == values
    assert rebuilt.ask(NUM_TRIALS + 1)[1] == asked[3]


def test_another_attempt_draws_another_point_and_changes_no_later_one(sampler):
    history = undisturbed(sampler)
    study = Study(conditional_space(sampler), seed=3)
    for ended in history[:12]:
        study.add(*ended)
    points = []
    for attempt in range(3):
        trial, values = study.ask(12, attempt)
        points.append(point_key(values))
        study.tell(trial, Outcome.FAILED, {})
    assert len(set(points)) == 3
    assert study.ask(12)[1] == history[12][0]


def test_after_many_attempts_the_sampler_is_asked_no_more(sampler):
    """Where few points are left it names those that there are again and again."""
    history = undisturbed(sampler)
    studies = [Study(conditional_space(sampler), seed=3) for _ in range(2)]
    for values, outcome, scores in history[:14]:
        studies[0].add(values, outcome, scores)
        studies[1].add(values, outcome, {epoch: 1 - score for epoch, score in scores.items()})
    one, other = (study.ask(14, NUM_GUIDED_ASKS)[1] for study in studies)
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


def test_a_trial_that_a_changed_space_does_not_hold_is_left_out(space):
    lr = {"optim.lr": {"kind": "log_float", "low": 1e-4, "high": 1e-2, "default": 1e-3}}
    narrow = Study(space_of(**lr), seed=0)
    assert narrow.add({"optim.lr": 5e-3}, Outcome.COMPLETED, {1: 0.6})
    assert not narrow.add({"optim.lr": 5e-2}, Outcome.COMPLETED, {1: 0.6})
    assert not narrow.add({}, Outcome.COMPLETED, {1: 0.6})
    old = {"optim.lr": 5e-3, "train.batch_size": 8}
    assert not narrow.add(old, Outcome.COMPLETED, {1: 0.6}), "it searches no batch size"
    assert len(narrow.study.trials) == 1
    with pytest.raises(HarnessError, match=r"optim\.lr 0\.05 is not in 0\.0001 to 0\.01"):
        narrow.reopen({"optim.lr": 5e-2})
    assert len(narrow.study.trials) == 1


def test_a_bound_that_went_through_a_logarithm_can_be_added_again(space):
    study = Study(space, seed=0)
    values = {"optim.lr": 1e-5 * (1 - 1e-12), "loss.name": "bce", "train.batch_size": 8}
    assert study.add(values, Outcome.COMPLETED, {1: 0.6})
    assert study.reopen(values)[1]["optim.lr"] == 1e-5


# Equal points -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        ({"optim.lr": 1.234567e-4}, {"optim.lr": 1.2345671e-4}, True),
        ({"optim.lr": 1.23456e-4}, {"optim.lr": 1.23457e-4}, False),
        ({"optim.lr": 0.0}, {"optim.lr": -0.0}, True),
        ({"optim.lr": 0.0}, {"optim.lr": 1e-9}, False),
        ({"optim.weight_decay": 0}, {"optim.weight_decay": 0.0}, True),  # a choice written as 0
        ({"train.batch_size": 1000001}, {"train.batch_size": 1000002}, False),
        ({"augment.crop": True}, {"augment.crop": 1}, False),
        ({"loss.name": "bce"}, {"loss.name": "bce", "optim.lr": 1.0}, False),
        ({"loss.name": "bce", "optim.lr": 1.0}, {"optim.lr": 1.0, "loss.name": "bce"}, True),
    ],
)
def test_points_are_equal_to_six_digits(one, other, is_equal):
    assert (point_key(one) == point_key(other)) is is_equal


# Cost ---------------------------------------------------------------------------------------


def test_three_hundred_trials_stay_quick_and_small():
    """16 ms and 2 MB were measured; an ask that reads its history badly takes seconds."""
    space = SearchSpace.load("vit_small")
    study = Study(space, seed=0)
    for number in range(300):
        values = space.sample(lambda path, parameter: parameter.default)
        values["optim.lr"] *= 1 + number / 300
        study.add(values, Outcome.PRUNED, dict.fromkeys(range(1, 26), 0.7))
    durations = []
    tracemalloc.start()
    for number in range(300, 306):
        started = time.perf_counter()
        trial, _ = study.ask(number)
        durations.append(time.perf_counter() - started)
        study.tell(trial, Outcome.COMPLETED, {1: 0.8})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert statistics.median(durations) < 0.5
    assert peak < 20e6
