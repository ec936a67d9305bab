"""Which trials go on: asynchronous successive halving, and no Ray.

The rule is that of Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"
(arXiv 1810.05934, section 3), in the stopping form that Ray's `ASHAScheduler` has by default, with
one bracket. Given the same reports of consecutive epochs the two decide alike (read and tested
against Ray 2.60), except that here, by intent:

- a trial that has come to its last epoch is never ended: there is nothing left to save;
- a score that is not finite ends its trial and is not recorded; in Ray a NaN goes on, for ever;
- a report that passes two new rungs at once (reports were lost) counts for both of them; in Ray it
  counts for the higher, and the trial's next report for the lower;
- a rung that a trial has passed or failed answers the same when it is asked again;
- the first rung ends nobody until it has proved itself: until of `NUM_TO_PROVE` trials that have
  come to the second the ranks at both agree (Spearman's coefficient is `MIN_AGREEMENT` at least).
  Where early scores say nothing of later ones, or the contrary (warm-up, curves that cross), it
  would end the best. Rankings that agree between rungs are what Bohdal, Balles, Wistuba, Ermis,
  Archambeau, Zappella 2023, "PASHA" (arXiv 2207.06940), too, take as the sign to believe them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import rankdata

from harness.core.parameters import SearchSettings

NUM_TO_PROVE = 6
MIN_AGREEMENT = 0.5


@dataclass
class Rung:
    """The trials that have come to one epoch: their scores then, and which of them went on.

    With several reports an epoch it may lie within one: epoch 0.25 is a quarter of the first.
    """

    epoch: float
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


def rung_epochs(settings: SearchSettings, num_epochs: int) -> list[float]:
    """`grace_epochs * reduction_factor ** k`, below `num_epochs`.

    Counted in reports, so that a rung is at the very number that a report tells.
    """
    per_epoch = settings.reports_per_epoch
    epochs, num_reports = [], max(1, round(settings.grace_epochs * per_epoch))
    while num_reports < num_epochs * per_epoch:
        epochs.append(num_reports / per_epoch)
        num_reports *= settings.reduction_factor
    return epochs


class Asha:
    """The rungs of a search, and what was decided at each.

    With scheduler `none` there are no rungs, and every trial goes on.

    Args:
        num_to_prove: Trials that show whether the first rung can be believed; with 0 it is, unseen.
    """

    def __init__(
        self, settings: SearchSettings, *, num_epochs: int, num_to_prove: int = NUM_TO_PROVE
    ) -> None:
        self.num_epochs = num_epochs
        self.num_to_prove = num_to_prove
        epochs = rung_epochs(settings, num_epochs) if settings.scheduler == "asha" else []
        cutoff_percent = (1 - 1 / settings.reduction_factor) * 100
        self.rungs = [Rung(epoch, cutoff_percent) for epoch in epochs]

    def goes_on(self, name: str, epoch: float, score: float) -> bool:
        """True where the trial may train on, given its score (higher is better) after `epoch`.

        A rung counts the first report at its epoch or after; asked again, it answers the same.
        """
        return self._take(name, epoch, score)

    def replay(
        self, name: str, scores_by_epoch: Mapping[float, float], *, went_on: bool | None = None
    ) -> bool:
        """Take in what an earlier process saw of a trial; True where the trial may train on.

        The trial evidently went on at each rung that a later epoch follows. What was decided at
        the rung of its very last epoch its scores do not tell: `went_on` says it where that is
        known; else it is decided now, against all that is recorded by now.
        """
        last = max(scores_by_epoch, default=0.0)
        goes_on = True
        for epoch in sorted(scores_by_epoch):
            known = went_on if epoch == last else True
            goes_on = self._take(name, epoch, scores_by_epoch[epoch], known)
        return goes_on

    def _take(self, name: str, epoch: float, score: float, known: bool | None = None) -> bool:
        if not math.isfinite(score):
            return epoch >= self.num_epochs
        reached = [rung for rung in self.rungs if rung.epoch <= epoch]
        for rung in reached:
            is_believed = rung is not self.rungs[0] or self._has_proved_itself()
            rung.decide(name, score, known if is_believed or known is not None else True)
        return epoch >= self.num_epochs or all(rung.went_on[name] for rung in reached)

    def _has_proved_itself(self) -> bool:
        """True where the first rung ranks trials as the second does; asked while it is open."""
        if not self.num_to_prove or len(self.rungs) < 2:
            return True
        first, second = (rung.scores for rung in self.rungs[:2])
        both = sorted(first.keys() & second.keys())
        if len(both) < self.num_to_prove:
            return False
        rank_2N = rankdata(
            [[first[name] for name in both], [second[name] for name in both]], axis=1
        )
        spread_2 = rank_2N.std(axis=1)
        if not spread_2.all():
            return False  # all alike: nothing is ranked
        return bool(np.corrcoef(rank_2N)[0, 1] >= MIN_AGREEMENT)
