"""The Optuna study of a search: what to try next, given how everything else went.

It lives in memory in the driver and is built anew from the run directories each time. What is asked
follows from the search's seed, the trial's number, how often another point was asked for, and the
trials known by then; not from how often the study was built.
"""

import math
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
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from harness.core.errors import HarnessError
from harness.core.parameters import Choice, IntRange, Parameter, SearchSettings
from harness.core.records import Outcome
from harness.core.seeds import derive_seed
from harness.core.space import SearchSpace

NUM_GUIDED_ASKS = 10
"""So many points of a trial come from the sampler; further ones are drawn at random."""

PointKey = tuple[tuple[str, str], ...]


class Study:
    """Asks Optuna for values of a space, and tells it what became of them.

    TPE weighs late trials more, so a study is built anew by `add` and `reopen` in the order of the
    trials' numbers.
    """

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.seed = seed
        self.study = optuna.create_study(direction="maximize")

    def ask(self, number: int, attempt: int = 0) -> tuple[optuna.Trial, dict[str, Any]]:
        """A trial to be made and its values: trial 0 is the default point, the others samples.

        Args:
            attempt: How many points of this trial have been turned down, as equal to another's;
                tell each of those as failed, without scores.
        """
        return self.reopen(self._draw(number, attempt) if number else self.space.default_values())

    def reopen(self, values: Mapping[str, Any]) -> tuple[optuna.Trial, dict[str, Any]]:
        """A trial with these very values.

        Raises:
            HarnessError: The space has no such point.
        """
        point = self._point(values)
        self.study.enqueue_trial(point)
        trial = self.study.ask()
        return trial, self.space.sample(partial(_suggest, trial))

    def add(self, values: Mapping[str, Any], outcome: Outcome, scores: Mapping[int, float]) -> bool:
        """Add a trial that ended in an earlier process; `scores` are its figures by epoch.

        Returns:
            False where the space, changed since, has no such point; the trial is left out.
        """
        try:
            point = self._point(values)
        except HarnessError:
            return False
        scores = _finite(scores)
        state = self._state(outcome, scores)
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=None if state is TrialState.FAIL else scores[max(scores)],
                params=point,
                distributions={path: distribution(self.space.space[path]) for path in point},
                intermediate_values=scores,
            )
        )
        return True

    def tell(self, trial: optuna.Trial, outcome: Outcome, scores: Mapping[int, float]) -> None:
        """Tell how a trial that was asked for ended; `scores` are its figures by epoch.

        The last of them is the trial's: it is the one that ranks the run.
        """
        scores = _finite(scores)
        state = self._state(outcome, scores)
        for epoch, score in scores.items():
            trial.report(score, epoch)
        value = scores[max(scores)] if state is TrialState.COMPLETE else None
        self.study.tell(trial, value, state=state)

    def _draw(self, number: int, attempt: int) -> dict[str, Any]:
        """Values by the sampler, drawn from a stream of their own.

        The trial that Optuna draws them for is given up. It knows values of parameters that its
        own choices switch off, and while it ran the sampler would count them; a trial that was
        reopened after a restart does not know them.
        """
        seed = derive_seed(self.seed, "ask", number, attempt) % 2**32
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of options called experimental, and of fits
            # A sampler that names what there is again and again would never name the rest.
            name = self.space.search.sampler if attempt < NUM_GUIDED_ASKS else "random"
            self.study.sampler = SAMPLERS[name](seed, self.space.search)
            trial = self.study.ask()
            values = self.space.sample(partial(_suggest, trial))
        self.study.tell(trial, state=TrialState.FAIL)
        return values

    def _point(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the active parameters; checked, as `SearchSpace.recipe` checks them."""
        self.space.recipe(values)
        active = self.space.active(values)
        return {path: _within(self.space.space[path], value) for path, value in active.items()}

    def _state(self, outcome: Outcome, scores: Mapping[int, float]) -> TrialState:
        """How Optuna is told of an end; its samplers leave out what is FAIL."""
        if not scores or outcome not in (Outcome.COMPLETED, Outcome.PRUNED):
            return TrialState.FAIL
        # Optuna's Gaussian process looks at COMPLETE alone and would learn nothing of most trials.
        is_left_out = outcome is Outcome.PRUNED and self.space.search.sampler != "gp"
        return TrialState.PRUNED if is_left_out else TrialState.COMPLETE


def point_key(values: Mapping[str, Any]) -> PointKey:
    """What equal points have in common: floats are equal if six significant digits are."""
    return tuple(sorted((path, _digits(value)) for path, value in values.items()))


def _digits(value: Any) -> str:
    return f"{value + 0.0:.6g}" if isinstance(value, float) else str(value)  # -0.0 is 0.0


def _finite(scores: Mapping[int, float]) -> dict[int, float]:
    return {epoch: score for epoch, score in scores.items() if math.isfinite(score)}


def _within(parameter: Parameter, value: Any) -> Any:
    """A bound that a logarithm has moved, by less than a float's precision, back in its place."""
    if isinstance(parameter, Choice):
        return value
    return min(max(value, parameter.low), parameter.high)


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


# Samplers -----------------------------------------------------------------------------------


def _tpe(seed: int, settings: SearchSettings) -> BaseSampler:
    return TPESampler(
        seed=seed,
        n_startup_trials=settings.num_startup_trials,
        multivariate=True,
        group=True,
        constant_liar=True,
    )


def _gp(seed: int, settings: SearchSettings) -> BaseSampler:
    """A Gaussian process over the parameters that every trial has.

    It has no notion of the others, which are active in some trials only: those are drawn by TPE,
    one at a time.
    """
    num_startup_trials = settings.num_startup_trials
    conditional = TPESampler(
        seed=seed, n_startup_trials=num_startup_trials, multivariate=False, constant_liar=True
    )
    return GPSampler(
        seed=seed,
        n_startup_trials=num_startup_trials,
        independent_sampler=conditional,
        warn_independent_sampling=False,
    )


def _random(seed: int, settings: SearchSettings) -> BaseSampler:
    return RandomSampler(seed=seed)


SAMPLERS = {"tpe": _tpe, "gp": _gp, "random": _random}
