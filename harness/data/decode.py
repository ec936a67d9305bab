"""One image file to a gray square.

The one path from an image file to the pixels of a store, so that training and whoever is shown a
single image later see the same. Files may be hostile: their length and their pixels are limited
before anything is decoded, and only the formats of `FORMATS` are tried. Imports neither pandas nor
torch.
"""

import io
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from harness.core.files import megabytes

MAX_FILE_BYTES = 128 * 2**20
MAX_PIXELS = 2**26
"""8192 x 8192; the release has 1024 x 1024, radiography detectors up to 4300 x 4300."""
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
"""Not among them is what calls other programs, such as PostScript."""

ORIENTATION = 0x0112
"""The Exif tag that says how an image is to be turned."""
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""The tag of a TIFF that says what its 0 is, and that it is white (TIFF 6.0, section 4)."""

BROKEN_FILE = (OSError, ValueError, SyntaxError, EOFError, TypeError, ArithmeticError, LookupError,
               struct.error, zlib.error, Image.DecompressionBombError)  # fmt: skip
"""What Pillow raises on a file that it cannot read; the slips of its readers on damaged headers,
such as a `TypeError`, are among them."""


def decode_gray(file: Path | IO[bytes], size_px: int) -> NDArray[np.uint8]:
    """An image file as one gray channel of size_px x size_px, uint8.

    Raises:
        OSError, ValueError and others of `BROKEN_FILE`: The file is not a readable image, is
            longer than `MAX_FILE_BYTES` or has more than `MAX_PIXELS`.
    """
    return to_square(gray_pixels(content_of(file)), size_px)


def gray_pixels(data: bytes) -> NDArray[np.uint8]:
    """The content of an image file as one gray channel, uint8 (H, W).

    Colours become their luminance (ITU-R 601-2, Pillow's own), an alpha channel is left out, and
    16-bit gray is divided by 257, which maps 65535 to 255. An image that says that it lies on its
    side (Exif) is turned upright, and a TIFF that says that its 0 is white is inverted.

    Raises:
        OSError, ValueError and others of `BROKEN_FILE`: As `decode_gray`.
    """
    from harness.data.gray_png import gray_png  # which takes a second, for its compiler

    pixels = None if b"eXIf" in data else gray_png(data, max_pixels=MAX_PIXELS)
    return np.asarray(_with_pillow(data), dtype=np.uint8) if pixels is None else pixels


def to_square(pixel_HW: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """A gray image of size_px x size_px; one that is not square is squeezed.

    The filter is antialiased bilinear, torchvision's `Resize` of a PIL image.
    """
    if pixel_HW.shape == (size_px, size_px):
        return pixel_HW
    gray = Image.fromarray(pixel_HW).resize((size_px, size_px), Image.Resampling.BILINEAR)
    return np.asarray(gray, dtype=np.uint8)


def to_gray(image: Image.Image) -> Image.Image:
    """An image of any mode as 8-bit gray, mode `L`.

    Raises:
        ValueError: Its gray values are fractions, or beyond 16 bits.
    """
    if image.mode.startswith("I"):
        value_HW = np.asarray(image, dtype=np.float64)
        if value_HW.min() < 0 or value_HW.max() > 65535:
            raise ValueError(f"gray values from {value_HW.min():.0f} to {value_HW.max():.0f}")
        return Image.fromarray(np.rint(value_HW / 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("gray values are fractions; save the image with 8 or 16 bits")
    if image.mode in ("L", "1", "LA"):
        return image.convert("L")
    return image.convert("RGB").convert("L")


def content_of(file: Path | IO[bytes]) -> bytes:
    """All bytes of an image file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is longer than `MAX_FILE_BYTES`.
    """
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return content_of(stream)
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"the file is longer than the {megabytes(MAX_FILE_BYTES)} that are read")
    return data


def _with_pillow(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width_px, height_px = image.size
        if width_px * height_px > MAX_PIXELS:
            raise ValueError(
                f"{width_px} x {height_px} pixels, more than the {MAX_PIXELS} that are decoded"
            )
        is_negative = _is_negative(image)
        image.load()  # which turns a TIFF by itself, and takes the tag away
        gray = to_gray(ImageOps.exif_transpose(image) if _is_turned(image) else image)
        return ImageOps.invert(gray) if is_negative else gray


def _is_negative(image: Image.Image) -> bool:
    """True for a TIFF of 16-bit gray whose 0 is white, as of film; Pillow inverts 8 bits alone."""
    tags = getattr(image, "tag_v2", {})
    return image.mode.startswith("I") and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ORIENTATION, 1) != 1
    except BROKEN_FILE:  # a torn tag is no reason to lose an image
        return False
