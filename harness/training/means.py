"""`Means`: how a recipe is trained here, which changes none of its numbers beyond rounding."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from harness.core.machine import Speedups
from harness.training.thrift import Thrift

Watch = Callable[[str], AbstractContextManager[object]]
"""Called with the name of a phase of training; the phase is what happens within."""

PHASES = (
    "data", "augmentation", "forward", "backward", "optimizer", "step", "validation", "checkpoint",
)  # fmt: skip
"""`step` stands for the three before it where they are one launch of a CUDA graph."""

_NOTHING = nullcontext()


def unwatched(phase: str) -> AbstractContextManager[object]:
    """A `Watch` that does not look."""
    return _NOTHING


@dataclass(frozen=True)
class Means:
    """What a trainer is given beside the recipe, the network and the images.

    Attributes:
        thrift: How the network is trained so that it fits.
        speedups: What of `torch.compile` and CUDA graphs is used.
        watch: Told of each phase.
        reports_per_epoch: So often an epoch is validated, at its end included.
    """

    thrift: Thrift
    speedups: Speedups = "none"
    watch: Watch = unwatched
    reports_per_epoch: int = 1

    @property
    def does_compile(self) -> bool:
        return self.speedups in ("compile", "both")

    @property
    def has_graphs(self) -> bool:
        return self.speedups in ("graphs", "both")
