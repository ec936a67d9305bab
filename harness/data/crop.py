"""Crops of gray images, resized and mirrored by a compiled loop: what a CPU needs for training.

It is `torch.nn.functional.interpolate(mode="bilinear", antialias=True)` of each crop, to the last
bit, at seven times its speed. Needs numba, which a node that only trains may lack.

Axes: B images, H x W stored pixels, P = `size_px`; the filter has `NUM_TAPS` pixels.
"""

from typing import Any

import numpy as np
from numba import float32
from numba.extending import intrinsic
from numpy.typing import NDArray

from harness.core.machine_code import compiled

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
WordArray = NDArray[np.uint32]

MOST_REDUCED = 1.25
"""Images of at most so many times the crop's size: no output pixel then needs more than three."""
NUM_TAPS = 3
ROWS_TOGETHER = 4
"""Rows whose pixels are looked up together, as the bytes of a word: a look-up costs most of all."""


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
    total_P = np.zeros(len(first_P), np.float32)
    for p in range(len(first_P)):
        centre = np.float32(scale * (p + 0.5))
        first_P[p] = max(int(centre - support + 0.5), 0)
        num_P[p] = min(int(centre + support + 0.5), length) - first_P[p]
    for tap in range(NUM_TAPS):
        weight_P = weight_TP[tap]
        for p in range(len(first_P)):
            centre = np.float32(scale * (p + 0.5))
            distance = abs((np.float32(tap + first_P[p]) - centre + 0.5) * inverse)
            weight = max(one - np.float32(distance), np.float32(0))
            weight_P[p] = weight if tap < num_P[p] else np.float32(0)
            total_P[p] += weight_P[p]
    for tap in range(NUM_TAPS):
        weight_P = weight_TP[tap]
        for p in range(len(first_P)):
            weight_P[p] /= total_P[p]


weigh = compiled(_weigh)


def _fused(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c of float32 with one rounding, as PyTorch's products and sums are.

    A compiler that is free to fuse chooses between two products as it likes.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fma(*values)

    return float32(float32, float32, float32), generate


fused: Any = intrinsic(_fused)


def _pack(image_HW: NDArray[np.uint8], word_W: WordArray) -> None:
    """The first `ROWS_TOGETHER` rows, a word for each column; where there are fewer, the last."""
    last = len(image_HW) - 1
    row0_W, row1_W = image_HW[0], image_HW[min(1, last)]
    row2_W, row3_W = image_HW[min(2, last)], image_HW[min(3, last)]
    for x in range(image_HW.shape[1]):
        low = np.uint32(row0_W[x]) | (np.uint32(row1_W[x]) << np.uint32(8))
        high = np.uint32(row2_W[x]) | (np.uint32(row3_W[x]) << np.uint32(8))
        word_W[x] = low | (high << np.uint32(16))


pack = compiled(_pack)


def _narrow(
    box_HW: NDArray[np.uint8],
    first_P: IntArray,
    num_taps: int,
    weight_TP: FloatArray,
    word_W: WordArray,
    narrow_HP: FloatArray,
) -> None:
    """Every row of a box, resized. `word_W` is as wide as a row, and `NUM_TAPS` zeros."""
    height, size_px = len(box_HW), len(first_P)
    byte = np.uint32(255)
    word_TP = np.empty((NUM_TAPS, size_px), np.uint32)
    place_P = first_P.astype(np.uint32)  # without a sign, which would be looked at each time
    word0_P, word1_P, word2_P = word_TP[0], word_TP[1], word_TP[2]
    weight0_P, weight1_P, weight2_P = weight_TP[0], weight_TP[1], weight_TP[2]
    for y in range(0, height, ROWS_TOGETHER):
        pack(box_HW[y:], word_W)
        for tap in range(num_taps):
            word_P = word_TP[tap]
            for p in range(size_px):
                word_P[p] = word_W[place_P[p] + np.uint32(tap)]
        for row in range(ROWS_TOGETHER):
            narrow_P, shift = narrow_HP[y + row], np.uint32(8 * row)
            for p in range(size_px):
                pixel0 = np.float32(np.int32((word0_P[p] >> shift) & byte))
                pixel1 = np.float32(np.int32((word1_P[p] >> shift) & byte))
                narrow_P[p] = fused(pixel1, weight1_P[p], pixel0 * weight0_P[p])
            if num_taps > 2:
                for p in range(size_px):
                    pixel2 = np.float32(np.int32((word2_P[p] >> shift) & byte))
                    narrow_P[p] = fused(pixel2, weight2_P[p], narrow_P[p])


narrow = compiled(_narrow)


def _shorten(
    narrow_HP: FloatArray,
    first_P: IntArray,
    num_P: IntArray,
    weight_TP: FloatArray,
    crop_PP: FloatArray,
) -> None:
    """Every column of the narrowed rows, resized, in [0, 1]."""
    last, size_px = len(narrow_HP) - 1, len(first_P)
    for y in range(size_px):
        first, out_P = first_P[y], crop_PP[y]
        weight0, weight1, weight2 = weight_TP[0, y], weight_TP[1, y], weight_TP[2, y]
        row0_P, row1_P = narrow_HP[first], narrow_HP[min(first + 1, last)]
        if num_P[y] > 2:
            row2_P = narrow_HP[min(first + 2, last)]
            for p in range(size_px):
                two = fused(row1_P[p], weight1, row0_P[p] * weight0)
                out_P[p] = fused(row2_P[p], weight2, two) / np.float32(255)
        else:
            for p in range(size_px):
                out_P[p] = fused(row1_P[p], weight1, row0_P[p] * weight0) / np.float32(255)


shorten = compiled(_shorten)


def _fill(
    image_BHW: NDArray[np.uint8],
    box_B4: NDArray[np.int64],
    flip_B: NDArray[np.bool_],
    crop_BPP: FloatArray,
) -> None:
    """Fill `crop_BPP`: rows are resized first, then columns, as PyTorch does."""
    _, height_px, width_px = image_BHW.shape
    size_px = crop_BPP.shape[1]
    first_P, num_P = np.empty((2, size_px), np.int32)
    weight_TP = np.empty((NUM_TAPS, size_px), np.float32)
    narrow_HP = np.empty((height_px + ROWS_TOGETHER, size_px), np.float32)
    word_W = np.zeros(width_px + NUM_TAPS, np.uint32)
    for b in range(len(image_BHW)):
        top, left, height, width = box_B4[b]
        box_HW = image_BHW[b, top : top + height, left : left + width]
        weigh(width, first_P, num_P, weight_TP)
        if flip_B[b]:
            first_P[:] = first_P[::-1].copy()
            weight_TP[:] = weight_TP[:, ::-1].copy()
        narrow(box_HW, first_P, max(2, num_P.max()), weight_TP, word_W, narrow_HP)
        weigh(height, first_P, num_P, weight_TP)
        shorten(narrow_HP[:height], first_P, num_P, weight_TP, crop_BPP[b])


_crop = compiled(_fill)
