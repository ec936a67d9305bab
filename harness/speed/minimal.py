"""The training loop that one would write by hand: no resume, no checks, no micro-batches.

Shapes: B images of a batch, L findings.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.core.recipe import Recipe
from harness.core.seeds import derive_seed
from harness.data.augment import augment


def focal_loss(logit_BL: Tensor, label_BL: Tensor, gamma: float) -> Tensor:
    """Mean focal loss (Lin et al. 2017, eq. 4) with both classes weighed alike."""
    bce_BL = F.binary_cross_entropy_with_logits(logit_BL, label_BL, reduction="none")
    log_wrong_BL = F.logsigmoid((1 - 2 * label_BL) * logit_BL)
    return (torch.exp(gamma * log_wrong_BL) * bce_BL).mean()


def minimal_steps(
    network: nn.Module,
    images: NDArray[np.uint8],
    label_NL: NDArray[np.float32],
    recipe: Recipe,
) -> Iterator[Tensor]:
    """One epoch in the order of the images, on the CPU: the loss of each batch.

    What the recipe says is hard-wired but for its numbers: focal loss, AdamW, a constant rate.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.optim.lr, weight_decay=recipe.optim.weight_decay, fused=True
    )
    generator = torch.Generator().manual_seed(derive_seed(recipe.seed, "augment", 1))
    network.train()
    size = recipe.train.batch_size
    for start in range(0, len(images), size):
        image = torch.from_numpy(images[start : start + size])[:, None]
        label_BL = torch.from_numpy(label_NL[start : start + size])
        image = augment(image, recipe=recipe.augment, data=recipe.data, generator=generator)
        loss = focal_loss(network(image), label_BL, recipe.loss.gamma)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.detach()
