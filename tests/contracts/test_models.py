"""Every network of the project, and the mission's from timm, keeps the promises of the zoo."""

import pytest
import torch
import torch.nn.functional as F
from timm.optim import param_groups_layer_decay

from harness.core.recipe import ModelRecipe
from harness.models.weights import head_prefix
from harness.models.zoo import NETWORKS, Network, build_network

MISSION = ("densenet121", "vit_small_patch16_224")


def build(name: str, input_px: int) -> Network:
    recipe = ModelRecipe(name=name, weights="none")
    return build_network(recipe, num_findings=14, input_px=input_px, seed=0)


@pytest.mark.parametrize("input_px", [64, 224])
@pytest.mark.parametrize("name", [*NETWORKS, *MISSION])
def test_a_batch_gives_logits(name: str, input_px: int) -> None:
    network = build(name, input_px).eval()
    image = torch.rand(2, 1, input_px, input_px)
    with torch.no_grad():
        logit_BL = network(image)
        one_by_one = torch.cat([network(image[:1]), network(image[1:])])
    assert logit_BL.shape == (2, 14)
    assert logit_BL.dtype == torch.float32
    assert logit_BL.isfinite().all()
    torch.testing.assert_close(logit_BL, one_by_one, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(logit_BL[0], logit_BL[1]), "the image makes no difference"


def test_the_largest_gives_logits() -> None:
    network = build("vit_base_patch16_224", 64).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 64, 64)).shape == (1, 14)


@pytest.mark.parametrize("name", [*NETWORKS, *MISSION])
def test_every_parameter_is_trained(name: str) -> None:
    network = build(name, 64)
    logit_BL = network(torch.rand(2, 1, 64, 64))
    F.binary_cross_entropy_with_logits(logit_BL, torch.ones(2, 14)).backward()
    untouched = [key for key, value in network.named_parameters() if value.grad is None]
    assert not untouched


@pytest.mark.parametrize("name", [*NETWORKS, *MISSION])
def test_the_optimiser_and_the_heat_maps_find_their_way(name: str) -> None:
    backbone = build(name, 64).backbone
    assert head_prefix(backbone) in ("classifier.", "head.")
    groups = param_groups_layer_decay(backbone, layer_decay=0.5)
    assert len({group["lr_scale"] for group in groups}) > 2
    features = backbone.forward_features(torch.rand(1, 3, 64, 64))
    assert features.ndim == (4 if hasattr(backbone, "features") else 3)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_small_ones_can_learn(name: str) -> None:
    """16 images with labels of their own are learned by heart."""
    network = build(name, 64)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((16, 1, 64, 64), generator=generator)
    label = torch.rand((16, 14), generator=generator).round()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(network(image), label)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
