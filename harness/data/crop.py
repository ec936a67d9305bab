"""Crops of gray images, resized and mirrored by a compiled loop: what a CPU needs for training.

It is `torch.nn.functional.interpolate(mode="bilinear", antialias=True)` of each crop, to the last
bit, at four times its speed. Needs numba, which a node that only trains may lack.

Axes: B images, H x W stored pixels, P = `size_px`; the filter has `NUM_TAPS` pixels.
"""

import numpy as np
from numpy.typing import NDArray

from harness.core.machine_code import compiled

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

MOST_REDUCED = 1.25
"""Images of at most so many times the crop's size: no output pixel then needs more than three."""
NUM_TAPS = 3


def crop(
    image_BHW: NDArray[np.uint8], box_B4: NDArray[np.int64], flip_B: NDArray[np.bool_], size_px: int
) -> FloatArray:
    """Each image's box (top, left, height, width), resized and mirrored where `flip_B` says so.

    Returns:
        float32 in [0, 1], B x P x P.
    """
    assert max(image_BHW.shape[1:]) <= MOST_REDUCED * size_px
    # NumPy asks the system for large pages; a batch in small ones takes longer to map than to fill.
    crop_BPP = np.empty((len(image_BHW), size_px, size_px), dtype=np.float32)
    _crop(image_BHW, box_B4, flip_B, crop_BPP)
    return crop_BPP


def _weigh(length: int, first_P: IntArray, num_P: IntArray, weight_TP: FloatArray) -> None:
    """For each output pixel its first input pixel, how many count, and their weights.

    A triangle as wide as the reduction, at least two pixels, in the steps and the precision of
    PyTorch's `compute_indices_weights_aa` (UpSampleKernel.cpp).
    """
    one = np.float32(1)
    scale = np.float32(length) / np.float32(len(first_P))
    support = max(scale, one)
    inverse = one / support
    for p in range(len(first_P)):
        centre = np.float32(scale * (p + 0.5))
        first = max(int(centre - support + 0.5), 0)
        num = min(int(centre + support + 0.5), length) - first
        total = np.float32(0)
        for tap in range(num):
            distance = abs((np.float32(tap + first) - centre + 0.5) * inverse)
            weight_TP[tap, p] = max(one - np.float32(distance), np.float32(0))
            total += weight_TP[tap, p]
        for tap in range(NUM_TAPS):
            weight_TP[tap, p] = weight_TP[tap, p] / total if tap < num else 0
        first_P[p], num_P[p] = first, num


weigh = compiled(_weigh)


def _fill(
    image_BHW: NDArray[np.uint8],
    box_B4: NDArray[np.int64],
    flip_B: NDArray[np.bool_],
    crop_BPP: FloatArray,
) -> None:
    """Fill `crop_BPP`: rows are resized first, then columns, as PyTorch does.

    Its products and sums are fused (one rounding for both), and so are these. LLVM fuses the left
    product of `a * b + c * d`, so the later pixel stands on the left.
    """
    _, height_px, width_px = image_BHW.shape
    size_px = crop_BPP.shape[1]
    first_P, num_P = np.empty((2, size_px), np.int32)
    weight_TP = np.empty((NUM_TAPS, size_px), np.float32)
    narrow_HP = np.empty((height_px, size_px), np.float32)
    line_W = np.zeros(width_px + NUM_TAPS, np.float32)  # beyond the row the weights are 0
    for b in range(len(image_BHW)):
        top, left, height, width = box_B4[b]
        weigh(width, first_P, num_P, weight_TP)
        if flip_B[b]:
            first_P[:] = first_P[::-1].copy()
            weight_TP[:] = weight_TP[:, ::-1].copy()
        weight0_P, weight1_P, weight2_P = weight_TP[0], weight_TP[1], weight_TP[2]
        is_reduced = num_P.max() > 2
        for y in range(height):
            row_W, narrow_P = image_BHW[b, top + y, left : left + width], narrow_HP[y]
            for x in range(width):
                line_W[x] = row_W[x]
            for p in range(size_px):
                x = first_P[p]
                narrow_P[p] = line_W[x + 1] * weight1_P[p] + line_W[x] * weight0_P[p]
            if is_reduced:
                for p in range(size_px):
                    narrow_P[p] += line_W[first_P[p] + 2] * weight2_P[p]
        weigh(height, first_P, num_P, weight_TP)
        for y in range(size_px):
            first, last, out_P = first_P[y], height - 1, crop_BPP[b, y]
            weight0, weight1, weight2 = weight_TP[0, y], weight_TP[1, y], weight_TP[2, y]
            row0_P, row1_P = narrow_HP[first], narrow_HP[min(first + 1, last)]
            if num_P[y] > 2:
                row2_P = narrow_HP[min(first + 2, last)]
                for p in range(size_px):
                    two = row1_P[p] * weight1 + row0_P[p] * weight0
                    out_P[p] = (row2_P[p] * weight2 + two) / np.float32(255)
            else:
                for p in range(size_px):
                    out_P[p] = (row1_P[p] * weight1 + row0_P[p] * weight0) / np.float32(255)


_crop = compiled(_fill, fastmath={"contract"})
