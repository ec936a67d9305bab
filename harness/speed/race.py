"""How many trial-epochs a way to search needs, on a clock where each epoch takes one tick.

Four workers train side by side, as asynchronous successive halving has them: whenever a trial has
ended, its worker asks for the next, whatever the others do. No file is written and no Ray started.
"""

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NUM_WORKERS = 4
BUDGET_EPOCHS = 2000


class Contender(Protocol):
    """A way to search."""

    def ask(self, number: int) -> Mapping[str, Any]:
        """What a new trial is to try."""

    def goes_on(self, number: int, epoch: int, score: float) -> bool:
        """Whether a trial trains on, given the best score of its epochs so far."""

    def end(self, number: int, *, is_whole: bool) -> None:
        """A trial is over: it was stopped, or has come to its last epoch."""


@dataclass(frozen=True)
class Finish:
    """How a race went.

    Attributes:
        num_epochs: Of all trials until one was good enough; None where the budget was spent first.
        ask_s: CPU seconds that the contender took to say what is tried, all trials together.
    """

    num_epochs: int | None
    num_trials: int
    ask_s: float

    @property
    def cost_epochs(self) -> int:
        """A miss counts twice the budget."""
        return 2 * BUDGET_EPOCHS if self.num_epochs is None else self.num_epochs


def race(
    contender: Contender, curve_of: Callable[[Mapping[str, Any]], FloatArray], target: float
) -> Finish:
    """Search until a trial scores `target` or the budget is spent.

    Args:
        curve_of: The score after each epoch of a trial, higher is better.
    """
    clock = _Clock(contender, curve_of)
    for worker in range(NUM_WORKERS):
        clock.begin(worker, 0)
    for used in range(1, BUDGET_EPOCHS + 1):
        if clock.tick() >= target:
            return Finish(used, clock.num_trials, clock.ask_s)
    return Finish(None, clock.num_trials, clock.ask_s)


class _Clock:
    """Which worker reports next; of those at the same time, the one with the lowest number."""

    def __init__(
        self, contender: Contender, curve_of: Callable[[Mapping[str, Any]], FloatArray]
    ) -> None:
        self.contender, self.curve_of = contender, curve_of
        self.due: list[tuple[int, int, int, int]] = []
        self.curves: dict[int, FloatArray] = {}
        self.num_trials = 0
        self.ask_s = 0.0

    def begin(self, worker: int, now: int) -> None:
        began = time.process_time()
        values = self.contender.ask(self.num_trials)
        self.ask_s += time.process_time() - began
        self.curves[self.num_trials] = np.maximum.accumulate(self.curve_of(values))
        heapq.heappush(self.due, (now + 1, worker, self.num_trials, 1))
        self.num_trials += 1

    def tick(self) -> float:
        """Train one epoch of one trial; its best score so far."""
        now, worker, number, epoch = heapq.heappop(self.due)
        curve = self.curves[number]
        score = float(curve[epoch - 1])
        is_whole = epoch == len(curve)
        if self.contender.goes_on(number, epoch, score) and not is_whole:
            heapq.heappush(self.due, (now + 1, worker, number, epoch + 1))
        else:
            self.contender.end(number, is_whole=is_whole)
            self.begin(worker, now)
        return score
