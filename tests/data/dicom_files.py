"""DICOM files made in memory: a synthetic gray picture, and whatever is to be odd about it."""

import io
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SECRET = "DOE^JANE"
DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"


def ramp(size_px: int = 64, *, high: int = 4095) -> np.ndarray:
    """Rises from 0 at the left to `high` at the right, uint16."""
    return np.tile(np.linspace(0, high, size_px).round().astype(np.uint16), (size_px, 1))


def dicom(
    value_HW: np.ndarray | None = None, *, syntax: str = ExplicitVRLittleEndian, **elements: Any
) -> bytes:
    """A file of 12-bit gray values; an element that is None is left out."""
    value = ramp() if value_HW is None else value_HW
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = DIGITAL_X_RAY
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["instance"])
    known = {
        "PatientName": SECRET,
        "PatientID": SECRET,
        "Modality": "DX",
        "Rows": value.shape[0],
        "Columns": value.shape[1],
        "SamplesPerPixel": 1 if value.ndim == 2 else 3,
        "PhotometricInterpretation": "MONOCHROME2" if value.ndim == 2 else "RGB",
        "BitsAllocated": 8 * value.itemsize,
        "BitsStored": 12 if value.itemsize == 2 else 8,
        "HighBit": 11 if value.itemsize == 2 else 7,
        "PixelRepresentation": int(value.dtype.kind == "i"),
        "PixelData": value.tobytes(),
    }
    if value.ndim == 3:
        known["PlanarConfiguration"] = 0
    for name, element in (known | elements).items():
        if element is not None:
            setattr(dataset, name, element)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW" if value.itemsize == 2 else "OB"
        if pydicom.uid.UID(syntax).is_encapsulated:
            dataset["PixelData"].VR = "OB"
            dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def table(entries: np.ndarray, *, first: int = 0, bits: int = 8) -> list[Dataset]:
    """A sequence of one lookup table."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, bits]
    item.LUTData = entries.astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    return [item]
