"""What a network is shown: random changes of training images, and the cut for evaluation.

torchvision draws one set of parameters per call, so a batch would share one; here every image has
its own. Parameters are drawn first (`draw_parameters`), on the CPU so that they are the same
whatever the device, and applied after (`apply_parameters`), so that each image can be compared with
torchvision's own functions.

Shapes: B images, H x W stored pixels, P = `input_px`.
"""

import dataclasses
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.core.recipe import AugmentRecipe, DataRecipe

LOG_RATIO_MAX = math.log(4 / 3)
NUM_ATTEMPTS = 10
SMALL_PX = 96  # up to here two matrix products beat one resize per image on the CPU


@dataclass(frozen=True, eq=False)
class AugmentParameters:
    """What happens to each of B images; all tensors on the CPU.

    Attributes:
        box_B4: int64, top, left, height, width of the crop in px; None for the evaluation cut.
        flip_B: bool, mirrored left to right; None where nothing is flipped.
        brightness_B: float32 factors; None where neither brightness nor contrast changes.
        contrast_B: float32 factors, None with `brightness_B`.
        is_brightness_first_B: bool, the order of the two, None with `brightness_B`.
    """

    box_B4: Tensor | None
    flip_B: Tensor | None
    brightness_B: Tensor | None
    contrast_B: Tensor | None
    is_brightness_first_B: Tensor | None


def augment(
    image_B1HW: Tensor,
    *,
    recipe: AugmentRecipe,
    data: DataRecipe,
    generator: torch.Generator,
) -> Tensor:
    """The images as shown in training: cut, flipped and jittered, each in its own way.

    Args:
        image_B1HW: uint8, on any device.
        generator: Of the CPU; the only source of randomness.

    Returns:
        float32 in [0, 1], (B, 1, input_px, input_px), on the images' device.
    """
    num_images, _, height_px, width_px = image_B1HW.shape
    parameters = draw_parameters(
        num_images, size_px=(height_px, width_px), recipe=recipe, generator=generator
    )
    return apply_parameters(image_B1HW, parameters, data=data)


@torch.no_grad()
def eval_cut(image_B1HW: Tensor, data: DataRecipe) -> Tensor:
    """The images as shown in evaluation: resized to `resize_px`, the centre `input_px` cut out.

    Args:
        image_B1HW: uint8, on any device.

    Returns:
        float32 in [0, 1], (B, 1, input_px, input_px), on the images' device.
    """
    image = image_B1HW.float().div_(255)
    if image.shape[-2:] != (data.resize_px, data.resize_px):
        image = _resize(image, data.resize_px)
    start = round((data.resize_px - data.input_px) / 2)  # halves to even, as torchvision does
    stop = start + data.input_px
    return image[..., start:stop, start:stop].contiguous()


# Drawing ------------------------------------------------------------------------------------


def draw_parameters(
    num_images: int, *, size_px: tuple[int, int], recipe: AugmentRecipe, generator: torch.Generator
) -> AugmentParameters:
    """One draw per image; what the recipe switches off is drawn all the same.

    So two recipes that differ in their jitter alone crop and flip alike.

    Args:
        size_px: Height and width of the stored images.
        generator: Of the CPU.
    """
    box_B4 = _draw_boxes(
        num_images, size_px=size_px, scale_min=recipe.crop_scale_min, generator=generator
    )
    uniform_4B = torch.rand((4, num_images), generator=generator)
    factor_2B = 1 + recipe.jitter * (2 * uniform_4B[1:3] - 1)
    is_jittered = recipe.jitter > 0
    return AugmentParameters(
        box_B4=box_B4 if recipe.crop else None,
        flip_B=uniform_4B[0] < recipe.flip if recipe.flip > 0 else None,
        brightness_B=factor_2B[0] if is_jittered else None,
        contrast_B=factor_2B[1] if is_jittered else None,
        is_brightness_first_B=uniform_4B[3] < 0.5 if is_jittered else None,
    )


def _draw_boxes(
    num_images: int, *, size_px: tuple[int, int], scale_min: float, generator: torch.Generator
) -> Tensor:
    """Boxes (B, 4) distributed as those of torchvision's `RandomResizedCrop`.

    The area is uniform in [scale_min, 1] of the image, the logarithm of width / height uniform
    between 3/4 and 4/3; of ten attempts the first that fits the image counts, else the largest
    centred box of an allowed ratio.
    """
    height_px, width_px = size_px
    shape = (NUM_ATTEMPTS, num_images)
    uniform_2AB = torch.rand((2, *shape), generator=generator, dtype=torch.float64)
    area = height_px * width_px * (scale_min + (1 - scale_min) * uniform_2AB[0])
    ratio = torch.exp(LOG_RATIO_MAX * (2 * uniform_2AB[1] - 1))
    size_2AB = torch.stack((area / ratio, area * ratio)).sqrt().round().long()
    limit_2 = torch.tensor(size_px)
    does_fit_AB = ((size_2AB > 0) & (size_2AB <= limit_2[:, None, None])).all(dim=0)

    first_B = does_fit_AB.byte().argmax(dim=0)
    size_2B = size_2AB[:, first_B, torch.arange(num_images)]
    place_2B = torch.rand((2, num_images), generator=generator, dtype=torch.float64)
    start_2B = (place_2B * (limit_2[:, None] - size_2B + 1)).long()

    largest_2 = torch.tensor(
        [min(height_px, round(width_px * 4 / 3)), min(width_px, round(height_px * 4 / 3))]
    )
    has_fit_B = does_fit_AB.any(dim=0)
    size_2B = torch.where(has_fit_B, size_2B, largest_2[:, None])
    start_2B = torch.where(has_fit_B, start_2B, ((limit_2 - largest_2) // 2)[:, None])
    return torch.cat((start_2B, size_2B)).T.contiguous()


def joined(parts: Sequence[AugmentParameters]) -> AugmentParameters:
    """The parameters of several batches that are changed at once; all drawn by one recipe."""
    fields: dict[str, Tensor | None] = {}
    for field in dataclasses.fields(AugmentParameters):
        values = [getattr(part, field.name) for part in parts]
        fields[field.name] = None if values[0] is None else torch.cat(values)
    return AugmentParameters(**fields)


# Applying -----------------------------------------------------------------------------------


@torch.no_grad()
def apply_parameters(
    image_B1HW: Tensor, parameters: AugmentParameters, *, data: DataRecipe
) -> Tensor:
    """The uint8 images, changed as the parameters say: float32 in [0, 1], (B, 1, P, P)."""
    cropped = _in_loop(image_B1HW, parameters, data.input_px)
    if cropped is not None:
        return _jitter(cropped, parameters)
    if parameters.box_B4 is None:
        image = eval_cut(image_B1HW, data)
    else:
        image = _crop_and_resize(image_B1HW, parameters.box_B4, data.input_px)
    if parameters.flip_B is not None:
        rows = parameters.flip_B.nonzero()[:, 0].to(image.device)
        image[rows] = image[rows].flip(-1)
    return _jitter(image, parameters)


def _jitter(image: Tensor, parameters: AugmentParameters) -> Tensor:
    """Brightness and contrast in either order, as torchvision's `ColorJitter` on a gray image.

    Brightness is one product, done before or after; the other time its factor is 1, which changes
    nothing.
    """
    if parameters.brightness_B is None:
        return image
    assert parameters.contrast_B is not None
    assert parameters.is_brightness_first_B is not None
    is_first_B = parameters.is_brightness_first_B
    one_B = torch.ones_like(parameters.brightness_B)
    factors_3B = torch.stack(
        (
            torch.where(is_first_B, parameters.brightness_B, one_B),
            parameters.contrast_B,
            torch.where(is_first_B, one_B, parameters.brightness_B),
        )
    )
    before, contrast, after = factors_3B.to(image.device)[:, :, None, None, None]
    image = image.mul_(before).clamp_(max=1)
    mean = image.mean(dim=(-2, -1), keepdim=True)
    image = image.mul_(contrast).add_((1 - contrast) * mean).clamp_(0, 1)
    return image.mul_(after).clamp_(max=1)


def _in_loop(image_B1HW: Tensor, parameters: AugmentParameters, input_px: int) -> Tensor | None:
    """The boxes, resized and flipped by a compiled loop: the same bits, in a seventh of the time.

    None on a GPU, for small images, where much is reduced, and on a node without numba.
    """
    size_px = max(image_B1HW.shape[-2:])
    if image_B1HW.is_cuda or max(size_px, input_px) <= SMALL_PX or parameters.box_B4 is None:
        return None
    if importlib.util.find_spec("numba") is None:
        return None
    from harness.data.crop import MOST_REDUCED, crop  # takes a second, for its compiler

    if size_px > MOST_REDUCED * input_px:
        return None
    flip_B = parameters.flip_B
    if flip_B is None:
        flip_B = torch.zeros(len(image_B1HW), dtype=torch.bool)
    image_BHW = image_B1HW[:, 0].contiguous().numpy()
    crop_BPP = crop(image_BHW, parameters.box_B4.numpy(), flip_B.numpy(), input_px)
    return torch.from_numpy(crop_BPP)[:, None]


def _crop_and_resize(image_B1HW: Tensor, box_B4: Tensor, input_px: int) -> Tensor:
    """Each image's box, resized: float32 in [0, 1], (B, 1, P, P).

    One product of matrices for the whole batch on a GPU and for small images; one resize per image
    for large images on the CPU, where dense matrices cost eight times as much.
    """
    if image_B1HW.is_cuda or max(*image_B1HW.shape[-2:], input_px) <= SMALL_PX:
        return _resize_by_matrices(image_B1HW, box_B4, input_px)
    resized = image_B1HW.new_empty((len(image_B1HW), 1, input_px, input_px), dtype=torch.float32)
    for row, (top, left, height, width) in enumerate(box_B4.tolist()):
        crop = image_B1HW[row, None, :, top : top + height, left : left + width]
        resized[row] = _resize(crop.float(), input_px)[0]
    return resized.div_(255)


def _resize(image_B1HW: Tensor, size_px: int) -> Tensor:
    return F.interpolate(
        image_B1HW, size=(size_px, size_px), mode="bilinear", antialias=True, align_corners=False
    )


def _resize_by_matrices(image_B1HW: Tensor, box_B4: Tensor, input_px: int) -> Tensor:
    """`F.interpolate(antialias=True)` of each box, as rows x image x columns."""
    top_B, left_B, height_B, width_B = box_B4.to(image_B1HW.device).float().T
    _, _, num_rows, num_columns = image_B1HW.shape
    row_BPH = _resize_weights(top_B, height_B, num_in=num_rows, num_out=input_px)
    column_BPW = _resize_weights(left_B, width_B, num_in=num_columns, num_out=input_px)
    image_BHW = image_B1HW[:, 0].float().div_(255)
    with torch.autocast(image_BHW.device.type, enabled=False):
        image_BPP = torch.bmm(torch.bmm(row_BPH, image_BHW), column_BPW.mT)
    return image_BPP[:, None].clamp_(0, 1)  # weights add up to 1 within rounding


def _resize_weights(start_B: Tensor, length_B: Tensor, *, num_in: int, num_out: int) -> Tensor:
    """How much each of `num_in` pixels gives to each of `num_out`: (B, num_out, num_in).

    A triangle as wide as the reduction, at least two pixels, over the pixels of the box, rows
    adding up to 1: the separable filter of PyTorch's `upsample_bilinear2d_aa` (UpSample.h).
    """
    scale_B11 = (length_B / num_out)[:, None, None]
    centre_BP1 = scale_B11 * (torch.arange(num_out, device=start_B.device) + 0.5)[:, None]
    pixel_BN = torch.arange(num_in, device=start_B.device) - start_B[:, None]
    is_inside_BN = (pixel_BN >= 0) & (pixel_BN < length_B[:, None])
    distance_BPN = (pixel_BN[:, None] + 0.5 - centre_BP1).abs_()
    weight_BPN = distance_BPN.div_(scale_B11.clamp(min=1)).neg_().add_(1).clamp_(min=0)
    weight_BPN = weight_BPN.mul_(is_inside_BN[:, None])
    return weight_BPN.div_(weight_BPN.sum(dim=-1, keepdim=True))
