"""`Means`: how a recipe is trained here, which changes none of its numbers beyond rounding."""

from dataclasses import dataclass

from harness.core.machine import Speedups
from harness.training.thrift import Thrift


@dataclass(frozen=True)
class Means:
    """What a trainer is given beside the recipe, the network and the images.

    Attributes:
        thrift: How the network is trained so that it fits.
        speedups: What of `torch.compile` and CUDA graphs is used.
    """

    thrift: Thrift
    speedups: Speedups = "none"

    @property
    def does_compile(self) -> bool:
        """True where the network is compiled."""
        return self.speedups in ("compile", "both")

    @property
    def has_graphs(self) -> bool:
        """True where a step is one launch of a CUDA graph."""
        return self.speedups in ("graphs", "both")
