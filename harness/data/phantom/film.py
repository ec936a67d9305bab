"""From attenuation to a gray picture: the film curve, quantum noise and the SYNTHETIC mark."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from harness.data.phantom.body import Pose
from harness.data.phantom.chest import Array


def expose(attenuation: Array, pose: Pose) -> Array:
    """Gray, 0 where nothing stood in the way to 1 behind the densest parts.

    The curve is the logistic one: a film's optical density over the logarithm of the exposure.
    """
    floor = 1 / (1 + np.exp(pose.contrast * pose.exposure))
    gray = 1 / (1 + np.exp(-pose.contrast * (attenuation - pose.exposure)))
    return (gray - floor) / (1 - floor)


def develop(gray: Array, pose: Pose, *, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """The finished picture, uint8 (size_px, size_px): shrunk, grained and marked."""
    gray = shrink(gray, size_px)
    grain = rng.standard_normal(gray.shape, dtype=np.float32)
    gray = gray + pose.noise * grain * np.sqrt(0.25 + gray)
    pixels = np.clip(np.round(255 * gray), 0, 255).astype(np.uint8)
    mark = synthetic_mark(size_px)
    pixels[size_px - mark.shape[0] :, : mark.shape[1]] = mark
    return pixels


def shrink(picture: Array, size_px: int) -> Array:
    """Mean over blocks; the side must be a multiple of `size_px`."""
    factor = picture.shape[0] // size_px
    assert picture.shape == (size_px * factor,) * 2, (picture.shape, size_px)
    return picture.reshape(size_px, factor, size_px, factor).mean(axis=(1, 3))


@cache
def synthetic_mark(size_px: int) -> np.ndarray:
    """A plate with the word SYNTHETIC, bottom left: equal on all images, so it tells no label."""
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), "SYNTHETIC")
    word = Image.new("L", (round(right - left) + 4, round(bottom - top) + 4))
    ImageDraw.Draw(word).text((2 - left, 2 - top), "SYNTHETIC", fill=255)
    width = max(20, round(0.25 * size_px))
    height = max(4, round(width * word.height / word.width))
    small = np.asarray(word.resize((width, height), Image.Resampling.BOX))
    return (small * (255 / small.max())).astype(np.uint8)
