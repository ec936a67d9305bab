import logging

import pytest
import torch
from timm.data import resolve_model_data_config
from torch import nn

from harness.core.errors import HarnessError
from harness.core.recipe import ModelRecipe
from harness.models.zoo import GRAY_MEAN, GRAY_STD, Network, build_network


def build(
    name: str, *, weights: str = "none", drop_path: float = 0.0, input_px: int = 64, seed: int = 0
) -> Network:
    recipe = ModelRecipe(name=name, weights=weights, drop_path=drop_path)
    return build_network(recipe, num_findings=14, input_px=input_px, seed=seed)


def tensors(network: Network) -> dict[str, torch.Tensor]:
    return network.backbone.state_dict()


def test_gray_becomes_three_normalised_channels() -> None:
    network = build("densenet121.tv_in1k").eval()
    config = resolve_model_data_config(network.backbone)
    assert config["mean"] == (0.485, 0.456, 0.406)
    seen = []

    class Eye(nn.Module):
        def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
            seen.append(image_BCHW)
            return image_BCHW.mean(dim=(2, 3))

    image = torch.rand(2, 1, 8, 8)
    network.backbone = Eye()
    network(image)
    for channel in range(3):
        expected = (image[:, 0] - config["mean"][channel]) / config["std"][channel]
        torch.testing.assert_close(seen[0][:, channel], expected)


def test_preprocessing_is_the_model_s_own() -> None:
    mean = build("vit_small_patch16_224.augreg_in21k_ft_in1k").mean.flatten()
    assert mean.tolist() == [0.5, 0.5, 0.5]
    mini = build("densenet_mini")
    assert mini.mean.flatten().tolist() == [GRAY_MEAN] * 3
    assert mini.std.flatten().tolist() == [GRAY_STD] * 3


def test_the_logits_are_the_backbone_s() -> None:
    network = build("densenet_mini").eval()
    image = torch.rand(3, 1, 64, 64)
    expected = network.backbone(((image - GRAY_MEAN) / GRAY_STD).repeat(1, 3, 1, 1))
    torch.testing.assert_close(network(image), expected)


def test_saved_names_are_timm_s() -> None:
    names = tensors(build("densenet121"))
    assert "features.conv0.weight" in names
    assert "classifier.weight" in names
    network = build("vit_mini")
    assert set(network.state_dict()) == {f"backbone.{name}" for name in tensors(network)}


@pytest.mark.parametrize("name", ["densenet_mini", "vit_mini"])
def test_the_seed_alone_decides_random_weights(name: str) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = tensors(build(name, seed=5))
    assert torch.equal(torch.get_rng_state(), before), "global state moved"
    torch.rand(3)
    again, other = tensors(build(name, seed=5)), tensors(build(name, seed=6))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
    assert build(name).weights_note == "random"


def test_what_it_started_from_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="harness.models.zoo"):
        build("vit_mini")
    assert "vit_mini: random" in caplog.text


def test_stochastic_depth_grows_with_depth() -> None:
    backbone = build("vit_mini", drop_path=0.3).backbone
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in backbone.blocks]
    assert rates[0] == 0.0
    assert rates[-1] == pytest.approx(0.3)
    assert rates == sorted(rates)


@pytest.mark.parametrize("input_px", [64, 96])
def test_position_embeddings_follow_the_input(input_px: int) -> None:
    backbone = build("vit_small_patch16_224", input_px=input_px).backbone
    assert backbone.pos_embed.shape[1] == (input_px // 16) ** 2 + 1


@pytest.mark.parametrize(
    ("recipe", "input_px", "said"),
    [
        ({"name": "densnet121"}, 64, "did you mean 'densenet121'"),
        ({"name": "densenet_minni"}, 64, "did you mean 'densenet_mini'"),
        ({"name": "densenet121.tv_in2k"}, 64, "did you mean 'densenet121.tv_in1k'"),
        ({"name": "densenet121", "drop_path": 0.2}, 64, "model.drop_path 0.2"),
        ({"name": "densenet_mini", "drop_path": 0.2}, 64, "model.drop_path 0.2"),
        ({"name": "densenet_mini", "weights": "imagenet"}, 64, "no imagenet weights"),
        ({"name": "densenet121", "weights": "imagenet"}, 64, "densenet121.tv_in1k"),
        ({"name": "vit_small_patch16_224"}, 100, "not a multiple of the 16 px patches"),
        ({"name": "vit_mini"}, 60, "not a multiple"),
        ({"name": "densenet121"}, 16, "at least 32"),
    ],
)
def test_mistakes_get_one_line(recipe: dict[str, object], input_px: int, said: str) -> None:
    recipe = {"weights": "none", **recipe}
    with pytest.raises(HarnessError) as raised:
        build_network(
            ModelRecipe.model_validate(recipe), num_findings=14, input_px=input_px, seed=0
        )
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
