"""`Listeners`: who is told of what while a run trains, and how often."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.records import EarlyReport, EpochReport

Watch = Callable[[str], AbstractContextManager[object]]
"""Called with the name of a phase of training; the phase is what happens within."""

PHASES = (
    "data", "augmentation", "forward", "backward", "optimizer", "step", "validation", "checkpoint",
)  # fmt: skip
"""`step` stands for the three before it where they are one launch of a CUDA graph."""

_NOTHING = nullcontext()


def ignore(told: object) -> None:
    """Hears a report, or scores, and does nothing."""


def unwatched(phase: str) -> AbstractContextManager[object]:
    """A `Watch` that does not look."""
    return _NOTHING


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Who is told what; by default nobody.

    `report`, `report_early` and `keep_scores` are called in another thread than the one that
    trains, in order and never two at once; what one of them raises ends the training at its next
    step.

    Attributes:
        report: Told of each epoch, once all of it is on disk.
        report_early: Told the score within an epoch, once it is on disk.
        keep_scores: Told the validation scores, float32 (N, L), of an epoch that is better than
            those before it.
        watch: Told of each phase, in the thread that trains.
        reports_per_epoch: So often an epoch is validated, at its end included.
    """

    report: Callable[[EpochReport], None] = ignore
    report_early: Callable[[EarlyReport], None] = ignore
    keep_scores: Callable[[NDArray[np.float32]], None] = ignore
    watch: Watch = unwatched
    reports_per_epoch: int = 1


NOBODY = Listeners()
