"""Which trials go on: asynchronous successive halving, and no Ray.

The rule is that of Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"
(arXiv 1810.05934, section 3), in the stopping form that Ray's `ASHAScheduler` has by default, with
one bracket. Given the same reports of consecutive epochs the two decide alike (read and tested
against Ray 2.60), except that here, by intent:

- a trial that has come to its last epoch is never ended: there is nothing left to save;
- a score that is not finite ends its trial and is not recorded; in Ray a NaN goes on, for ever;
- a report that passes two new rungs at once (reports were lost) counts for both of them; in Ray it
  counts for the higher, and the trial's next report for the lower;
- a rung that a trial has passed or failed answers the same when it is asked again.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.core.parameters import SearchSettings


@dataclass
class Rung:
    """The trials that have come to one epoch: their scores then, and which of them went on."""

    epoch: int
    cutoff_percent: float
    scores: dict[str, float] = field(default_factory=dict)
    went_on: dict[str, bool] = field(default_factory=dict)

    def decide(self, name: str, score: float, known: bool | None) -> None:
        """Record a trial that is new here; it goes on as `known`, or if the others say so."""
        if name in self.scores:
            return
        self.went_on[name] = self._is_good(score) if known is None else known
        self.scores[name] = score

    def _is_good(self, score: float) -> bool:
        """True for a score that is not below the cutoff of those recorded before it."""
        recorded = list(self.scores.values())
        return not recorded or score >= float(np.percentile(recorded, self.cutoff_percent))


class Asha:
    """The rungs of a search, and what was decided at each.

    The rungs lie at `grace_epochs * reduction_factor ** k` epochs, below `num_epochs`; with
    scheduler `none` there are none, and every trial goes on.
    """

    def __init__(self, settings: SearchSettings, *, num_epochs: int) -> None:
        self.num_epochs = num_epochs
        self.rungs: list[Rung] = []
        epoch = settings.grace_epochs
        while settings.scheduler == "asha" and epoch < num_epochs:
            self.rungs.append(Rung(epoch, (1 - 1 / settings.reduction_factor) * 100))
            epoch *= settings.reduction_factor

    def goes_on(self, name: str, epoch: int, score: float) -> bool:
        """True where the trial may train on, given its score (higher is better) after `epoch`.

        A rung counts the first report at its epoch or after; asked again, it answers the same.
        """
        return self._take(name, epoch, score)

    def replay(
        self, name: str, scores_by_epoch: Mapping[int, float], *, went_on: bool | None = None
    ) -> bool:
        """Take in what an earlier process saw of a trial; True where the trial may train on.

        The trial evidently went on at each rung that a later epoch follows. What was decided at
        the rung of its very last epoch its scores do not tell: `went_on` says it where that is
        known; else it is decided now, against all that is recorded by now.
        """
        last = max(scores_by_epoch, default=0)
        goes_on = True
        for epoch in sorted(scores_by_epoch):
            known = went_on if epoch == last else True
            goes_on = self._take(name, epoch, scores_by_epoch[epoch], known)
        return goes_on

    def _take(self, name: str, epoch: int, score: float, known: bool | None = None) -> bool:
        if not math.isfinite(score):
            return epoch >= self.num_epochs
        reached = [rung for rung in self.rungs if rung.epoch <= epoch]
        for rung in reached:
            rung.decide(name, score, known)
        return epoch >= self.num_epochs or all(rung.went_on[name] for rung in reached)
