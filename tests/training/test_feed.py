"""Batches that are changed together are changed as each would be alone."""

import pytest
import torch

from harness.core.recipe import Recipe
from harness.data.augment import augment
from harness.data.batches import Batches
from harness.training.feed import shown

SMALL = {"data.resize_px": 32, "data.input_px": 32}


@pytest.mark.parametrize(
    "values", [{}, {"augment.crop": False, "augment.flip": 0.0}, {"augment.jitter": 0.0}]
)
@pytest.mark.parametrize("num_together", [1, 3, 50])
def test_groups_change_nothing(num_together, values, toy_store):
    recipe = Recipe().with_values(SMALL | values)
    batches = Batches(toy_store, torch.arange(45).numpy(), batch_size=8, device="cpu", seed=3)
    generator = torch.Generator().manual_seed(0)
    expected = [
        (augment(image, recipe=recipe.augment, data=recipe.data, generator=generator), label)
        for image, label in batches.epoch(2)
    ]
    batches.num_together = num_together
    found = list(shown(batches, 2, recipe, generator=torch.Generator().manual_seed(0)))
    assert len(found) == 6
    for (image, label), (expected_image, expected_label) in zip(found, expected, strict=True):
        assert torch.equal(image, expected_image)
        assert torch.equal(label, expected_label)
