"""The Optuna study of a search: what to try next, given how everything else went.

It lives in memory in the driver and is built anew from the run directories each time.
"""

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from harness.core.parameters import Choice, IntRange, Parameter
from harness.core.records import Outcome
from harness.core.seeds import derive_seed
from harness.core.space import SearchSpace

STATES = {Outcome.COMPLETED: TrialState.COMPLETE, Outcome.PRUNED: TrialState.PRUNED}
"""How Optuna is told of an end; every other outcome is FAIL, which its samplers leave out."""


class Study:
    """Asks Optuna for values of a space, and tells it what became of them."""

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.seed = seed
        self.study = optuna.create_study(direction="maximize")
        self.num_asked = 0

    def ask(self, number: int) -> tuple[optuna.Trial, dict[str, Any]]:
        """A trial to be made and its values: trial 0 is the published point, the others samples.

        Each ask draws from a stream of its own, so a study that was rebuilt from the run
        directories does not repeat itself.
        """
        if number == 0:
            return self.reopen(self.space.default_values())
        self.study.sampler = self._sampler(number)
        return self._ask()

    def reopen(self, values: Mapping[str, Any]) -> tuple[optuna.Trial, dict[str, Any]]:
        """A trial with these very values."""
        self.study.enqueue_trial(dict(values))
        return self._ask()

    def add(self, values: Mapping[str, Any], outcome: Outcome, scores: Mapping[int, float]) -> None:
        """Add a trial that ended in an earlier process; `scores` are its figures by epoch."""
        state = _state(outcome, scores)
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=list(scores.values())[-1] if state is not TrialState.FAIL else None,
                params=dict(values),
                distributions={path: distribution(self.space.parameters[path]) for path in values},
                intermediate_values=dict(scores),
            )
        )

    def tell(self, trial: optuna.Trial, outcome: Outcome, scores: Mapping[int, float]) -> None:
        """Tell how a trial that was asked for ended; `scores` are its figures by epoch."""
        for epoch, score in scores.items():
            trial.report(score, epoch)
        state = _state(outcome, scores)
        value = list(scores.values())[-1] if state is TrialState.COMPLETE else None
        self.study.tell(trial, value, state=state)

    def _ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        trial = self.study.ask()
        self.num_asked += 1
        return trial, self.space.sample(partial(_suggest, trial))

    def _sampler(self, number: int) -> BaseSampler:
        seed = derive_seed(self.seed, "ask", number, self.num_asked) % 2**32
        settings = self.space.search
        if settings.sampler == "random":
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(
                seed=seed,
                n_startup_trials=settings.num_startup_trials,
                multivariate=True,
                group=True,
                constant_liar=True,
            )


def _state(outcome: Outcome, scores: Mapping[int, float]) -> TrialState:
    return STATES.get(outcome, TrialState.FAIL) if scores else TrialState.FAIL


def distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's own description of a parameter."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.choices)
    kind = IntDistribution if isinstance(parameter, IntRange) else FloatDistribution
    return kind(parameter.low, parameter.high, log=parameter.is_log)


def _suggest(trial: optuna.Trial, path: str, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        return trial.suggest_categorical(path, parameter.choices)
    suggest = trial.suggest_int if isinstance(parameter, IntRange) else trial.suggest_float
    return suggest(path, parameter.low, parameter.high, log=parameter.is_log)
