"""What to try next, given every trial's scores so far: one function for each sampler.

Most trials that ASHA ends have seen few epochs, and a score after few epochs is no score after
many. Told as final, they mislead (BOHB's authors fit their model at the highest budget for that:
Falkner, Klein, Hutter 2018, arXiv 1807.01774, section 3). So here

- `gp` models the score over point and epoch together and looks for the best last epoch
  (`GaussianProcess`; expected improvement, Jones, Schonlau, Welch 1998);
- `tpe` is Optuna's, told of each trial what it scored at one rung: the highest that enough
  trials have come to, as in BOHB.

Trials under way count with what they have reported, and as if they would end as expected.
`harness speed efficiency` measures all of them, and Ray's own searcher, beside one another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from scipy.stats import norm

from harness.core.parameters import Choice, IntRange, Parameter
from harness.core.space import SearchSpace
from harness.core.space_checks import possible
from harness.search.asha import rung_epochs
from harness.search.axes import Axes, FloatArray
from harness.search.gaussian_process import GaussianProcess

NUM_STARTUP = {"gp": 4, "tpe": 10}
"""Trials by chance before a sampler trusts what it has seen, where the space does not say."""
NUM_SCORES_OF_A_TRIAL = 2
"""That the process is fitted to: its last one and the one of the rung before."""
MAX_ROWS = 200
"""Scores that the process is fitted to; those of the most epochs, then of the latest trials."""
NUM_DRAWN = 1000
NUM_BEST, NUM_NEIGHBOURS, STEPS = 5, 60, (0.2, 0.07)
"""Candidates: drawn by chance, and so many near each of the best at each step."""
SHARE_BOLD, MARGIN = 0.5, 0.5
"""Of the trials that look for an improvement by so many standard deviations of the candidates'
expected scores: what is well known cannot give that, so they go where the model knows less."""
SHARE_BY_CHANCE = 0.1
"""Of the trials that are drawn by chance, whatever the model says."""


@dataclass
class Seen:
    """A trial as a sampler sees it.

    Attributes:
        values: The active parameters.
        scores: By epochs trained, finite, higher is better.
        is_running: Under way, or waiting to go on.
        is_whole: It was trained to its end, so that its last score is its final one.
        is_diverged: Its loss was not finite; it counts as whole, and as bad as the worst.
    """

    values: Mapping[str, Any]
    scores: dict[float, float] = field(default_factory=dict)
    is_running: bool = False
    is_whole: bool = False
    is_diverged: bool = False

    def score_at(self, epoch: float) -> float | None:
        """The first score at an epoch or later; the last one of a trial that ended earlier."""
        later = [each for each in self.scores if each >= epoch]
        if later:
            return self.scores[min(later)]
        return self.scores[max(self.scores)] if self.is_whole and self.scores else None


def draw(space: SearchSpace, seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """A point by chance."""
    return Axes(space).draw(np.random.default_rng(seed))


# A Gaussian process ---------------------------------------------------------------------------


def by_gaussian_process(space: SearchSpace, seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """The candidate whose last epoch is expected to improve most on the best one's."""
    axes, rng = Axes(space), np.random.default_rng(seed)
    seen = _judged(space, seen)
    if _is_start(space, seen) or rng.random() < SHARE_BY_CHANCE:
        return axes.draw(rng)
    process = GaussianProcess(*_rows(space, seen, axes))
    running = [each.values for each in seen if each.is_running]
    process.believe(_at_the_end(axes.rows(running)))
    place_KP = axes.places([each.values for each in seen if each.scores])
    mean_K, _ = process.predict(_at_the_end(axes.rows_at(place_KP)))
    place_MP = _candidates(axes, place_KP[np.argsort(-mean_K, kind="stable")[:NUM_BEST]], rng)
    mean_M, deviation_M = process.predict(_at_the_end(axes.rows_at(place_MP)))
    margin = MARGIN * float(mean_M.std()) if rng.random() < SHARE_BOLD else 0.0
    gain_M = _log_improvement(mean_M, deviation_M, float(mean_K.max()) + margin)
    known = {point_key(each.values) for each in seen}
    for index in np.argsort(-gain_M, kind="stable"):
        point = axes.point_at(place_MP[index])
        if point_key(point) not in known:
            return point
    return axes.draw(rng)


def _candidates(axes: Axes, best_BP: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Places all over the space, and near the best ones."""
    drawn_MP = axes.draw_places(NUM_DRAWN, rng)
    around_MP = np.tile(best_BP, (len(STEPS) * NUM_NEIGHBOURS, 1))
    step_M = np.repeat(STEPS, NUM_NEIGHBOURS * len(best_BP))
    return np.concatenate([drawn_MP, axes.near(around_MP, step_M, rng)])


def _is_start(space: SearchSpace, seen: Sequence[Seen]) -> bool:
    return sum(bool(each.scores) for each in seen) < _num_startup(space)


def _rows(space: SearchSpace, seen: Sequence[Seen], axes: Axes) -> tuple[FloatArray, FloatArray]:
    """What the process is fitted to: rows of points and epochs, and scores of variance 1."""
    last_epoch = num_epochs_of(space)
    rungs = set(rung_epochs(space.search, last_epoch))
    points, epochs, scores = [], [], []
    for each in seen:
        told = sorted(epoch for epoch in each.scores if epoch in rungs or epoch == max(each.scores))
        for epoch in told[-NUM_SCORES_OF_A_TRIAL:]:
            is_final = each.is_whole and epoch == told[-1]
            points.append(each.values)
            epochs.append(last_epoch if is_final else min(epoch, last_epoch))
            scores.append(each.scores[epoch])
    most = np.sort(np.lexsort((np.arange(len(epochs)), np.array(epochs)))[-MAX_ROWS:])
    score_N = np.array(scores)[most]
    score_N = (score_N - score_N.mean()) / (score_N.std() or 1.0)
    # On a logarithmic scale from the first report, at 0, to the last, at 1.
    per_epoch = space.search.reports_per_epoch
    epoch_N1 = np.log(per_epoch * np.array(epochs)[most, None])
    epoch_N1 /= max(np.log(per_epoch * last_epoch), 1e-9)
    return np.hstack([axes.rows([points[index] for index in most]), epoch_N1]), score_N


def _at_the_end(row_NC: FloatArray) -> FloatArray:
    """The rows of points at the last epoch."""
    return np.hstack([row_NC, np.ones((len(row_NC), 1))])


def _log_improvement(mean_M: FloatArray, deviation_M: FloatArray, best: float) -> FloatArray:
    """The logarithm of the expected improvement, which orders candidates where it is tiny, too."""
    above_M = (mean_M - best) / deviation_M
    with np.errstate(divide="ignore"):
        improvement_M = np.log(np.maximum(above_M * norm.cdf(above_M) + norm.pdf(above_M), 0.0))
    result: FloatArray = np.log(deviation_M) + np.where(
        above_M > -8, improvement_M, norm.logpdf(above_M) - 2 * np.log(np.abs(above_M) + 1e-9)
    )  # the first two terms of Mills' ratio, where the difference above cancels
    return result


# Optuna's TPE ---------------------------------------------------------------------------------


def by_tpe(space: SearchSpace, seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """Optuna's TPE, told what each trial scored at the highest rung that enough have come to."""
    seen = _judged(space, seen)
    rungs = [*rung_epochs(space.search, num_epochs_of(space)), num_epochs_of(space)]
    num_needed = _num_startup(space)
    at = [[each.score_at(epoch) for each in seen] for epoch in rungs]
    enough = [scores for scores in at if sum(score is not None for score in scores) >= num_needed]
    scores = enough[-1] if enough else at[0]
    sampler = TPESampler(
        seed=seed % 2**32, n_startup_trials=num_needed, multivariate=True, group=True,
        constant_liar=True,
    )  # fmt: skip
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for each, score in zip(seen, scores, strict=True):
        if score is not None:
            study.add_trial(_told(space, each.values, TrialState.COMPLETE, score))
        elif each.is_running:
            study.add_trial(_told(space, each.values, TrialState.RUNNING, None))
    trial = study.ask()
    return space.sample(lambda path, parameter: suggest(trial, path, parameter))


def _told(
    space: SearchSpace, values: Mapping[str, Any], state: TrialState, score: float | None
) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        state=state,
        value=score,
        params=dict(values),
        distributions={path: distribution(space.space[path]) for path in values},
    )


def distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's own description of a parameter."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.choices)
    kind = IntDistribution if isinstance(parameter, IntRange) else FloatDistribution
    return kind(parameter.low, parameter.high, log=parameter.is_log)


def suggest(trial: optuna.Trial, path: str, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        return trial.suggest_categorical(path, parameter.choices)
    suggest = trial.suggest_int if isinstance(parameter, IntRange) else trial.suggest_float
    return suggest(path, parameter.low, parameter.high, log=parameter.is_log)


# What they share ------------------------------------------------------------------------------

PointKey = tuple[tuple[str, str], ...]


def point_key(values: Mapping[str, Any]) -> PointKey:
    """What equal points have in common: floats are equal if six significant digits are."""
    return tuple(sorted((path, _digits(value)) for path, value in values.items()))


def _digits(value: Any) -> str:
    return f"{value + 0.0:.6g}" if isinstance(value, float) else str(value)  # -0.0 is 0.0


def _judged(space: SearchSpace, seen: Sequence[Seen]) -> list[Seen]:
    """The trials, of which those that diverged have the worst score of all from first to last."""
    worst = min((score for each in seen for score in each.scores.values()), default=None)
    if worst is None:
        return list(seen)
    scores = dict.fromkeys((1 / space.search.reports_per_epoch, num_epochs_of(space)), worst)
    return [
        replace(each, scores=scores, is_whole=True) if each.is_diverged else each for each in seen
    ]


def _num_startup(space: SearchSpace) -> int:
    """Trials that have scored before the space's sampler is asked."""
    return space.search.num_startup_trials or NUM_STARTUP[space.search.sampler]


def num_epochs_of(space: SearchSpace) -> int:
    """Epochs of the longest training of a space."""
    return int(max(possible("train.epochs", space.base, space.space)))


Sampler = Callable[[SearchSpace, Sequence[Seen], int], dict[str, Any]]

SAMPLERS: dict[str, Sampler] = {
    "tpe": by_tpe,
    "gp": by_gaussian_process,
    "random": draw,
}
