"""`Classifier`: a bundle, loaded: images in, scores, probabilities and flags out.

N images, H x W pixels of a square, L findings.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from harness.bundle.bundle import Bundle
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.data.batches import Batches, Images
from harness.data.decode import to_square
from harness.data.radiograph import Radiograph
from harness.evaluation.temperature import apply_temperature
from harness.models.zoo import Network, build_network
from harness.training.build import placed
from harness.training.checkpoint import load_weights
from harness.training.predict import predict
from harness.training.runtime import resolve_device
from harness.training.thrift import EVAL_BATCH_SIZE


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says of one image.

    Attributes:
        score_L: float32, sigmoid, as evaluated; what thresholds apply to.
        probability_L: float32, the score calibrated by the temperature.
        is_flagged_L: The score reaches its threshold; False where there is none.
    """

    score_L: NDArray[np.float32]
    probability_L: NDArray[np.float32]
    is_flagged_L: NDArray[np.bool_]


class Classifier:
    """A network that answers as it was evaluated.

    Attributes:
        network: In evaluation mode, on `device`.
    """

    def __init__(self, bundle: Bundle, network: Network, device: torch.device) -> None:
        self.bundle = bundle
        self.network = network
        self.device = device

    @classmethod
    def load(cls, folder: Path, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> Self:
        """The classifier of a bundle's folder; nothing in it is unpickled.

        Raises:
            HarnessError: The bundle is not whole, or there is no such device.
        """
        return cls.of(Bundle.read(folder), device=device)

    @classmethod
    def of(cls, bundle: Bundle, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> Self:
        """As `load`, of a bundle that has been read."""
        place = resolve_device(Machine(store=bundle.folder, device=device))
        recipe = bundle.recipe.with_values({"model.weights": "none"})  # all are in the file
        network = build_network(
            recipe.model,
            num_findings=len(bundle.findings),
            input_px=recipe.data.input_px,
            seed=0,
        )
        load_weights(bundle.weights, network.backbone)
        return cls(bundle, placed(network, place).eval(), place)

    @property
    def recipe(self) -> Recipe:
        return self.bundle.recipe

    @property
    def findings(self) -> tuple[str, ...]:
        return self.bundle.findings

    @cached_property
    def threshold_L(self) -> NDArray[np.float64]:  # noqa: N802
        """On scores; NaN where a finding has none."""
        found = (self.bundle.thresholds[name] for name in self.findings)
        return np.array([np.nan if one is None else one for one in found])

    @cached_property
    def probability_threshold_L(self) -> NDArray[np.float32]:  # noqa: N802
        """The thresholds as probabilities, to be shown beside them; NaN where there is none."""
        return apply_temperature(self.threshold_L, self.bundle.temperature)

    def square(self, radiograph: Radiograph) -> NDArray[np.uint8]:
        """A radiograph as image stores hold it: uint8, (size_px, size_px)."""
        return to_square(radiograph.pixel_HW, self.bundle.size_px)

    def score(self, squares: Images, *, batch_size: int = EVAL_BATCH_SIZE) -> NDArray[np.float32]:
        """Scores (N, L) of squares (N, size_px, size_px), by the code that evaluates runs."""
        num_images = squares.shape[0]
        if num_images == 0:
            return np.empty((0, len(self.findings)), dtype=np.float32)
        batches = Batches(
            _Unlabelled(squares), np.arange(num_images), batch_size=batch_size, device=self.device
        )
        logit_NL, _ = predict(self.network, batches, self.recipe)
        score_NL: NDArray[np.float32] = torch.sigmoid(logit_NL).numpy()
        return score_NL

    def answer(self, radiograph: Radiograph) -> Answer:
        """What the network says of a radiograph."""
        return self.answers(self.square(radiograph)[None])[0]

    def answers(self, squares: Images) -> list[Answer]:
        """What the network says of each of N squares."""
        score_NL = self.score(squares)
        probability_NL = apply_temperature(score_NL, self.bundle.temperature)
        is_flagged_NL = score_NL >= self.threshold_L  # False beside NaN
        return [
            Answer(*parts) for parts in zip(score_NL, probability_NL, is_flagged_NL, strict=True)
        ]


class _Unlabelled:
    """Squares as `Batches` wants them; nobody looks at the labels."""

    def __init__(self, images: Images) -> None:
        self.images = images
        self.label_NL = np.zeros((images.shape[0], 1), dtype=np.bool_)
        self.is_known_NL = np.zeros_like(self.label_NL)
