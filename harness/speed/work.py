"""`Work`: what `harness speed train` has both loops do, on images of noise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.findings import FINDINGS
from harness.core.recipe import Recipe
from harness.core.run_dir import RunDirectory
from harness.data.batches import Batches
from harness.models.zoo import Network, build_network
from harness.training.means import Means
from harness.training.parts import Parts
from harness.training.thrift import Thrift
from harness.training.trainer import Trainer

NUM_EQUAL = 20
"""Steps whose losses must be equal to the bit; they warm both loops up."""


@dataclass(frozen=True)
class Work:
    """What both loops do: a network trained on random images, `num_timed` steps after the first.

    Attributes:
        stored_px: Side of the images, of which the network is shown `input_px`.
    """

    model: str
    batch_size: int = 8
    stored_px: int = 256
    input_px: int = 224
    num_equal: int = NUM_EQUAL
    num_timed: int = 20
    threads: int = 1

    @property
    def recipe(self) -> Recipe:
        """What both loops train."""
        return Recipe().with_values(
            {
                "model.name": self.model,
                "model.weights": "none",
                "data.resize_px": self.stored_px,
                "data.input_px": self.input_px,
                "train.batch_size": self.batch_size,
            }
        )

    def network(self) -> Network:
        """A new network, each time with the same weights."""
        recipe = self.recipe
        return build_network(
            recipe.model, num_findings=len(FINDINGS), input_px=self.input_px, seed=0
        )

    def store(self) -> "RandomStore":
        """Images for all steps, each seen once."""
        return RandomStore(self.batch_size * (self.num_equal + self.num_timed), self.stored_px)


class RandomStore:
    """Noise with labels, in memory, as batches want it."""

    def __init__(self, num_images: int, size_px: int) -> None:
        rng = np.random.default_rng(0)
        self.images: NDArray[np.uint8] = rng.integers(
            0, 256, (num_images, size_px, size_px), dtype=np.uint8
        )
        self.label_NL = rng.random((num_images, len(FINDINGS))) < 0.1
        self.is_known_NL = np.ones_like(self.label_NL)


def make_trainer(work: Work, folder: Path) -> Trainer:
    """The harness's loop of that work, on the CPU."""
    store = work.store()
    index_N = np.arange(len(store.images))
    batches = Batches(store, index_N, batch_size=work.batch_size, device="cpu")
    means = Means(Thrift(work.batch_size))
    parts = Parts(train=batches, val=batches)
    return Trainer(work.recipe, work.network(), parts=parts, run=RunDirectory(folder), means=means)
