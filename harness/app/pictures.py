"""What is shown of an image: resized, with boxes, with a map of where the model looks.

H x W pixels of the picture, S x S of the square that a network is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from harness.core.findings import readable
from harness.explain.overlay import overlay

SHOWN_PX = (512, 768)
"""Least and most of the longer side of what is sent to the browser: boxes and their names are drawn
into it, so it is not as small as some stores' images."""

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True)
class FindingBox:
    """A box of a finding; its top left corner and its size as parts of the image, in [0, 1]."""

    finding: str
    x: float
    y: float
    w: float
    h: float


def sized(pixel_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image with its longer side within `SHOWN_PX`, its proportions kept."""
    height, width = pixel_HW.shape
    longest = max(height, width)
    scale = np.clip(longest, *SHOWN_PX) / longest
    if scale == 1:
        return pixel_HW
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = Image.fromarray(pixel_HW).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(resized)


def with_heat(
    pixel_HW: NDArray[np.uint8], heat_SS: NDArray[np.float32], opacity: float
) -> NDArray[np.uint8]:
    """RGB of the image under the map of the whole square, which is squeezed back to its shape."""
    height, width = pixel_HW.shape
    heat = Image.fromarray(heat_SS).resize((width, height), Image.Resampling.BILINEAR)
    return overlay(pixel_HW, np.clip(np.asarray(heat), 0, 1), opacity)


def with_boxes(
    pixels: NDArray[np.uint8], boxes: Sequence[FindingBox], *, chosen: str
) -> NDArray[np.uint8]:
    """RGB with a named box for each of `boxes`; those of the `chosen` finding are thicker."""
    picture = Image.fromarray(pixels).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=max(12, picture.height // 22))
    for box in sorted(boxes, key=lambda box: box.finding == chosen):
        _draw_box(draw, box, picture.size, font, line_px=3 if box.finding == chosen else 1)
    return np.asarray(picture)


def _draw_box(
    draw: ImageDraw.ImageDraw,
    box: FindingBox,
    size: tuple[int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    *,
    line_px: int,
) -> None:
    """White within black, to be seen on every ground."""
    width, height = size
    left, top = box.x * width, box.y * height
    right, bottom = left + box.w * width, top + box.h * height
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=BLACK, width=line_px + 2)
    draw.rectangle((left, top, right, bottom), outline=WHITE, width=line_px)
    place = (left + line_px + 3, top + line_px + 1)
    name = readable(box.finding)
    draw.text(place, name, font=font, fill=WHITE, stroke_width=2, stroke_fill=BLACK)
