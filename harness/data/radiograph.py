"""One image file of a user as a gray image, whatever it is: PNG, JPEG, DICOM and their like.

A file is told by its content, never by its name, and is held to be hostile. What is wrong with it
is said in one line that holds nothing of the file but numbers: a DICOM file names its patient.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.core.errors import HarnessError
from harness.core.files import megabytes
from harness.data.decode import BROKEN_FILE, FORMATS, MAX_FILE_BYTES, MAX_PIXELS, gray_pixels

KINDS = (*FORMATS, "DICOM")
SMALLEST_PX = 32
"""A radiograph of fewer pixels to a side shows nothing that a network was trained on."""
LONGEST_SIDES = 4
"""Sides of a radiograph differ by less than this factor; networks see it squeezed to a square."""
LEAST_CONTRAST = 17
"""Gray values of 255 between the darkest and the brightest pixel.

A blank image has none; one of 12 bits that was saved as if it had 16 has 16.
"""


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One image.

    Attributes:
        pixel_HW: uint8, the whole image, air dark and bone bright, upright.
        kind: One of `KINDS`.
    """

    pixel_HW: NDArray[np.uint8]
    kind: str


def read_radiograph(file: Path | bytes) -> Radiograph:
    """The radiograph in a file, or in the content of one.

    Raises:
        HarnessError: It cannot be read, or it cannot be a radiograph; the message is one line
            without the file's name.
    """
    data = _content(file)
    if is_dicom(data):
        from harness.data.dicom import dicom_pixels  # whose library takes a third of a second

        found = Radiograph(dicom_pixels(data), "DICOM")
    else:
        found = _picture(data)
    _check(found.pixel_HW)
    return found


def is_dicom(data: bytes) -> bool:
    """True for content that begins as DICOM files do (PS3.10, section 7.1)."""
    return data[128:132] == b"DICM"


def _content(file: Path | bytes) -> bytes:
    if isinstance(file, bytes):
        data = file
    else:
        try:
            with file.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise HarnessError(f"cannot be opened ({error.strerror or 'unreadable'})") from None
    if not data:
        raise HarnessError("the file is empty")
    if len(data) > MAX_FILE_BYTES:
        raise HarnessError(f"longer than the {megabytes(MAX_FILE_BYTES)} that are read")
    return data


def _picture(data: bytes) -> Radiograph:
    try:
        kind = _kind(data)
        return Radiograph(gray_pixels(data), kind)
    except MemoryError:
        raise HarnessError("too large for the memory of this machine") from None
    except BROKEN_FILE as error:
        raise HarnessError(_reason(error)) from None


def _kind(data: bytes) -> str:
    """The format of a picture, once its header says that it is one still image of a fair size.

    Raises:
        HarnessError: It is none.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise HarnessError(_too_large("the image")) from None
    except BROKEN_FILE:
        told = ", ".join(KINDS[:-1])
        raise HarnessError(f"not an image that can be read; take {told} or {KINDS[-1]}") from None
    with image:
        width_px, height_px = image.size
        if width_px * height_px > MAX_PIXELS:
            raise HarnessError(_too_large(f"{width_px} x {height_px} pixels"))
        if (num_frames := getattr(image, "n_frames", 1)) > 1:
            raise HarnessError(
                f"it holds {num_frames} pictures, as an animation does; save one of them alone"
            )
        return str(image.format)


def _too_large(what: str) -> str:
    side_px = round(MAX_PIXELS**0.5)
    return f"{what} is more than the {side_px} x {side_px} that are decoded; make it smaller"


def _reason(error: BaseException) -> str:
    """Why a picture whose header was well cannot be decoded."""
    if isinstance(error, ValueError) and "gray values" in str(error):
        return str(error)
    return "the image is damaged or cut off; save or send it again"


def _check(pixel_HW: NDArray[np.uint8]) -> None:
    """Refuse what cannot be a radiograph, of which a network would still have an opinion."""
    height_px, width_px = pixel_HW.shape
    if min(height_px, width_px) < SMALLEST_PX:
        raise HarnessError(
            f"{width_px} x {height_px} pixels: a radiograph has {SMALLEST_PX} or more to a side"
        )
    if max(height_px, width_px) >= LONGEST_SIDES * min(height_px, width_px):
        raise HarnessError(
            f"{width_px} x {height_px} pixels: too long and narrow for a chest radiograph"
        )
    low, high = int(pixel_HW.min()), int(pixel_HW.max())
    if high - low < LEAST_CONTRAST:
        raise HarnessError(
            f"it shows nothing: all gray values lie between {low} and {high} of 255; an image of "
            "12 bits must be saved with its full range"
        )
