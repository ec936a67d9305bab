"""Which parameters of a search made its score vary: functional ANOVA over its completed trials."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.parameters import Choice, Parameter
from harness.core.space import SearchSpace

MIN_TRIALS = 12
"""Completed trials below which nothing is said.

Of random searches of five parameters, one of which accounts for nearly all, fANOVA puts that one
first in half the searches of 8 trials, in four of five at 12, and in all at 20.
"""

Scored = tuple[Mapping[str, Any], float]


def importance(space: SearchSpace, trials: Sequence[Scored], *, seed: int = 0) -> dict[str, float]:
    """Share of each parameter in what makes the score vary over the space, largest first.

    A parameter that is not active in a trial counts there as its default, so conditional ones have
    their share, too. Logarithmic parameters are looked at in their logarithm.

    Args:
        space: The space of the search, as it is now.
        trials: Values and score of each completed trial; those of another space are left out.
        seed: Of the random forest.

    Returns:
        Shares that sum to 1, of main effects alone; parameters of one value are left out. Empty
        where there are fewer than `MIN_TRIALS` trials, or all scores are equal.

    Source: Hutter, Hoos & Leyton-Brown, ICML 2014, as Optuna computes it.
    """
    varied = {path: each for path, each in space.parameters.items() if len(set(each.ends)) > 1}
    points = [
        (point, score)
        for values, score in trials
        if math.isfinite(score) and (point := _point(space, varied, values))
    ]
    if len(points) < MIN_TRIALS or len({score for _, score in points}) == 1:
        return {}
    return _fanova(varied, points, seed=seed)


def _point(
    space: SearchSpace, varied: Mapping[str, Parameter], values: Mapping[str, Any]
) -> dict[str, Any] | None:
    """A value for each varied parameter; None where the space, changed since, has no such point."""
    point = {path: values.get(path, each.default) for path, each in varied.items()}
    is_within = all(varied[path].contains(value) for path, value in point.items())
    return point if is_within and set(values) <= set(space.space) else None


def _fanova(
    varied: Mapping[str, Parameter], points: Sequence[Scored], *, seed: int
) -> dict[str, float]:
    import optuna  # with scikit-learn's forests about 2 s
    from optuna.distributions import CategoricalDistribution, FloatDistribution
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {
        path: CategoricalDistribution(each.choices)
        if isinstance(each, Choice)
        else FloatDistribution(_scaled(each, each.low), _scaled(each, each.high))
        for path, each in varied.items()
    }
    study = optuna.create_study(direction="maximize")
    for point, score in points:
        params = {path: _scaled(varied[path], value) for path, value in point.items()}
        trial = optuna.trial.create_trial(value=score, params=params, distributions=distributions)
        study.add_trial(trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Optuna calls experimental
        try:
            shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
        except RuntimeError:  # the scores differ by less than a variance can tell
            return {}
    return {path: float(share) for path, share in shares.items()}


def _scaled(parameter: Parameter, value: Any) -> Any:
    """A number on the scale that the parameter is sampled on, within its bounds; else the value."""
    if isinstance(parameter, Choice):
        return value
    held = min(max(float(value), parameter.low), parameter.high)
    return math.log(held) if parameter.is_log else float(held)
