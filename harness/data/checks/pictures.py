"""What is measured of every image of a store, in one pass over its pixels.

Shapes: N images, H x W pixels, T x T cells of a thumbnail.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.progress import Progress, ignore
from harness.data.rows_file import PixelRows

THUMB_PX = 32
CHUNK_IMAGES = 64
BLACK = 10
"""Gray levels up to here are the black around a picture, noise of its compression included."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Measures of N images.

    Attributes:
        thumb_NTT: uint8, means over the cells of a grid.
        border_N: float64 in [0, 1], part of the area outside the smallest upright rectangle that
            holds all that is not black.
    """

    thumb_NTT: NDArray[np.uint8]
    border_N: NDArray[np.float64]

    @property
    def spread_N(self) -> NDArray[np.uint8]:  # noqa: N802
        """Gray levels between the darkest and the brightest cell: nearly none in a blank image."""
        spread_N: NDArray[np.uint8] = np.ptp(self.thumb_NTT, axis=(1, 2))
        return spread_N

    @property
    def likeness_N(self) -> NDArray[np.float64]:  # noqa: N802
        """Correlation with the mean image in [-1, 1]: negative where black and white are swapped.

        All chest films have dark lungs beside a bright middle; 0 for an image of one gray.
        """
        num_images = len(self.thumb_NTT)
        chunks = [slice(at, at + CHUNK_IMAGES) for at in range(0, num_images, CHUNK_IMAGES)]
        sum_D = np.zeros(THUMB_PX**2)
        for chunk in chunks:
            sum_D += _unit_rows(self.thumb_NTT[chunk]).sum(axis=0)
        sum_D /= max(float(np.linalg.norm(sum_D)), 1e-6)
        return np.concatenate([_unit_rows(self.thumb_NTT[chunk]) @ sum_D for chunk in chunks])


def _unit_rows(thumb_CTT: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Thumbnails as rows of mean 0 and length 1; zeros for one of one gray."""
    row_CD = thumb_CTT.reshape(len(thumb_CTT), -1).astype(np.float64)
    row_CD -= row_CD.mean(axis=1, keepdims=True)
    return np.asarray(row_CD / np.maximum(np.linalg.norm(row_CD, axis=1, keepdims=True), 1e-6))


def measure(images: PixelRows, *, progress: Progress = ignore) -> Pictures:
    """Measure uint8 images, N x H x W, a chunk at a time.

    Args:
        progress: Called with the number of images that are done, and of all.
    """
    num_images = len(images)
    thumb_NTT = np.empty((num_images, THUMB_PX, THUMB_PX), np.uint8)
    border_N = np.empty(num_images)
    for start in range(0, num_images, CHUNK_IMAGES):
        chunk = slice(start, start + CHUNK_IMAGES)
        image_CHW = np.asarray(images[chunk])
        thumb_NTT[chunk] = _thumbs(image_CHW)
        border_N[chunk] = _borders(image_CHW)
        progress(min(start + CHUNK_IMAGES, num_images), num_images)
    return Pictures(thumb_NTT, border_N)


def _thumbs(image_CHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means over the cells of a grid, as PyTorch's `adaptive_avg_pool2d` draws it.

    Two products of matrices, without PyTorch, which would take a third of the memory of a check.
    Their sums are whole numbers below 2^24, hence exact.
    """
    row_TH, column_TW = (_cells(length) for length in image_CHW.shape[1:])
    sum_CTT = row_TH @ image_CHW.astype(np.float32) @ column_TW.T
    size_TT = np.outer(row_TH.sum(axis=1), column_TW.sum(axis=1))
    return np.asarray(np.rint(sum_CTT / size_TT), dtype=np.uint8)


def _cells(length: int) -> NDArray[np.float32]:
    """Which of `length` pixels each cell holds, 0 or 1; neighbours may share one."""
    cell_T = np.arange(THUMB_PX)[:, None]
    pixel_K = np.arange(length)
    first_T, stop_T = cell_T * length // THUMB_PX, -(-(cell_T + 1) * length // THUMB_PX)
    return ((pixel_K >= first_T) & (pixel_K < stop_T)).astype(np.float32)


def _borders(image_CHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    height = _extent(image_CHW.max(axis=2) > BLACK)
    width = _extent(image_CHW.max(axis=1) > BLACK)
    return 1 - height * width / (image_CHW.shape[1] * image_CHW.shape[2])


def _extent(is_lit_CK: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Per row, the distance from the first True to the last, both included; 0 without any."""
    first_C = is_lit_CK.argmax(axis=1)
    last_C = is_lit_CK.shape[1] - is_lit_CK[:, ::-1].argmax(axis=1)
    return np.where(is_lit_CK.any(axis=1), last_C - first_C, 0)
