"""Which parameters matter: the one that does is found, and nothing is said of too few trials."""

import numpy as np
import pytest

from harness.core.parameters import SearchSettings
from harness.core.space import SearchSpace
from harness.search.importance import MIN_TRIALS, importance

SPACE = SearchSpace.model_validate({
    "name": "toy", "title": "", "source": "", "search": SearchSettings(), "space": {
        "optim.lr": {"kind": "log_float", "low": 1e-5, "high": 1e-1, "default": 1e-3},
        "optim.weight_decay": {"kind": "log_float", "low": 1e-6, "high": 1e-2, "default": 1e-5},
        "loss.name": {"kind": "choice", "choices": ["bce", "focal"], "default": "bce"},
        "loss.gamma": {"kind": "float", "low": 0, "high": 5, "default": 2,
                       "when": {"loss.name": "focal"}},
        "train.batch_size": {"kind": "int", "low": 8, "high": 8, "default": 8},
    },
})  # fmt: skip


def trials(score_of, *, number=40, seed=0):
    """Random points of the space with the scores that `score_of` gives their values."""
    lot = np.random.default_rng(seed)

    def draw(path, parameter):
        if path.startswith("optim"):
            return float(np.exp(lot.uniform(np.log(parameter.low), np.log(parameter.high))))
        if path == "loss.name":
            return str(lot.choice(parameter.choices))
        return float(lot.uniform(0, 5)) if path == "loss.gamma" else 8

    points = [SPACE.sample(draw) for _ in range(number)]
    return [(values, float(score_of(values) + lot.normal(0, 1e-3))) for values in points]


def by_lr(values):
    return 0.8 - 0.05 * abs(np.log10(values["optim.lr"]) + 3)


def by_gamma(values):
    return 0.7 + 0.05 * values.get("loss.gamma", 2)


def by_loss(values):
    return 0.7 + 0.1 * (values["loss.name"] == "focal")


@pytest.mark.parametrize(
    ("score_of", "path"),
    [(by_lr, "optim.lr"), (by_gamma, "loss.gamma"), (by_loss, "loss.name")],
)
def test_the_parameter_that_decides_comes_first_conditional_or_not(score_of, path):
    shares = importance(SPACE, trials(score_of))
    assert next(iter(shares)) == path
    assert shares[path] > 0.7
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_a_parameter_of_one_value_has_no_share():
    assert set(importance(SPACE, trials(by_lr))) == set(SPACE.space) - {"train.batch_size"}


def test_equal_seeds_say_the_same():
    assert importance(SPACE, trials(by_lr), seed=4) == importance(SPACE, trials(by_lr), seed=4)


def test_nothing_is_said_of_too_few_trials_or_of_equal_scores():
    assert importance(SPACE, trials(by_lr, number=MIN_TRIALS - 1)) == {}
    assert importance(SPACE, trials(by_lr, number=MIN_TRIALS)) != {}
    level = [(values, 0.5) for values, _ in trials(by_lr)]
    assert importance(SPACE, level) == {}
    hardly = [(values, 0.5 + k % 2 * 1.2e-16) for k, (values, _) in enumerate(level)]
    assert importance(SPACE, hardly) == {}


def test_points_of_another_space_and_scores_that_are_none_do_not_count():
    known = trials(by_lr, number=MIN_TRIALS)
    outside = [({**values, "optim.lr": 1.0}, score) for values, score in known]
    unknown = [({**values, "augment.jitter": 0.1}, score) for values, score in known]
    endless = [(values, float("nan")) for values, _ in known]
    assert importance(SPACE, known + outside + unknown + endless) == importance(SPACE, known)


def test_bounds_that_went_through_a_logarithm_are_in():
    edges = [({**values, "optim.lr": 1e-1 * (1 + 1e-12)}, s) for values, s in trials(by_lr)[:1]]
    assert importance(SPACE, edges + trials(by_lr, number=MIN_TRIALS - 1, seed=1)) != {}
