"""`predict`: what a network says of images, in the order in which they lie.

Training's validation, the test set and a served model all take their scores from here.
"""

import logging
import math
from collections.abc import Callable

import torch
from torch import Tensor

from harness.core.recipe import Recipe
from harness.data.augment import eval_cut
from harness.data.batches import Batches
from harness.models.zoo import Network
from harness.training.failures import memory_failure
from harness.training.runtime import autocast
from harness.training.thrift import free_memory

log = logging.getLogger(__name__)


@torch.inference_mode()
def predict(
    network: Network,
    batches: Batches,
    recipe: Recipe,
    *,
    after_batch: Callable[[], None] = lambda: None,
) -> tuple[Tensor, Tensor]:
    """(logit_NL, label_NL), float32 on the CPU, in the order of the batches.

    Images do not influence each other here, so a batch that does not fit is cut until it does.
    """
    network.eval()
    logits, labels = [], []
    num_at_once = batches.batch_size
    for image_B1HW, label_BL in batches.epoch(0):
        while (logit_BL := _logits(network, image_B1HW, recipe, num_at_once)) is None:
            num_at_once = math.ceil(num_at_once / 2)
            free_memory()
            log.info("evaluation goes on with %d images at once", num_at_once)
        logits.append(logit_BL)
        labels.append(label_BL)
        after_batch()
    return torch.cat(logits).cpu(), torch.cat(labels).cpu()


def _logits(
    network: Network, image_B1HW: Tensor, recipe: Recipe, num_at_once: int
) -> Tensor | None:
    """Logits (B, L); None where `num_at_once` images, and more than one, do not fit."""
    logits = []
    try:
        for image in image_B1HW.split(num_at_once):
            with autocast(image.device):
                logits.append(network(eval_cut(image, recipe.data)).float())
    except Exception as error:
        if memory_failure(error) is None or num_at_once == 1:
            raise
        return None
    return torch.cat(logits)
