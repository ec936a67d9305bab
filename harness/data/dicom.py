"""The pixels of a DICOM file as a viewer shows them. The only importer of pydicom.

Of a file only `TAGS` are read, so that nothing that names a patient is ever in memory as a value,
and no message holds any of pydicom's, which quote what they stumble over.
"""

import io
import logging
import warnings
import zlib
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from harness.core.errors import HarnessError
from harness.core.files import megabytes
from harness.data.decode import MAX_FILE_BYTES, MAX_PIXELS

TAGS = (
    "Modality", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope",
    "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "VOILUTSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData",
    "FloatPixelData", "DoubleFloatPixelData",
)  # fmt: skip
MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
OTHER_MODALITIES = {
    "CT": "computed tomography", "MR": "magnetic resonance", "US": "ultrasound",
    "NM": "nuclear medicine", "PT": "positron emission", "MG": "mammography",
    "SR": "a report", "PR": "a presentation state", "KO": "a selection", "SEG": "a segmentation",
}  # fmt: skip
"""What certainly is no chest radiograph (PS3.3, section C.7.3.1.1.1)."""

FloatArray = NDArray[np.float64]


def dicom_pixels(data: bytes) -> NDArray[np.uint8]:
    """Gray values, uint8 (H, W): the file's tables and its first window applied, air dark.

    The order is that of PS3.4, section N.2: modality table or rescale, then the values of interest
    (a table, a window, or else the whole range), then the inversion of MONOCHROME1. Padding is
    black.

    Raises:
        HarnessError: It has no pixels, more than one frame, too many pixels, or a compression that
            cannot be undone here; or the file is damaged. No message quotes the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _pixels(data)
    except HarnessError:
        raise
    except MemoryError:
        raise HarnessError("too large for the memory of this machine") from None
    except Exception:  # pydicom raises whatever a damaged element leads it to
        raise HarnessError("the DICOM file is damaged or cut off; export it again") from None


def _pixels(data: bytes) -> NDArray[np.uint8]:
    stream = io.BytesIO(data)
    read_preamble(stream, force=False)
    syntax = UID(_read_file_meta_info(stream).TransferSyntaxUID)
    _check_syntax(syntax)
    if syntax == DeflatedExplicitVRLittleEndian:
        _check_deflated(stream.read())
    dataset = pydicom.dcmread(io.BytesIO(data), specific_tags=list(TAGS))
    _check_header(dataset)
    _check_compressed(dataset, syntax)
    value = _decoded(dataset, syntax)
    if value.ndim == 3:
        return np.asarray(Image.fromarray(_as_bytes(value, dataset)).convert("L"))
    return _shown(value, dataset)


# Before anything is decoded -----------------------------------------------------------------


def _check_syntax(syntax: UID) -> None:
    """Refuse a compression that nothing here can undo."""
    try:
        is_available = syntax.type == "Transfer Syntax" and get_decoder(syntax).is_available
    except NotImplementedError:
        is_available = False
    if not is_available:
        raise HarnessError(_undecodable(syntax))


def _check_deflated(deflated: bytes) -> None:
    """pydicom inflates a deflated file whole, whatever comes of it: so its length is found first.

    Raises:
        HarnessError: It is longer than a file may be.
    """
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    inflate.decompress(deflated, MAX_FILE_BYTES)
    if inflate.unconsumed_tail:
        raise HarnessError(f"inflated it is longer than the {megabytes(MAX_FILE_BYTES)} read")


def _check_header(dataset: pydicom.Dataset) -> None:
    """Refuse by the header what is no single gray image of a fair size."""
    modality = str(dataset.get("Modality", ""))
    if modality in OTHER_MODALITIES:
        what = OTHER_MODALITIES[modality]
        raise HarnessError(f"a DICOM file of modality {modality}: {what}, not a radiograph")
    if "PixelData" not in dataset:
        if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
            raise HarnessError("its gray values are fractions; export it with 8 to 16 bits")
        raise HarnessError("a DICOM file without pixel data; take the one that has the image")
    num_frames = int(dataset.get("NumberOfFrames") or 1)
    if num_frames > 1:
        raise HarnessError(f"it holds {num_frames} frames; a radiograph has one: export it alone")
    rows, columns, samples = (
        int(dataset.get(name) or 0) for name in ("Rows", "Columns", "SamplesPerPixel")
    )
    if rows * columns > MAX_PIXELS:
        side_px = round(MAX_PIXELS**0.5)
        raise HarnessError(
            f"{columns} x {rows} pixels is more than the {side_px} x {side_px} that are decoded"
        )
    colour = str(dataset.get("PhotometricInterpretation", ""))
    is_known = colour in (MONOCHROME if samples == 1 else COLOURS if samples == 3 else ())
    if not is_known:
        raise HarnessError("its pixels are neither gray nor RGB; export it as MONOCHROME2")


def _check_compressed(dataset: pydicom.Dataset, syntax: UID) -> None:
    """Refuse a frame that would be larger than the header says, before it takes memory."""
    if not syntax.is_encapsulated:
        return
    if syntax == RLELossless:
        _check_rle(dataset)
    elif syntax in (*JPEGTransferSyntaxes, *JPEG2000TransferSyntaxes):
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        try:
            with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as image:
                size = image.size
        except Exception:  # lossless JPEG is not Pillow's: the decoder has the word
            return
        if size != (dataset.Columns, dataset.Rows):
            raise HarnessError("its compressed image has another size than its header says")


def _check_rle(dataset: pydicom.Dataset) -> None:
    """A run of two bytes stands for up to 128, and pydicom expands all of them (PS3.5, annex G)."""
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    bytes_per_pixel = -(-int(dataset.BitsAllocated) // 8) * int(dataset.SamplesPerPixel)
    num_expected = int(dataset.Rows) * int(dataset.Columns) * bytes_per_pixel
    if _unpacked_length(frame[64:], most=2 * num_expected + 4096) is None:
        raise HarnessError("its compressed image is larger than its header says")


def _unpacked_length(packed: bytes, *, most: int) -> int | None:
    """How many bytes a PackBits stream stands for; None where they are more than `most`."""
    place = length = 0
    while place < len(packed):
        head = packed[place]
        if head > 128:
            length, place = length + 257 - head, place + 2
        elif head < 128:
            length, place = length + head + 1, place + head + 2
        else:
            place += 1
        if length > most:
            return None
    return length


# The pixels ---------------------------------------------------------------------------------


def _decoded(dataset: pydicom.Dataset, syntax: UID) -> NDArray[Any]:
    """Stored values, (H, W) or (H, W, 3)."""
    try:
        return pixel_array(dataset)
    except MemoryError:
        raise
    except Exception:
        if syntax.is_encapsulated:
            raise HarnessError(_undecodable(syntax, is_damaged=True)) from None
        raise


def _undecodable(syntax: UID, *, is_damaged: bool = False) -> str:
    name = syntax.name if syntax.type == "Transfer Syntax" else "an unknown transfer syntax"
    why = "is damaged or of a kind that cannot" if is_damaged else "cannot"
    return (
        f"its image, compressed as {name}, {why} be decoded here; export it uncompressed "
        "(Explicit VR Little Endian)"
    )


def _as_bytes(value_HWC: NDArray[Any], dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    bits = int(dataset.BitsStored)
    scaled: NDArray[np.uint8] = (value_HWC >> max(0, bits - 8)).astype(np.uint8)
    return scaled


def _shown(stored_HW: NDArray[Any], dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    is_padding_HW = _padding(stored_HW, dataset)
    value_HW = _modality_values(stored_HW, dataset)
    part_HW = _of_interest(value_HW, dataset, is_padding_HW)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        part_HW = 1 - part_HW
    part_HW[is_padding_HW] = 0
    return np.rint(255 * part_HW).astype(np.uint8)


def _padding(stored_HW: NDArray[Any], dataset: pydicom.Dataset) -> NDArray[np.bool_]:
    """Pixels outside of the image (PS3.3, section C.7.5.1.1.2)."""
    if (value := dataset.get("PixelPaddingValue")) is None:
        return np.zeros(stored_HW.shape, dtype=np.bool_)
    other = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if other is None else other)))
    return (stored_HW >= low) & (stored_HW <= high)


def _modality_values(stored_HW: NDArray[Any], dataset: pydicom.Dataset) -> FloatArray:
    """Table or rescale (PS3.3, section C.11.1)."""
    if dataset.get("ModalityLUTSequence"):
        return _looked_up(stored_HW, dataset.ModalityLUTSequence[0])[0]
    slope = float(dataset.get("RescaleSlope", 1) or 1)
    intercept = float(dataset.get("RescaleIntercept", 0) or 0)
    return stored_HW.astype(np.float64) * slope + intercept


def _of_interest(
    value_HW: FloatArray, dataset: pydicom.Dataset, is_padding_HW: NDArray[np.bool_]
) -> FloatArray:
    """Values as shown, in [0, 1]: by a table, else by the first window, else the whole range."""
    if dataset.get("VOILUTSequence"):
        shown_HW, bits = _looked_up(value_HW, dataset.VOILUTSequence[0])
        return np.clip(shown_HW / (2**bits - 1), 0, 1)
    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if centre is not None and width is not None:
        function = str(dataset.get("VOILUTFunction") or "LINEAR")
        if width > 0 and (function != "LINEAR" or width >= 1):
            return window(value_HW, centre=centre, width=width, function=function)
    known_N = value_HW[~is_padding_HW]
    low, high = (known_N.min(), known_N.max()) if known_N.size else (0.0, 1.0)
    return np.clip((value_HW - low) / max(high - low, 1e-9), 0, 1)


def window(value_HW: FloatArray, *, centre: float, width: float, function: str) -> FloatArray:
    """Values within a window as parts of it, in [0, 1] (PS3.3, sections C.11.2.1.2 and .3)."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (value_HW - centre) / width, -500, 500)))
    if function == "LINEAR_EXACT":
        part_HW = (value_HW - centre) / width + 0.5
    else:
        part_HW = (value_HW - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5
    return np.clip(part_HW, 0, 1)


def _looked_up(value_HW: NDArray[Any], item: pydicom.Dataset) -> tuple[FloatArray, int]:
    """Values through a table, and the bits of its entries (PS3.3, section C.11.1.1.1)."""
    num_entries, first, bits = (int(number) for number in item.LUTDescriptor)
    data = item.LUTData
    table = np.frombuffer(data, dtype="<u2") if isinstance(data, bytes) else np.asarray(data)
    if len(table) < (num_entries or 2**16) or not 8 <= bits <= 16:
        raise ValueError("a table shorter than it says")
    place_HW = np.clip(np.rint(value_HW) - first, 0, (num_entries or 2**16) - 1).astype(np.int64)
    return table[place_HW].astype(np.float64), bits


def _first(value: Any) -> float | None:
    """The first of several windows."""
    if value is None or value == "":
        return None
    number = value[0] if isinstance(value, pydicom.multival.MultiValue) else value
    return float(number) if np.isfinite(float(number)) else None


logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # it quotes values in its warnings
