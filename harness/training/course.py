"""`Course`: how far a run has come, which of its epochs is the best, and when it is over."""

import math
from dataclasses import dataclass, field

from harness.core.recipe import TrainRecipe


@dataclass
class Course:
    """How far a run has come. `best_epoch` is the epoch whose weights are kept."""

    epoch: int = 0
    best_epoch: int = 0
    best_metrics: dict[str, float] = field(default_factory=dict)
    duration_s: float = 0.0

    def is_better(self, metrics: dict[str, float], train: TrainRecipe) -> bool:
        """True for metrics whose weights are to be kept, in place of the best epoch's."""
        sign = -1 if train.is_lower_better else 1
        best = self.best_metrics
        return not best or sign * metrics[train.keep] > sign * best[train.keep]

    def is_over(self, train: TrainRecipe) -> bool:
        """True after the last epoch, or after as many without a better one as are borne."""
        stale_epochs = self.epoch - self.best_epoch
        return self.epoch >= train.epochs or stale_epochs >= train.early_stop_epochs


def as_best(metrics: dict[str, float]) -> dict[str, float]:
    """The validation metrics of the epoch whose weights are kept, under the names of such."""
    return {
        f"best/{name.removeprefix('val/')}": value
        for name, value in metrics.items()
        if name.startswith("val/")
    }


def parts_of_an_epoch(num_steps: int, num_parts: int) -> dict[int, int]:
    """`{step: part}`: the steps, from 1, after which so many parts of an epoch are trained.

    The epoch's own end is left out; of parts that end at one step the last stays.
    """
    ends = {math.ceil(part * num_steps / num_parts): part for part in range(1, num_parts)}
    return {step: part for step, part in ends.items() if step < num_steps}
