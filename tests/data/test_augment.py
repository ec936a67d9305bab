"""Every image is compared with what torchvision's own functions make of it."""

import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from harness.core.recipe import AugmentRecipe, DataRecipe
from harness.data.augment import (
    AugmentParameters,
    _resize_by_matrices,
    apply_parameters,
    augment,
    draw_parameters,
    eval_cut,
)

SIZES = [(64, 64, 64), (96, 80, 64), (256, 256, 224), (300, 260, 96)]


def images(num_images: int, height_px: int, width_px: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(
        0, 256, (num_images, 1, height_px, width_px), dtype=torch.uint8, generator=generator
    )


def cut(input_px: int, resize_px: int | None = None) -> DataRecipe:
    return DataRecipe(resize_px=resize_px or input_px, input_px=input_px)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_torchvision(image_1HW: Tensor, p: AugmentParameters, row: int, input_px: int) -> Tensor:
    assert p.box_B4 is not None
    assert p.flip_B is not None
    assert p.brightness_B is not None
    assert p.contrast_B is not None
    assert p.is_brightness_first_B is not None
    image = tv.resized_crop(
        image_1HW.float() / 255, *p.box_B4[row].tolist(), size=[input_px] * 2, antialias=True
    )
    if p.flip_B[row]:
        image = tv.horizontal_flip(image)
    brightness, contrast = p.brightness_B[row].item(), p.contrast_B[row].item()
    if p.is_brightness_first_B[row]:
        return tv.adjust_contrast(tv.adjust_brightness(image, brightness), contrast)
    return tv.adjust_brightness(tv.adjust_contrast(image, contrast), brightness)


@pytest.mark.parametrize(("height_px", "width_px", "input_px"), SIZES)
def test_each_image_is_changed_as_torchvision_would(
    height_px: int, width_px: int, input_px: int
) -> None:
    image = images(24, height_px, width_px)
    parameters = draw_parameters(
        24,
        size_px=(height_px, width_px),
        recipe=AugmentRecipe(jitter=0.6),  # strong enough for both clamps to bite
        generator=seeded(),
    )
    ours = apply_parameters(image, parameters, data=cut(input_px))
    assert ours.shape == (24, 1, input_px, input_px)
    assert ours.dtype == torch.float32
    for row in range(24):
        theirs = by_torchvision(image[row], parameters, row, input_px)
        torch.testing.assert_close(ours[row], theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height_px", "width_px", "input_px"), SIZES)
def test_matrices_resize_as_torchvision_at_every_size(
    height_px: int, width_px: int, input_px: int
) -> None:
    image = images(16, height_px, width_px)
    box_B4 = draw_parameters(
        16, size_px=(height_px, width_px), recipe=AugmentRecipe(), generator=seeded(1)
    ).box_B4
    assert box_B4 is not None
    ours = _resize_by_matrices(image, box_B4, input_px)
    for row, box in enumerate(box_B4.tolist()):
        theirs = tv.resized_crop(image[row].float() / 255, *box, size=[input_px] * 2)
        torch.testing.assert_close(ours[row], theirs, atol=1e-5, rtol=0)


def test_boxes_are_distributed_as_torchvision_draws_them() -> None:
    num_images = 3000
    box_B4 = draw_parameters(
        num_images, size_px=(128, 128), recipe=AugmentRecipe(), generator=seeded(2)
    ).box_B4
    assert box_B4 is not None
    transform = v2.RandomResizedCrop(64)
    blank = torch.zeros(1, 128, 128)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        drawn = [transform.make_params([blank]) for _ in range(num_images)]
    for column, name in enumerate(("top", "left", "height", "width")):
        theirs = [parameters[name] for parameters in drawn]
        assert stats.ks_2samp(box_B4[:, column].numpy(), theirs).pvalue > 0.01, name


def test_boxes_lie_inside_a_narrow_image() -> None:
    box_B4 = draw_parameters(
        2000, size_px=(40, 100), recipe=AugmentRecipe(crop_scale_min=0.5), generator=seeded()
    ).box_B4
    assert box_B4 is not None
    top, left, height, width = box_B4.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 40).all()
    assert (left + width <= 100).all()


@pytest.mark.parametrize(
    ("size_px", "box"),
    [((64, 64), [0, 0, 64, 64]), ((60, 200), [0, 60, 60, 80]), ((200, 60), [60, 0, 80, 60])],
)
def test_a_crop_that_never_fits_becomes_the_largest_centred_one(
    size_px: tuple[int, int], box: list[int]
) -> None:
    recipe = AugmentRecipe(crop_scale_min=1)
    box_B4 = draw_parameters(50, size_px=size_px, recipe=recipe, generator=seeded()).box_B4
    assert box_B4 is not None
    assert (box_B4 == torch.tensor(box)).all()


@pytest.mark.parametrize("height_px", [64, 100, 256])
@pytest.mark.parametrize(("resize_px", "input_px"), [(64, 64), (80, 64), (73, 64), (256, 224)])
def test_eval_cut_is_resize_and_centre_crop(height_px: int, resize_px: int, input_px: int) -> None:
    image = images(3, height_px, height_px)
    theirs = tv.center_crop(
        tv.resize(image.float() / 255, [resize_px, resize_px], antialias=True), [input_px]
    )
    ours = eval_cut(image, cut(input_px, resize_px))
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    assert ours.is_contiguous()


def test_everything_switched_off_is_the_evaluation_cut() -> None:
    image, data = images(4, 72, 72), cut(64, 72)
    recipe = AugmentRecipe(crop=False, flip=0, jitter=0)
    ours = augment(image, recipe=recipe, data=data, generator=seeded())
    torch.testing.assert_close(ours, eval_cut(image, data), atol=0, rtol=0)


def test_without_a_crop_the_evaluation_cut_is_flipped() -> None:
    image, data = images(4, 72, 72), cut(64, 72)
    recipe = AugmentRecipe(crop=False, flip=1, jitter=0)
    ours = augment(image, recipe=recipe, data=data, generator=seeded())
    torch.testing.assert_close(ours, eval_cut(image, data).flip(-1), atol=0, rtol=0)


def test_the_images_given_are_left_as_they_are() -> None:
    image = images(8, 64, 64)
    augment(image, recipe=AugmentRecipe(), data=cut(64), generator=seeded())
    assert torch.equal(image, images(8, 64, 64))


def test_parameters_follow_the_recipe() -> None:
    parameters = draw_parameters(
        4000, size_px=(64, 64), recipe=AugmentRecipe(flip=0.2, jitter=0.3), generator=seeded()
    )
    assert parameters.flip_B is not None
    assert parameters.brightness_B is not None
    assert parameters.contrast_B is not None
    assert parameters.is_brightness_first_B is not None
    assert parameters.flip_B.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert parameters.is_brightness_first_B.float().mean().item() == pytest.approx(0.5, abs=0.03)
    for factor_B in (parameters.brightness_B, parameters.contrast_B):
        assert stats.kstest(factor_B.numpy(), stats.uniform(0.7, 0.6).cdf).pvalue > 0.01
    assert abs(stats.pearsonr(parameters.brightness_B, parameters.contrast_B)[0]) < 0.05


def test_jitter_does_not_move_the_crops() -> None:
    calm, strong = (
        draw_parameters(
            16, size_px=(64, 64), recipe=AugmentRecipe(jitter=jitter), generator=seeded()
        )
        for jitter in (0.0, 0.5)
    )
    assert calm.brightness_B is None
    assert calm.box_B4 is not None
    assert strong.box_B4 is not None
    assert calm.flip_B is not None
    assert strong.flip_B is not None
    assert torch.equal(calm.box_B4, strong.box_B4)
    assert torch.equal(calm.flip_B, strong.flip_B)


def test_the_generator_alone_decides() -> None:
    image = images(1, 64, 64).expand(6, 1, 64, 64)

    def shown(seed: int) -> Tensor:
        return augment(image, recipe=AugmentRecipe(), data=cut(64), generator=seeded(seed))

    before = torch.get_rng_state()
    first = shown(0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, shown(0))
    assert not torch.equal(first, shown(1))
    assert len(torch.unique(first.flatten(1), dim=0)) == 6, "each image has its own parameters"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("size_px", [64, 256])
def test_a_gpu_shows_the_same(size_px: int) -> None:
    image, data = images(8, size_px, size_px), cut(64)
    on_cpu = augment(image, recipe=AugmentRecipe(), data=data, generator=seeded())
    on_gpu = augment(image.cuda(), recipe=AugmentRecipe(), data=data, generator=seeded())
    assert on_gpu.device.type == "cuda"
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, atol=1e-4, rtol=0)


@pytest.mark.parametrize("flip", [0.0, 0.5])
def test_the_compiled_loop_changes_no_bit(flip: float, monkeypatch: pytest.MonkeyPatch) -> None:
    image = images(12, 128, 120)
    recipe = AugmentRecipe(jitter=0.2, flip=flip)
    by_loop = augment(image, recipe=recipe, data=cut(112), generator=seeded())
    asked = []
    monkeypatch.setattr("importlib.util.find_spec", asked.append)  # as where numba is missing
    without = augment(image, recipe=recipe, data=cut(112), generator=seeded())
    assert asked == ["numba"]
    assert torch.equal(by_loop, without)
