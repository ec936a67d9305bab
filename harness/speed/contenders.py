"""The ways to search that `harness speed efficiency` sets beside one another.

Ours are the very `Study` and `Asha` of a search. Ray's are Ray's own scheduler and searcher, called
as its controller calls them.
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from harness.core.records import Outcome
from harness.core.seeds import derive_seed
from harness.core.space import SearchSpace
from harness.search.asha import Asha
from harness.search.axes import Axes
from harness.search.samplers import suggest
from harness.search.study import Study
from harness.speed.lcbench import NUM_EPOCHS
from harness.speed.race import Contender

GRACE_EPOCHS, REDUCTION_FACTOR = 1, 3
ASHA = {"scheduler": "asha", "grace_epochs": GRACE_EPOCHS, "reduction_factor": REDUCTION_FACTOR}
WHOLE = {**ASHA, "scheduler": "none"}

Points = Sequence[Mapping[str, Any]]


class Ours:
    """`Study` and `Asha` as a search has them, without its files."""

    def __init__(self, space: SearchSpace, seed: int, first: Points = ()) -> None:
        self.study = Study(space, seed=seed, first=first)
        self.asha = Asha(space.search, num_epochs=NUM_EPOCHS)
        self.scores: dict[int, dict[float, float]] = {}

    def ask(self, number: int) -> Mapping[str, Any]:
        values = self.study.ask(number)
        self.study.begin(number, values)
        self.scores[number] = {}
        return values

    def goes_on(self, number: int, epoch: int, score: float) -> bool:
        self.study.note(number, epoch, score)
        self.scores[number][epoch] = score
        return self.asha.goes_on(f"t{number:04}", epoch, score)

    def end(self, number: int, *, is_whole: bool) -> None:
        outcome = Outcome.COMPLETED if is_whole else Outcome.PRUNED
        self.study.end(number, outcome, self.scores[number])


class OptunaAlone:
    """One of Optuna's samplers as it is; every trial is trained to its end."""

    def __init__(self, space: SearchSpace, sampler: BaseSampler) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.trials: dict[int, optuna.Trial] = {}
        self.last: dict[int, float] = {}

    def ask(self, number: int) -> Mapping[str, Any]:
        trial = self.trials[number] = self.study.ask()
        return self.space.sample(lambda path, parameter: suggest(trial, path, parameter))

    def goes_on(self, number: int, epoch: int, score: float) -> bool:
        self.last[number] = score
        return True

    def end(self, number: int, *, is_whole: bool) -> None:
        self.study.tell(self.trials[number], self.last[number])


class Stock:
    """Ray Tune's `ASHAScheduler`, with draws by chance or its `OptunaSearch`."""

    def __init__(self, space: SearchSpace, seed: int, *, has_optuna: bool) -> None:
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        from ray.tune.schedulers import ASHAScheduler

        self.axes = Axes(space)
        self.rng = np.random.default_rng(seed)
        self.searcher = _optuna_search(space, seed) if has_optuna else None
        self.scheduler = ASHAScheduler(
            time_attr="training_iteration", metric="score", mode="max", max_t=NUM_EPOCHS,
            grace_period=GRACE_EPOCHS, reduction_factor=REDUCTION_FACTOR,
        )  # fmt: skip
        self.stops = ASHAScheduler.STOP
        self.trials: dict[int, Any] = {}
        self.last: dict[int, dict[str, Any]] = {}

    def ask(self, number: int) -> Mapping[str, Any]:
        self.trials[number] = SimpleNamespace(trial_id=str(number))
        self.scheduler.on_trial_add(None, self.trials[number])
        if self.searcher is None:
            return self.axes.draw(self.rng)
        values: Mapping[str, Any] = self.searcher.suggest(str(number))
        return values

    def goes_on(self, number: int, epoch: int, score: float) -> bool:
        result = self.last[number] = {"training_iteration": epoch, "score": score}
        decision = self.scheduler.on_trial_result(None, self.trials[number], result)
        if self.searcher is not None:
            self.searcher.on_trial_result(str(number), result)
        return bool(decision != self.stops)

    def end(self, number: int, *, is_whole: bool) -> None:
        """Ray's controller tells a trial that its scheduler has stopped as complete, too."""
        self.scheduler.on_trial_complete(None, self.trials[number], self.last[number])
        if self.searcher is not None:
            self.searcher.on_trial_complete(str(number), self.last[number])


def _optuna_search(space: SearchSpace, seed: int) -> Any:
    from ray.tune.search.optuna import OptunaSearch

    def define(trial: optuna.Trial) -> None:
        space.sample(lambda path, parameter: suggest(trial, path, parameter))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return OptunaSearch(space=define, metric="score", mode="max", seed=seed % 2**32)


@dataclass(frozen=True)
class Way:
    """A row of the table.

    Attributes:
        make: A contender for (space with given settings, seed, points of other tasks).
        settings: How the space is searched.
        is_warm: It is given points of other tasks.
        max_seeds: It gets no more: one race of it takes as long as ten of another.
    """

    title: str
    make: Callable[[SearchSpace, int, Points], Contender]
    settings: Mapping[str, Any]
    is_warm: bool = False
    max_seeds: int | None = None


def _seed(seed: int) -> int:
    """Optuna's seeds are below 2**32; equal seeds of two ways are no reason for equal draws."""
    return derive_seed(seed, "optuna") % 2**32


def _ours(space: SearchSpace, seed: int, points: Points) -> Contender:
    return Ours(space, seed, points)


WAYS: dict[str, Way] = {
    "tpe-whole": Way(
        "Optuna's TPE, full length",
        lambda space, seed, _: OptunaAlone(space, TPESampler(seed=_seed(seed))),
        WHOLE,
    ),
    "gp-whole": Way(
        "Optuna's Gaussian process, full length",
        lambda space, seed, _: OptunaAlone(space, GPSampler(seed=_seed(seed))),
        WHOLE,
        max_seeds=2,
    ),
    "ray-random": Way(
        "Ray's ASHAScheduler, random",
        lambda space, seed, _: Stock(space, seed, has_optuna=False),
        ASHA,
    ),
    "ray-optuna": Way(
        "Ray's ASHAScheduler, OptunaSearch",
        lambda space, seed, _: Stock(space, seed, has_optuna=True),
        ASHA,
    ),
    "random": Way("harness, `random`", _ours, ASHA | {"sampler": "random"}),
    "tpe": Way("harness, `tpe`", _ours, ASHA | {"sampler": "tpe"}),
    "gp": Way("harness, `gp`", _ours, ASHA | {"sampler": "gp"}),
    "gp-warm": Way(
        "harness, `gp`, warm start", _ours, ASHA | {"sampler": "gp"}, is_warm=True
    ),
}  # fmt: skip
