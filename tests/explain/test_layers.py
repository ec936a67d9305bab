"""Which layer of a network is weighed, and where its cells lie."""

import pytest
import torch
from timm.models import create_model
from torch import nn

from harness.core.errors import HarnessError
from harness.explain.layers import as_map, cam_layer, strided_axis
from harness.models.zoo import densenet_mini, vit_mini


def test_a_densenet_is_seen_through_its_last_features_after_their_relu() -> None:
    backbone = densenet_mini(14, 64)
    layer = cam_layer(backbone)
    assert layer.name == "features.norm5"
    assert layer.module(torch.randn(2, 112, 4, 4)).min() == 0


def test_a_transformer_is_seen_through_the_tokens_of_its_last_block() -> None:
    assert cam_layer(vit_mini(14, 64)).name == "blocks.2.norm1"


def test_cells_lie_where_receptive_fields_have_their_centres() -> None:
    """Where the pixels that a cell depends on have their middle."""
    torch.manual_seed(0)
    backbone = densenet_mini(14, 64).eval()
    axis = cam_layer(backbone).axis
    assert (axis.first_px, axis.step_px) == (4.5, 16)
    backbone.requires_grad_(False)
    image = torch.rand(8, 3, 192, 192, requires_grad=True)
    backbone.features(image)[:, :, 6, 6].sum().backward()
    weight_PP = image.grad.abs().sum((0, 1))
    place_P = torch.arange(192) + 0.5
    centre_px = float((weight_PP.sum(0) * place_P).sum() / weight_PP.sum())
    assert abs(centre_px - (4.5 + 6 * 16)) < 1, "nearer to an even division, (6 + 1/2) 16"


def test_a_layer_before_a_stride_has_finer_cells() -> None:
    axis = cam_layer(densenet_mini(14, 64), "features.denseblock1").axis
    assert (axis.first_px, axis.step_px) == (0.5, 8)


@pytest.mark.parametrize(
    ("name", "first_px", "step_px"),
    [("densenet121", 14.5, 32), ("vit_tiny_patch16_224", 8, 16)],
)
def test_networks_of_the_mission(name: str, first_px: float, step_px: float) -> None:
    axis = cam_layer(create_model(name)).axis
    assert (axis.first_px, axis.step_px) == (first_px, step_px)


def test_strides_of_one_leave_cells_in_place() -> None:
    assert strided_axis([nn.Conv2d(1, 1, 3, padding=1)]).first_px == 0.5


def test_a_wrong_layer_is_told_with_the_nearest() -> None:
    with pytest.raises(HarnessError, match=r"no such layer \(did you mean 'features.norm5'\?\)"):
        cam_layer(densenet_mini(14, 64), "features.norm6")


def test_a_layer_without_places_is_refused() -> None:
    backbone = densenet_mini(14, 64)
    with pytest.raises(HarnessError, match=r"--layer classifier: .* no rows and columns"):
        as_map(torch.zeros(2, 14), backbone, "classifier")
    with pytest.raises(HarnessError, match="no rows and columns"):
        as_map(torch.zeros(2, 5, 64), vit_mini(14, 64), "blocks.0")


def test_maps_that_end_with_their_channels_are_turned() -> None:
    backbone = nn.Identity()
    backbone.output_fmt = "NHWC"
    assert as_map(torch.zeros(2, 3, 4, 96), backbone, "layers.3").shape == (2, 96, 3, 4)


def test_a_network_of_no_known_layer_is_refused() -> None:
    with pytest.raises(HarnessError, match="name one: --layer"):
        cam_layer(nn.Linear(2, 2))
