"""`shown`: the batches of an epoch as the network is shown them.

Shapes: B images of a batch, L findings, P = `input_px`.
"""

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from harness.core.recipe import Recipe
from harness.data.augment import apply_parameters, draw_parameters, joined
from harness.data.batches import Batches
from harness.training.listeners import Watch, unwatched


def shown(
    batches: Batches,
    epoch: int,
    recipe: Recipe,
    *,
    generator: torch.Generator,
    watch: Watch = unwatched,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images, each changed in its own way, float32 (B, 1, P, P), and labels (B, L).

    Small batches on a GPU are changed several at once (`Batches.num_together`): launching its
    kernels takes longer than they run. Each batch draws as it would alone, so nothing changes.
    """
    source = batches.epoch(epoch)
    while True:
        with watch("data"):
            group = list(islice(source, batches.num_together))
        if not group:
            return
        with watch("augmentation"):
            images = _augmented([image for image, _ in group], recipe, generator)
        yield from zip(images, (label for _, label in group), strict=True)


def _augmented(
    images: list[Tensor], recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, ...]:
    drawn = [
        draw_parameters(
            len(image),
            size_px=(image.shape[-2], image.shape[-1]),
            recipe=recipe.augment,
            generator=generator,
        )
        for image in images
    ]
    if len(images) == 1:
        return (apply_parameters(images[0], drawn[0], data=recipe.data),)
    together = apply_parameters(torch.cat(images), joined(drawn), data=recipe.data)
    return together.split([len(image) for image in images])
