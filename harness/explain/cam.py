"""Grad-CAM: what in an image speaks for a finding.

Selvaraju et al. 2017 (doi:10.1109/ICCV.2017.74), equations 1 and 2: of a layer's activation A and
the logit y of a finding, ReLU(sum over k of a_k A_k), where a_k is the mean over places of dy/dA_k.
The maps are in the coordinates of the whole image: the cut of evaluation is undone, and outside of
it they are 0.

B images, H x W pixels of the whole image, C channels, rows x columns cells G x K.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.core.recipe import DataRecipe, Recipe
from harness.data.augment import eval_cut
from harness.explain.layers import Axis, CamLayer, as_map, cam_layer
from harness.models.zoo import Network


def grad_cam(
    network: Network,
    square_HW: NDArray[np.uint8],
    finding: int,
    recipe: Recipe,
    *,
    layer: str = "",
) -> NDArray[np.float32]:
    """What speaks for a finding in one image.

    Args:
        network: On any device; its parameters and their gradients are left as they are.
        square_HW: The whole image, as a store has it.
        finding: Its place among the network's outputs.
        recipe: That the network was trained by: it says how evaluation cuts images.
        layer: Dotted name of a layer of the backbone, in place of the family's.

    Returns:
        (H, W) in [0, 1], the highest value 1; 0 outside of what the network is shown, and
        everywhere where nothing speaks for the finding.
    """
    return grad_cams(network, square_HW[None], [finding], recipe, layer=layer).heat_BHW[0]


@dataclass(frozen=True, eq=False)
class Cams:
    """The maps of some images.

    Attributes:
        heat_BHW: float32 in [0, 1], as `grad_cam` has it.
        peaks: Place of each map's highest value, x and y in [0, 1] of the whole image: the centre
            of a cell, or the nearest place to it that the network is shown. None where the map is
            all 0.
        layer: Whose activation was weighed.
        grid: Its rows and columns: the maps are no finer than that.
    """

    heat_BHW: NDArray[np.float32]
    peaks: tuple[tuple[float, float] | None, ...]
    layer: str
    grid: tuple[int, int]


def grad_cams(
    network: Network,
    square_BHW: NDArray[np.uint8],
    finding_B: Sequence[int],
    recipe: Recipe,
    *,
    layer: str = "",
) -> Cams:
    """As `grad_cam`, of several images, and of each its own finding."""
    data, chosen = recipe.data, cam_layer(network.backbone, layer)
    image_B1HW = torch.tensor(square_BHW)[:, None].to(network.mean.device)  # may be read-only
    cell_BGK = cells(network, eval_cut(image_B1HW, data), finding_B, layer=chosen)
    heat_BHW = whole_image(cell_BGK, data, size_px=square_BHW.shape[-1], axis=chosen.axis)
    return Cams(
        heat_BHW=_scaled(heat_BHW),
        peaks=tuple(_peak(cell_GK, data, chosen.axis) for cell_GK in cell_BGK.numpy()),
        layer=chosen.name,
        grid=(cell_BGK.shape[1], cell_BGK.shape[2]),
    )


def cells(
    network: Network, image_B1PP: Tensor, finding_B: Sequence[int], *, layer: CamLayer
) -> Tensor:
    """Grad-CAM by cell of the layer, as the formula has it: (B, G, K), 0 or more, on the CPU.

    Args:
        image_B1PP: float32 in [0, 1], as the network is shown it.

    Raises:
        HarnessError: The scores do not rest on the layer, or its output has no rows and columns.
    """
    device = image_B1PP.device
    with (
        _in_evaluation(network),
        torch.inference_mode(mode=False),  # whatever the caller is in
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
    ):
        logit_BL, activation = _logits_from(network, image_B1PP, layer)
        chosen_B1 = torch.as_tensor(list(finding_B), device=device)[:, None]
        # In evaluation an image's logits depend on no other image, so one sum has all gradients.
        (gradient,) = torch.autograd.grad(
            logit_BL.gather(1, chosen_B1).sum(), activation, allow_unused=True
        )
    if gradient is None:
        raise HarnessError(_has_no_say(layer))
    activation_BCGK = as_map(activation.detach(), network.backbone, layer.name).float()
    weight_BC11 = as_map(gradient, network.backbone, layer.name).float().mean((2, 3), keepdim=True)
    return (weight_BC11 * activation_BCGK).sum(dim=1).relu().cpu()


def _logits_from(network: nn.Module, image_B1PP: Tensor, layer: CamLayer) -> tuple[Tensor, Tensor]:
    """Logits as a function of the layer's activation alone, and that activation.

    Nothing before the layer is recorded: an image costs little more than its scores.

    Raises:
        HarnessError: The network does not use the layer, or what it gives is no tensor.
    """
    seen: list[Tensor] = []
    own_thread = threading.get_ident()

    def cut(module: nn.Module, inputs: object, output: object) -> Tensor | None:
        del module, inputs
        is_ours = threading.get_ident() == own_thread  # not another user of the same network
        if not is_ours or not isinstance(output, Tensor):
            return None
        torch.set_grad_enabled(True)  # until the `no_grad` below ends
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()  # what comes next may write into it

    handle = layer.module.register_forward_hook(cut)
    try:
        with torch.no_grad():
            logit_BL: Tensor = network(image_B1PP)
    finally:
        handle.remove()
    if not seen:
        raise HarnessError(_has_no_say(layer))
    return logit_BL, seen[-1]


def _has_no_say(layer: CamLayer) -> str:
    return f"--layer {layer.name}: no tensor that it gives has a say in the scores; name another"


@contextmanager
def _in_evaluation(network: nn.Module) -> Iterator[None]:
    if not network.training:
        yield
        return
    network.eval()
    try:
        yield
    finally:
        network.train()


# The whole image ----------------------------------------------------------------------------


def whole_image(
    cell_BGK: Tensor, data: DataRecipe, *, size_px: int, axis: Axis | None
) -> NDArray[np.float32]:
    """Cells spread linearly over the whole image: (B, size_px, size_px), the cut undone.

    Args:
        data: How the image was cut.
        axis: Where the cells lie in what the network was shown; None for an even division.
    """
    num_rows, num_columns = cell_BGK.shape[1:]
    row_HG = _spread(num_rows, data, size_px=size_px, axis=axis)
    column_WK = _spread(num_columns, data, size_px=size_px, axis=axis)
    cell = cell_BGK.numpy().astype(np.float64)
    return (row_HG @ cell @ column_WK.T).astype(np.float32)


def _spread(
    num_cells: int, data: DataRecipe, *, size_px: int, axis: Axis | None
) -> NDArray[np.float64]:
    """How much of each cell each pixel has, (size_px, num_cells): rows add up to 1, or are 0."""
    axis = axis or _even(num_cells, data)
    seen_px = (np.arange(size_px) + 0.5) * data.resize_px / size_px - _start_px(data)
    place = np.clip((seen_px - axis.first_px) / axis.step_px, 0, num_cells - 1)
    weight = np.maximum(1 - np.abs(place[:, None] - np.arange(num_cells)), 0)
    is_seen = (seen_px >= 0) & (seen_px < data.input_px)
    return weight * is_seen[:, None]


def _peak(
    cell_GK: NDArray[np.float32], data: DataRecipe, axis: Axis | None
) -> tuple[float, float] | None:
    """Where a map is highest: between the centres of cells it is never higher than at one."""
    if cell_GK.max() <= 0:
        return None
    row, column = np.unravel_index(cell_GK.argmax(), cell_GK.shape)
    rows, columns = (axis or _even(num, data) for num in cell_GK.shape)
    x_px, y_px = (
        min(max(each.first_px + each.step_px * int(place), 0.0), float(data.input_px))
        for each, place in ((columns, column), (rows, row))
    )
    start_px = _start_px(data)
    return (x_px + start_px) / data.resize_px, (y_px + start_px) / data.resize_px


def _even(num_cells: int, data: DataRecipe) -> Axis:
    """Cells that divide what the network is shown."""
    step_px = data.input_px / num_cells
    return Axis(first_px=step_px / 2, step_px=step_px)


def _start_px(data: DataRecipe) -> int:
    """Where the cut begins in the resized image, as `eval_cut` has it."""
    return round((data.resize_px - data.input_px) / 2)


def _scaled(heat_BHW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each map divided by its highest value; one of zeros stays so."""
    most_B11 = heat_BHW.max(axis=(1, 2), keepdims=True)
    most_B11[most_B11 <= 0] = 1
    return heat_BHW / most_B11
