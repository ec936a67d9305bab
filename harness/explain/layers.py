"""`cam_layer`: whose activation a network's Grad-CAM weighs, and where its cells lie in the image.

The last layer that still has places: of a DenseNet the features after their ReLU, before they are
averaged; of a vision transformer the tokens that enter the last attention, as its class token takes
nothing from the patches afterwards. Rows and columns of a map are its *cells*.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from timm.models.densenet import DenseNet
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from harness.core.errors import HarnessError, did_you_mean


@dataclass(frozen=True)
class Axis:
    """Where cells lie along the rows, or the columns, of the image that a network is shown.

    Attributes:
        first_px: Centre of the first cell from the image's edge.
        step_px: From a cell to the next.
    """

    first_px: float
    step_px: float


@dataclass(frozen=True, eq=False)
class CamLayer:
    """A layer of a backbone.

    Attributes:
        name: Dotted, as in the backbone's state dict.
        module: Whose output is weighed.
        axis: Of its cells, or None where they divide the image evenly.
    """

    name: str
    module: nn.Module
    axis: Axis | None = None


def cam_layer(backbone: nn.Module, name: str = "") -> CamLayer:
    """The layer of a backbone for Grad-CAM.

    Args:
        name: Of a layer, in place of the one that the network's family has in `LAYERS`.

    Raises:
        HarnessError: There is no such layer, or none is known for this network.
    """
    kind = next((each for each in LAYERS if isinstance(backbone, each)), nn.Module)
    if not (chosen := name or LAYERS[kind].name(backbone)):
        raise HarnessError(f"{type(backbone).__name__}: no layer of it is known; name one: --layer")
    modules = dict(backbone.named_modules())
    if chosen not in modules:
        raise HarnessError(
            f"--layer {chosen}: {type(backbone).__name__} has no such layer"
            f"{did_you_mean(chosen, modules)}"
        )
    return CamLayer(chosen, modules[chosen], LAYERS[kind].axis(backbone, chosen))


def as_map(activation: Tensor, backbone: nn.Module, layer: str) -> Tensor:
    """An activation as a map (B, C, rows, columns); class and register tokens are left out.

    Raises:
        HarnessError: It has no rows and columns.
    """
    if activation.ndim == 4:
        is_last = getattr(backbone, "output_fmt", "NCHW") == "NHWC"
        return activation.permute(0, 3, 1, 2) if is_last else activation
    grid = getattr(getattr(backbone, "patch_embed", None), "grid_size", None)
    if activation.ndim == 3 and grid is not None:
        token_BTC = activation[:, getattr(backbone, "num_prefix_tokens", 0) :]
        if token_BTC.shape[1] == grid[0] * grid[1]:
            return token_BTC.transpose(1, 2).unflatten(2, tuple(grid))
    raise HarnessError(
        f"--layer {layer}: its output of shape {tuple(activation.shape)} has no rows and columns"
    )


# Families ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Family:
    """Networks of one architecture.

    Attributes:
        name: The layer of a backbone for Grad-CAM; empty where it has none.
        axis: Where the cells of a named layer of it lie.
    """

    name: Callable[[Any], str]
    axis: Callable[[Any, str], Axis | None]


def _last_features(backbone: nn.Module) -> str:
    """What timm itself names as the last features."""
    stages = list(getattr(backbone, "feature_info", []))
    return str(stages[-1]["module"]) if stages else ""


def _last_tokens(backbone: VisionTransformer) -> str:
    return f"blocks.{len(backbone.blocks) - 1}.norm1"


def _evenly(backbone: nn.Module, name: str) -> None:
    del backbone, name


def _densenet_axis(backbone: DenseNet, name: str) -> Axis:
    """Of all that strides on the one way to the layer."""
    return strided_axis(_up_to(backbone, name))


def _patch_axis(backbone: VisionTransformer, name: str) -> Axis:
    del name  # tokens stay where they are
    return strided_axis(backbone.patch_embed.modules())


def _up_to(backbone: nn.Module, name: str) -> Iterator[nn.Module]:
    """All modules in their order, until the named one has ended."""
    is_there = False
    for path, module in backbone.named_modules():
        is_within = path == name or path.startswith(f"{name}.")
        if is_there and not is_within:
            return
        is_there = is_there or is_within
        yield module


def strided_axis(modules: Any) -> Axis:
    """Where the receptive fields of the cells have their centres.

    Cell i of a layer with stride s, kernel k and padding p has its centre at the place
    s i + (k - 1) / 2 - p of the layer before (Araujo et al. 2019, doi:10.23915/distill.00021).
    A stem that pads, as DenseNet's does, so has its cells nearer to the top left corner than an
    even division: by 1.5 of 224 px in DenseNet-121, by 3.5 of 64 in `densenet_mini`.
    """
    step, first = 1.0, 0.0
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            stride, kernel, padding = (
                value[0] if isinstance(value, tuple) else int(value)
                for value in (module.stride, module.kernel_size, module.padding)
            )
            first += step * ((kernel - 1) / 2 - padding)
            step *= stride
    return Axis(first_px=first + 0.5, step_px=step)


LAYERS: dict[type[nn.Module], Family] = {
    DenseNet: Family(_last_features, _densenet_axis),
    VisionTransformer: Family(_last_tokens, _patch_axis),
    nn.Module: Family(_last_features, _evenly),
}
"""By class of the backbone; the last one is for all others."""
