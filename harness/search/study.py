"""The study of a search: what to try next, given how everything else went.

It lives in memory in the driver and is built anew from the run directories each time. What is asked
follows from the search's seed, the trial's number, how often another point was asked for, and the
scores known by then; not from how often the study was built, nor in which order it was told.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from harness.core.errors import HarnessError
from harness.core.parameters import Choice, Parameter
from harness.core.records import Outcome
from harness.core.seeds import derive_seed
from harness.core.space import SearchSpace
from harness.search.samplers import SAMPLERS, Seen

NUM_GUIDED_ASKS = 10
"""So many points of a trial come from the sampler; further ones are drawn at random."""


class Study:
    """Says what each trial of a space is to try, and is told what became of it.

    Args:
        first: Points that are tried right after the default one.
    """

    def __init__(
        self, space: SearchSpace, *, seed: int, first: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.seed = seed
        self.first = [space.default_values(), *map(dict, first)]
        self.trials: dict[int, Seen] = {}

    def ask(self, number: int, attempt: int = 0) -> dict[str, Any]:
        """The values of a trial: the default point, those that come first, then samples.

        Args:
            attempt: How many points of this trial have been turned down, as equal to another's.
        """
        if number < len(self.first) and not attempt:
            return dict(self.first[number])
        # A sampler that names what there is again and again would never name the rest.
        name = self.space.search.sampler if attempt < NUM_GUIDED_ASKS else "random"
        seen = [self.trials[known] for known in sorted(self.trials)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of options called experimental, and of fits
            return SAMPLERS[name](self.space, seen, derive_seed(self.seed, "ask", number, attempt))

    def begin(self, number: int, values: Mapping[str, Any]) -> bool:
        """A trial is under way.

        Returns:
            False where the space, changed since, has no such point; the trial is left out.
        """
        try:
            self.space.recipe(values)
            active = self.space.active(values)
        except HarnessError:
            return False
        point = {path: _within(self.space.space[path], value) for path, value in active.items()}
        self.trials[number] = Seen(point, is_running=True)
        return True

    def note(self, number: int, epoch: float, score: float) -> None:
        """What a trial under way has scored after so many epochs."""
        if number in self.trials and math.isfinite(score):
            self.trials[number].scores[epoch] = score

    def end(
        self,
        number: int,
        outcome: Outcome,
        scores: Mapping[float, float],
        *,
        is_diverged: bool = False,
    ) -> None:
        """How a trial has ended; one that failed by no fault of its values teaches nothing."""
        trial = self.trials.get(number)
        if trial is None:
            return
        trial.is_diverged = is_diverged
        trial.is_running = False
        trial.is_whole = outcome is Outcome.COMPLETED
        has_score = outcome in (Outcome.COMPLETED, Outcome.PRUNED)
        trial.scores = _finite(scores) if has_score else {}


def _finite(scores: Mapping[float, float]) -> dict[float, float]:
    return {epoch: score for epoch, score in scores.items() if math.isfinite(score)}


def _within(parameter: Parameter, value: Any) -> Any:
    """A bound that a logarithm has moved, by less than a float's precision, back in its place."""
    if isinstance(parameter, Choice):
        return value
    return min(max(value, parameter.low), parameter.high)
