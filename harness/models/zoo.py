"""`build_network`: the network of a recipe, from this project's small ones or from timm.

B images, H x W pixels, L findings.
"""

import logging
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_model_data_config
from timm.models.densenet import DenseNet
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import sha256_of_file
from harness.core.recipe import IMAGENET, RANDOM, ModelRecipe
from harness.models.weights import fetch_pretrained, head_prefix, load_file

logger = logging.getLogger(__name__)

GRAY_MEAN = 0.5
GRAY_STD = 0.25
"""Of the project's own networks: near the mean and spread of chest films scaled to [0, 1]."""


class Network(nn.Module):
    """A backbone that takes gray images in [0, 1].

    Attributes:
        backbone: The timm model; its state dict is what is saved as a run's weights.
        weights_note: What it started from, such as a file's name and hash, or `random`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, *, weights_note: str) -> None:
        super().__init__()
        self.backbone = backbone
        self.weights_note = weights_note
        config = resolve_model_data_config(backbone)
        for name in ("mean", "std"):
            value_1311 = torch.tensor(config[name]).view(1, 3, 1, 1)
            self.register_buffer(name, value_1311, persistent=False)

    def forward(self, image_B1HW: Tensor) -> Tensor:
        """Logits (B, L) of float images in [0, 1]: three equal channels, normalised."""
        image_BCHW = (image_B1HW - self.mean) / self.std
        # A third faster for DenseNets on the CPU, and what tensor cores want.
        logit_BL: Tensor = self.backbone(image_BCHW.contiguous(memory_format=torch.channels_last))
        return logit_BL


def build_network(recipe: ModelRecipe, *, num_findings: int, input_px: int, seed: int) -> Network:
    """The network of a recipe on the CPU, with the weights that it starts from.

    Random weights depend on `seed` alone; torch's global generators are left as they were.

    Raises:
        HarnessError: The name is unknown, the network does not take `input_px` or `drop_path`, or
            the weights cannot be had.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would touch the GPUs' too
        backbone, note = _build_backbone(recipe, num_findings=num_findings, input_px=input_px)
    _check_input_px(backbone, recipe.name, input_px)
    if recipe.weights not in (RANDOM, IMAGENET):
        note = str(load_file(backbone, Path(recipe.weights).expanduser()))
    logger.info("network %s: %s", recipe.name, note)
    return Network(backbone, weights_note=note)


def _build_backbone(
    recipe: ModelRecipe, *, num_findings: int, input_px: int
) -> tuple[nn.Module, str]:
    note = "random"
    options: dict[str, Any] = {"num_classes": num_findings}
    if recipe.drop_path > 0:
        options["drop_path_rate"] = recipe.drop_path
    if recipe.name in NETWORKS:
        if recipe.weights == IMAGENET:
            raise HarnessError(
                f"model.weights: {recipe.name} has no imagenet weights; set it to none or a file"
            )
        create: Callable[..., nn.Module] = NETWORKS[recipe.name]
        options["img_size"] = input_px
    else:
        create = timm.create_model
        config = _pretrained_config(recipe.name)
        options["model_name"] = recipe.name
        if config.fixed_input_size:
            options["img_size"] = input_px
        if recipe.weights == IMAGENET:
            source, note = _imagenet_source(recipe.name, config)
            options |= source
    return _create(create, recipe, options), note


def _create(
    create: Callable[..., nn.Module], recipe: ModelRecipe, options: dict[str, Any]
) -> nn.Module:
    try:
        return create(**options)
    except TypeError as error:
        if "drop_path_rate" not in str(error):
            raise
        raise HarnessError(
            f"model.drop_path {recipe.drop_path}: {recipe.name} has no stochastic depth; "
            "leave it at 0"
        ) from None


def _pretrained_config(name: str) -> Any:
    """timm's `PretrainedCfg` of a name with or without a tag."""
    options = (*NETWORKS, *_timm_names())
    if name not in options:
        raise HarnessError(
            f"model.name: unknown network {name!r}{did_you_mean(name, options)}; "
            f"there are {', '.join(NETWORKS)} and the models of timm"
        )
    return timm.get_pretrained_cfg(name)


@cache
def _timm_names() -> tuple[str, ...]:
    return (*timm.list_models(), *timm.list_pretrained())


def _imagenet_source(name: str, config: Any) -> tuple[dict[str, Any], str]:
    """Options that make timm load the weights that `name`'s tag names, and a note of them."""
    tagged = timm.list_pretrained(f"{name.partition('.')[0]}.*")
    if name not in tagged:
        raise HarnessError(
            f"model.weights: imagenet needs a model.name that says which weights; timm has "
            f"{', '.join(tagged) or f'none for {name!r}'}"
        )
    hub_id = config.hf_hub_id or ""
    path = fetch_pretrained(hub_id)
    note = f"imagenet {hub_id} sha256:{sha256_of_file(path)[:12]}; new head"
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}, note


def _check_input_px(backbone: nn.Module, name: str, input_px: int) -> None:
    """A size that leaves part of an image unread, or nothing of it, is refused."""
    embedding = getattr(backbone, "patch_embed", None)
    patch_px = max(getattr(embedding, "patch_size", (1, 1)))
    if input_px % patch_px:
        raise HarnessError(
            f"data.input_px {input_px} is not a multiple of the {patch_px} px patches of {name}"
        )
    stages = list(getattr(backbone, "feature_info", []))
    smallest_px = max((stage["reduction"] for stage in stages), default=1)
    if input_px < smallest_px:
        raise HarnessError(
            f"data.input_px {input_px} is too small for {name}: at least {smallest_px}"
        )


# Networks of the project --------------------------------------------------------------------


def densenet_mini(num_classes: int, img_size: int, **options: Any) -> nn.Module:
    """A DenseNet for 64 px images that trains in seconds on one CPU core.

    The stem reduces at once by eight, where DenseNet-121's reduces by four: full resolution is
    what costs.
    """
    del img_size  # convolutions take any
    backbone = DenseNet(
        growth_rate=16, block_config=(4, 4), bn_size=4, num_classes=num_classes, **options
    )
    backbone.features.conv0.stride = (4, 4)
    return _with_config(backbone)


class ConvolutionalStem(nn.Module):
    """Tokens of 16 px patches by four strided convolutions, in place of one of 16 px.

    Without them a transformer learns next to nothing from a few thousand images: Xiao et al.
    2021, "Early convolutions help transformers see better".
    """

    WIDTHS = (16, 32, 48, 64)

    def __init__(self, *, img_size: int, embed_dim: int, in_chans: int = 3, **_: Any) -> None:
        super().__init__()
        side = 2 ** len(self.WIDTHS)
        self.patch_size = (side, side)
        self.grid_size = (img_size // side, img_size // side)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        layers: list[nn.Module] = []
        for before, width in pairwise((in_chans, *self.WIDTHS)):
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
        self.proj = nn.Sequential(*layers, nn.Conv2d(self.WIDTHS[-1], embed_dim, 1))

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Tokens (B, patches, embed_dim)."""
        token_BTD: Tensor = self.proj(image_BCHW).flatten(2).transpose(1, 2)
        return token_BTD


def vit_mini(num_classes: int, img_size: int, **options: Any) -> nn.Module:
    """A vision transformer for 64 px images that trains in seconds on one CPU core."""
    backbone = VisionTransformer(
        img_size=img_size,
        patch_size=16,
        embed_layer=ConvolutionalStem,
        embed_dim=64,
        depth=3,
        num_heads=2,
        class_token=False,
        global_pool="avg",
        num_classes=num_classes,
        **options,
    )
    return _with_config(backbone)


def _with_config(backbone: nn.Module) -> nn.Module:
    """`backbone` with the preprocessing that timm writes beside a model's weights."""
    config = {
        "mean": (GRAY_MEAN,) * 3,
        "std": (GRAY_STD,) * 3,
        "classifier": head_prefix(backbone).removesuffix("."),
    }
    backbone.pretrained_cfg = config  # type: ignore[assignment]
    return backbone


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "densenet_mini": densenet_mini,
    "vit_mini": vit_mini,
}
