import numpy as np
import pytest
import torch
from torch.nn import functional as F

from harness.data.checks.pictures import CHUNK_IMAGES, THUMB_PX, measure


def film(size_px: int = 64) -> np.ndarray:
    """Two dark lungs in a bright chest on black."""
    image = np.full((size_px, size_px), 20, np.uint8)
    unit = size_px // 16
    image[unit : 15 * unit, unit : 15 * unit] = 200
    image[4 * unit : 12 * unit, 3 * unit : 7 * unit] = 60
    image[4 * unit : 12 * unit, 9 * unit : 13 * unit] = 60
    return image


def test_a_thumbnail_is_the_mean_of_each_cell():
    image = np.arange(64 * 64).reshape(1, 64, 64).astype(np.uint8)
    expected = image.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(measure(image).thumb_NTT[0] - expected).max() <= 0.5


@pytest.mark.parametrize("size_px", [28, 64, 224, 300, 1000])
def test_thumbnails_are_those_of_pytorch_s_pooling(size_px):
    image = np.random.default_rng(0).integers(0, 256, (2, size_px, size_px), dtype=np.uint8)
    pooled = F.adaptive_avg_pool2d(torch.from_numpy(image).float(), THUMB_PX).round().byte()
    assert np.array_equal(measure(image).thumb_NTT, pooled.numpy())


@pytest.mark.parametrize("size_px", [1, 28, 224, 300])
def test_any_size_has_thumbnails(size_px):
    pictures = measure(np.full((3, size_px, size_px), 77, np.uint8))
    assert (pictures.thumb_NTT == 77).all()
    assert (pictures.spread_N == 0).all()


def test_the_border_is_what_is_black_all_around():
    images = np.full((4, 20, 20), 100, np.uint8)
    images[1, :5] = 10  # a quarter
    images[2] = 0
    images[2, 5:15, 4:19] = 11  # 150 of 400 are left
    images[3] = 0
    assert measure(images).border_N.tolist() == [0, 0.25, 1 - 150 / 400, 1]


def test_a_negative_is_unlike_the_mean():
    images = np.stack([film()] * 20 + [255 - film(), np.full((64, 64), 9, np.uint8)])
    likeness = measure(images).likeness_N
    assert likeness[:20] == pytest.approx([1] * 20)
    assert likeness[20] == pytest.approx(-1)
    assert likeness[21] == 0


def test_progress_counts_images():
    seen = []
    num = 2 * CHUNK_IMAGES + 1
    measure(np.zeros((num, 4, 4), np.uint8), progress=lambda done, of: seen.append((done, of)))
    assert seen == [(CHUNK_IMAGES, num), (2 * CHUNK_IMAGES, num), (num, num)]
