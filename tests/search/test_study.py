"""The Optuna study: the published point first, sound samples, truth about ends, no repetition."""

import pytest
from optuna.trial import TrialState

from harness.core.records import Outcome
from harness.core.space import SearchSpace, shipped_spaces
from harness.search.study import Study, distribution


def space_of(**parameters):
    return SearchSpace(name="toy", title="", source="", space=parameters)


@pytest.fixture
def space():
    return space_of(
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


def test_a_study_built_anew_past_the_random_start_repeats_nothing(space):
    """What a restarted driver does: ten known trials are added, then the search goes on."""
    first = Study(space, seed=1)
    known = [run(first, number, lambda values: -values["optim.lr"]) for number in range(14)]
    second = Study(space, seed=1)
    for values in known:
        second.add(values, Outcome.COMPLETED, {1: -values["optim.lr"]})
    later = [run(second, number, lambda values: -values["optim.lr"]) for number in range(14, 20)]
    points = [tuple(sorted(values.items())) for values in known + later]
    assert len(set(points)) == 20


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
        (Outcome.PRUNED, {1: 0.6}, TrialState.PRUNED),
        (Outcome.FAILED, {1: 0.6}, TrialState.FAIL),
        (Outcome.FAILED, {}, TrialState.FAIL),
        (Outcome.CANCELLED, {1: 0.6}, TrialState.FAIL),
    ],
)
def test_optuna_is_told_the_truth_live_and_from_the_folder(space, outcome, scores, state):
    live, rebuilt = Study(space, seed=0), Study(space, seed=0)
    trial, values = live.ask(0)
    live.tell(trial, outcome, scores)
    rebuilt.add(values, outcome, scores)
    for study in (live, rebuilt):
        (told,) = study.study.trials
        assert told.state is state
        assert told.intermediate_values == scores
        assert told.params == values
        if state is TrialState.COMPLETE:
            assert told.value == 0.7


def test_distributions_include_their_bounds(space):
    lr = distribution(space.parameters["optim.lr"])
    assert (lr.low, lr.high, lr.log) == (1e-5, 1e-1, True)
    batch = distribution(space.parameters["train.batch_size"])
    assert (batch.low, batch.high, batch.log, batch.step) == (1, 64, False, 1)
