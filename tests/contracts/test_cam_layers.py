"""Grad-CAM works for the network of every shipped space, and for others of timm."""

import numpy as np
import pytest

from harness.core.recipe import DataRecipe, ModelRecipe, Recipe
from harness.core.space import SearchSpace, shipped_spaces
from harness.explain.cam import grad_cams
from harness.models.zoo import NETWORKS, build_network

SHIPPED = {SearchSpace.load(path).base.get("model.name").partition(".")[0]
           for path in shipped_spaces().values()}  # fmt: skip
OTHERS = ("resnet18", "vit_wee_patch16_reg1_gap_256")
"""A plain CNN, and a transformer with registers and no class token."""


@pytest.mark.parametrize("name", sorted({*SHIPPED, *NETWORKS, *OTHERS}))
def test_every_network_has_maps(name: str) -> None:
    input_px = 64
    recipe = Recipe(
        data=DataRecipe(resize_px=input_px, input_px=input_px),
        model=ModelRecipe(name=name, weights="none"),
    )
    network = build_network(recipe.model, num_findings=14, input_px=input_px, seed=0)
    square = np.random.default_rng(0).integers(0, 255, (48, 48), dtype=np.uint8)
    found = grad_cams(network, np.stack([square] * 6), range(6), recipe)
    assert found.layer
    assert min(found.grid) >= 2
    assert found.heat_BHW.shape == (6, 48, 48)
    assert found.heat_BHW.min() >= 0
    assert found.heat_BHW.max() == pytest.approx(1)
    assert len({heat.tobytes() for heat in found.heat_BHW}) > 1, "all findings have one map"
    for heat, peak in zip(found.heat_BHW, found.peaks, strict=True):
        assert (peak is None) == (heat.max() == 0)
