"""The compiled loop against PyTorch's own resize, bit by bit."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from harness.data.crop import MOST_REDUCED, crop

NUM_BOXES = 24


def by_torch(image_HW, box_4, is_flipped, size_px):
    top, left, height, width = box_4
    part = torch.from_numpy(image_HW[top : top + height, left : left + width]).float()
    size = (size_px, size_px)
    resized = F.interpolate(
        part[None, None], size=size, mode="bilinear", antialias=True, align_corners=False
    )[0, 0].div(255)
    return resized.flip(-1) if is_flipped else resized


@pytest.mark.parametrize(
    ("height_px", "width_px", "size_px"), [(256, 256, 224), (120, 125, 100), (64, 40, 224)]
)
def test_each_crop_is_that_of_pytorch_to_the_last_bit(height_px, width_px, size_px):
    rng = np.random.default_rng(0)
    image_BHW = rng.integers(0, 256, (NUM_BOXES, height_px, width_px), dtype=np.uint8)
    size_B2 = rng.integers(1, (height_px + 1, width_px + 1), size=(NUM_BOXES, 2))
    size_B2[:3] = (height_px, width_px), (1, 1), (height_px, 1)
    size_B2[3:10, 0] = range(2, 9)  # as many rows as are looked up together, and not
    start_B2 = rng.integers(0, (height_px, width_px) - size_B2 + 1)
    box_B4, flip_B = np.concatenate([start_B2, size_B2], axis=1), np.arange(NUM_BOXES) % 2 == 0
    ours_BPP = crop(image_BHW, box_B4, flip_B, size_px)
    assert ours_BPP.dtype == np.float32
    for row in range(NUM_BOXES):
        theirs = by_torch(image_BHW[row], box_B4[row], flip_B[row], size_px)
        assert np.array_equal(ours_BPP[row], theirs.numpy()), (row, box_B4[row])


def test_what_needs_more_pixels_than_the_loop_has_is_refused():
    size_px = int(100 * MOST_REDUCED) + 1
    blank_BHW = np.zeros((1, size_px, size_px), dtype=np.uint8)
    with pytest.raises(AssertionError):
        crop(blank_BHW, np.array([[0, 0, size_px, size_px]]), np.zeros(1, bool), 100)
