"""Grad-CAM against its formula, against CAM by the weights, against captum, and at known places."""

import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.core.recipe import DataRecipe, ModelRecipe, Recipe
from harness.data.augment import eval_cut
from harness.explain.cam import cells, grad_cam, grad_cams, whole_image
from harness.explain.layers import Axis, cam_layer
from harness.models.zoo import Network, build_network

CUT = DataRecipe(resize_px=256, input_px=224)


class Linear(nn.Module):
    """Channels by one convolution, each averaged, weighed and added up."""

    def __init__(self, *, stride: int = 1, num_channels: int = 3) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, num_channels, stride, stride, bias=False)
        self.classifier = nn.Linear(num_channels, 2)
        self.feature_info = [{"module": "features"}]
        self.pretrained_cfg = {"mean": (0.0,) * 3, "std": (1.0,) * 3}

    def forward(self, image: Tensor) -> Tensor:
        logit: Tensor = self.classifier(self.features(image).mean((2, 3)))
        return logit


def recipe_of(data: DataRecipe) -> Recipe:
    return Recipe(data=data)


@pytest.fixture
def linear() -> Network:
    torch.manual_seed(0)
    return Network(Linear(), weights_note="").eval()


@pytest.fixture(scope="module")
def densenet() -> Network:
    recipe = ModelRecipe(name="densenet_mini", weights="none")
    return build_network(recipe, num_findings=14, input_px=64, seed=0)


@pytest.fixture(scope="module")
def image_B1PP() -> Tensor:
    return torch.rand((3, 1, 64, 64), generator=torch.Generator().manual_seed(1))


def test_a_linear_network_has_the_map_of_the_formula(linear: Network) -> None:
    image = torch.rand(2, 1, 6, 5)
    found = cells(linear, image, [0, 1], layer=cam_layer(linear.backbone))
    activation = linear.backbone.features(image.expand(-1, 3, -1, -1))
    for row, finding in enumerate((0, 1)):
        weight_C = linear.backbone.classifier.weight[finding] / 30  # of each place, and their mean
        wanted = (weight_C[:, None, None] * activation[row]).sum(0).relu()
        torch.testing.assert_close(found[row], wanted, atol=1e-5, rtol=1e-5)


def test_of_averages_and_weights_it_is_cam(densenet: Network, image_B1PP: Tensor) -> None:
    found = cells(densenet, image_B1PP, [3, 3, 7], layer=cam_layer(densenet.backbone))
    densenet.eval()
    with torch.no_grad():
        features = densenet.backbone.forward_features((image_B1PP - densenet.mean) / densenet.std)
    assert features.min() == 0, "the features come before their ReLU"
    weight_BC = densenet.backbone.classifier.weight[[3, 3, 7]]
    cam = torch.einsum("bc,bcgk->bgk", weight_BC, features).relu()
    torch.testing.assert_close(found * found[0].numel(), cam, atol=1e-4, rtol=1e-4)


def test_captum_finds_the_same(densenet: Network, image_B1PP: Tensor) -> None:
    densenet.eval()
    theirs = LayerGradCam(densenet, densenet.backbone.features.norm5).attribute(
        image_B1PP, target=5, relu_attributions=True
    )
    ours = cells(densenet, image_B1PP, [5] * 3, layer=cam_layer(densenet.backbone))
    torch.testing.assert_close(ours, theirs[:, 0].detach(), atol=1e-6, rtol=1e-4)


def test_tokens_of_a_transformer_are_weighed_as_a_map(image_B1PP: Tensor) -> None:
    """By hand; the class token has no place."""
    recipe = ModelRecipe(name="vit_tiny_patch16_224", weights="none")
    network = build_network(recipe, num_findings=14, input_px=64, seed=0).eval()
    found = cells(network, image_B1PP, [2] * 3, layer=cam_layer(network.backbone))
    kept: list[Tensor] = []
    norm = network.backbone.blocks[-1].norm1
    handle = norm.register_forward_hook(lambda module, inputs, output: kept.append(output))
    logit = network(image_B1PP)
    handle.remove()
    (gradient,) = torch.autograd.grad(logit[:, 2].sum(), kept[0])
    token, slope = kept[0][:, 1:], gradient[:, 1:]
    wanted = (token * slope.mean(1, keepdim=True)).sum(2).relu().reshape(3, 4, 4)
    assert wanted.max() > 0
    torch.testing.assert_close(found, wanted.detach(), atol=1e-6, rtol=1e-4)


def test_a_blob_is_found_at_its_pixel_and_nothing_outside_of_the_cut() -> None:
    network = Network(Linear(stride=8, num_channels=1), weights_note="")
    nn.init.ones_(network.backbone.features.weight)
    nn.init.ones_(network.backbone.classifier.weight)
    square = np.zeros((256, 256), dtype=np.uint8)
    square[96:104, 176:184] = 255  # a cell of 8 px, as 16 px are cut off on each side
    found = grad_cams(network, square[None], [0], recipe_of(CUT))
    assert found.grid == (28, 28)
    assert found.peaks == ((180 / 256, 100 / 256),)
    (heat,) = found.heat_BHW
    rows, columns = np.nonzero(heat == heat.max())
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == (100, 180)
    assert (heat.min(), heat.max()) == (0, 1)
    square[0, 0] = 255
    assert grad_cam(network, square, 0, recipe_of(CUT))[0, 0] == 0


@pytest.mark.parametrize("size_px", [64, 128, 300])
def test_the_whole_image_may_have_any_size(size_px: int) -> None:
    heat = whole_image(torch.ones(1, 7, 7), CUT, size_px=size_px, axis=None)[0]
    inside = (np.arange(size_px) + 0.5) * 256 / size_px
    is_seen = (inside >= 16) & (inside < 240)
    np.testing.assert_allclose(heat, np.outer(is_seen, is_seen), atol=1e-6)


def test_cells_are_spread_as_torch_would_spread_them() -> None:
    cell = torch.rand(1, 4, 4)
    data = DataRecipe(resize_px=64, input_px=64)
    heat = whole_image(cell, data, size_px=64, axis=None)
    wanted = F.interpolate(cell[None], size=(64, 64), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(heat, wanted[0].numpy(), atol=1e-6)


def test_cells_stand_where_their_axis_says() -> None:
    cell = torch.zeros(1, 4, 4)
    cell[0, 0, 3] = 1
    data = DataRecipe(resize_px=64, input_px=64)
    heat = whole_image(cell, data, size_px=64, axis=Axis(first_px=4.5, step_px=16))[0]
    assert heat[4, 52] == heat.max() == 1


def test_a_network_is_left_as_it_was(densenet: Network, image_B1PP: Tensor) -> None:
    densenet.train()
    before = {name: value.clone() for name, value in densenet.state_dict().items()}
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            cells(densenet, image_B1PP, [0] * 3, layer=cam_layer(densenet.backbone))
            assert not torch.is_grad_enabled()
    assert densenet.training
    assert all(value.grad is None for value in densenet.parameters())
    assert all(torch.equal(value, before[name]) for name, value in densenet.state_dict().items())
    assert not densenet.backbone.features.norm5._forward_hooks


def test_again_gives_the_same_and_another_finding_another_map(densenet: Network) -> None:
    rng = np.random.default_rng(0)
    square = rng.integers(0, 255, (64, 64), dtype=np.uint8)
    recipe = recipe_of(DataRecipe(resize_px=64, input_px=64))
    maps = [grad_cam(densenet, square, finding, recipe) for finding in range(14)]
    np.testing.assert_array_equal(maps[0], grad_cam(densenet, square, 0, recipe))
    assert maps[0].shape == (64, 64)
    assert maps[0].dtype == np.float32
    assert len({each.tobytes() for each in maps}) > 10  # but for those of zeros


@pytest.mark.filterwarnings("error")
def test_an_image_that_may_not_be_written_to_is_left_alone(densenet: Network) -> None:
    square_HW = np.zeros((64, 64), dtype=np.uint8)
    square_HW.setflags(write=False)
    recipe = recipe_of(DataRecipe(resize_px=64, input_px=64))
    assert grad_cam(densenet, square_HW, 0, recipe).shape == (64, 64)


def test_where_nothing_speaks_for_a_finding_the_map_is_0() -> None:
    network = Network(Linear(num_channels=1), weights_note="")
    nn.init.ones_(network.backbone.features.weight)
    nn.init.constant_(network.backbone.classifier.weight, -1)
    square = np.full((1, 64, 64), 200, dtype=np.uint8)
    found = grad_cams(network, square, [1], recipe_of(DataRecipe(resize_px=64, input_px=64)))
    assert found.heat_BHW.max() == 0
    assert found.peaks == (None,)


class Idle(Linear):
    """With a layer that is not called, one that is called for nothing, and one of two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.idle, self.vain, self.both = (
            nn.Identity(),
            nn.Identity(),
            nn.MaxPool2d(2, 2, 0, 1, True),
        )

    def forward(self, image: Tensor) -> Tensor:
        self.vain(self.features(image))
        return super().forward(self.both(image)[0])


@pytest.mark.parametrize("layer", ["idle", "vain", "both"])
def test_a_layer_that_has_no_say_is_told(layer: str) -> None:
    network = Network(Idle(), weights_note="").eval()
    image = torch.rand(2, 1, 6, 6)
    with pytest.raises(HarnessError, match=f"--layer {layer}: no tensor that it gives has a say"):
        cells(network, image, [0, 1], layer=cam_layer(network.backbone, layer))


def test_two_threads_may_share_a_network(densenet: Network) -> None:
    densenet.eval()
    data = DataRecipe(resize_px=64, input_px=64)
    square = np.random.default_rng(0).integers(0, 255, (2, 64, 64), dtype=np.uint8)
    wanted = [grad_cam(densenet, square[row], row, recipe_of(data)) for row in (0, 1)]
    image = eval_cut(torch.from_numpy(square[:, None]), data)
    wrong: list[str] = []

    def use(row: int) -> None:
        for _ in range(10):
            found = grad_cam(densenet, square[row], row, recipe_of(data))
            if not np.allclose(found, wanted[row], atol=1e-5):
                wrong.append(f"map of {row}")
            with torch.no_grad():
                if densenet(image).requires_grad:
                    wrong.append(f"scores of {row}")

    threads = [threading.Thread(target=use, args=(row,)) for row in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
