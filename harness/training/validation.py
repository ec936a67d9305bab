"""`validate`: what the validation part says of a network as it is now.

Shapes: N images of the part, L findings.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from harness.core.recipe import Recipe
from harness.data.batches import Batches
from harness.evaluation.metrics import macro_auroc
from harness.models.zoo import Network
from harness.training.losses import Loss
from harness.training.predict import predict


@dataclass(frozen=True, eq=False)
class Validation:
    """What was found.

    Attributes:
        metrics: `val/loss`, `val/bce` and `val/auroc_macro`; none of them where the loss or a score
            is not finite.
        score_NL: float32, in the order of the part.
    """

    metrics: dict[str, float]
    score_NL: NDArray[np.float32]

    @property
    def is_finite(self) -> bool:
        """True where the loss and all scores are."""
        return bool(self.metrics)


def validate(
    network: Network,
    batches: Batches,
    recipe: Recipe,
    loss: Loss,
    *,
    after_batch: Callable[[], None] = lambda: None,
) -> Validation:
    """Score every image of `batches`; draws nothing, and moves no statistics of the network."""
    logit_NL, label_NL = predict(network, batches, recipe, after_batch=after_batch)
    is_known_NL = ~label_NL.isnan()
    # The loss is a mean over all labels, in which one that is not known counts as 0.
    mean_loss = float(loss(logit_NL, label_NL)) / float(is_known_NL.double().mean())
    score_NL: NDArray[np.float32] = torch.sigmoid(logit_NL).numpy()
    if not (np.isfinite(mean_loss) and np.isfinite(score_NL).all()):
        return Validation({}, score_NL)
    bce = F.binary_cross_entropy_with_logits(logit_NL[is_known_NL], label_NL[is_known_NL])
    metrics = {
        "val/loss": mean_loss,
        "val/bce": float(bce),
        "val/auroc_macro": macro_auroc(score_NL, (label_NL == 1).numpy(), is_known_NL.numpy()),
    }
    return Validation(metrics, score_NL)
