"""`overlay`: a map over its image. `colour_bar`: what its colours mean."""

from functools import cache

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

COLOURS = "inferno"
"""Perceptually uniform, and told apart by those who cannot tell red from green."""


def overlay(
    pixel_HW: NDArray[np.uint8], heat_HW: NDArray[np.float32], opacity: float = 0.6
) -> NDArray[np.uint8]:
    """The image with a map laid over it, (H, W, 3) RGB.

    The map covers the image as far as it is hot: where it is 0 the image stays as it is.

    Args:
        pixel_HW: Gray image.
        heat_HW: In [0, 1].
        opacity: Of the hottest place, in [0, 1].
    """
    assert pixel_HW.shape == heat_HW.shape, (pixel_HW.shape, heat_HW.shape)
    colour_HW3 = _colours()[np.clip(np.rint(heat_HW * 255), 0, 255).astype(np.uint8)]
    share_HW1 = np.clip(opacity * heat_HW, 0, 1)[..., None]
    blended = pixel_HW[..., None] * (1 - share_HW1) + colour_HW3 * share_HW1
    return np.rint(blended).astype(np.uint8)


def colour_bar(width_px: int, height_px: int) -> NDArray[np.uint8]:
    """The colours of a map from 0 at the left to 1 at the right, (height, width, 3) RGB."""
    level_W = np.rint(np.linspace(0, 255, width_px)).astype(np.uint8)
    return np.broadcast_to(_colours()[level_W], (height_px, width_px, 3)).copy()


@cache
def _colours() -> NDArray[np.uint8]:
    """RGB of each of 256 levels."""
    return (colormaps[COLOURS](np.arange(256), bytes=True))[:, :3]
