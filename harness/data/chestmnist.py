"""ChestMNIST as an image store: NIH ChestX-ray14 as MedMNIST packs it, 28 to 224 px.

What the pack does not hold, no store of it can give: no patients, so that nobody can tell whether
one is in two parts and every interval is over images; no names of images, ages, sexes or views.
Its text speaks of the official split, but its parts have the sizes of the random one that
reimplementations of CheXNet share, not those of the release's lists: the split is `as_given`, and
figures on it are not comparable with those on `official`.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.data.manifest import StoreOrigin
from harness.data.partial_store import finished_store
from harness.data.split_lists import PARTS
from harness.data.store import ImageStore, write_store

PUBLISHED = {
    "chestmnist.npz": "02c8a6516a18b556561a56cbdd36c4a8",
    "chestmnist_64.npz": "9de6cd0b934ebb5b7426cfba5efbae16",
    "chestmnist_128.npz": "db107e5590b27930b62dbaf558aebee3",
    "chestmnist_224.npz": "45bd33e6f06c3e8cdb481c74a89152aa",
}
"""MD5s of the files of MedMNIST v3, https://zenodo.org/records/10519652."""

COLUMNS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia",
    "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening",
    "Hernia",
)  # fmt: skip
"""The findings in the order of the pack's labels."""

ATTRIBUTION = (
    "ChestMNIST of MedMNIST v3 (CC BY 4.0, https://medmnist.com). Yang J, Shi R, Wei D, Liu Z, "
    "Zhao L, Ke B, Pfister H, Ni B. MedMNIST v2. Scientific Data 2023. Made of NIH ChestX-ray14, "
    "provided by the NIH Clinical Center (https://nihcc.app.box.com/v/ChestXray-NIHCC). Wang X, "
    "Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. CVPR 2017."
)
NOTES = (
    "its split is a random one, not NIH's official: use data.split=as_given, and compare no figure "
    "with those of the official test set",
    "it names no patients: whether one is in two parts cannot be told, and intervals are over "
    "images, hence too narrow",
)
CHUNK_BYTES = 2**26


def prepare_chestmnist(
    file: Path, out: Path, *, published: Mapping[str, str] = PUBLISHED
) -> ImageStore:
    """The image store at `out` of a pack, made or, if done, opened.

    Args:
        file: `chestmnist.npz` or a larger one, as published.
        published: MD5s of the files that are taken.

    Raises:
        HarnessError: There is no such file, it is none of the published ones, or `out` holds
            something else.
    """
    file, out = Path(file).resolve(), Path(out).resolve()
    inputs = {"chestmnist": _checked_md5(file, published)}
    store = finished_store(out, inputs)
    if store is not None:
        return store
    unpacked = out.with_name(f".{out.name}.unpacked.npy")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(file) as pack:
            images = _unpack(pack, unpacked)
            table = _table(pack)
        origin = _origin(inputs, size_px=images.shape[1])
        return write_store(out, images=images, table=table, boxes=None, origin=origin)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise HarnessError(f"{file}: not a pack of ChestMNIST ({error})") from None
    finally:
        unpacked.unlink(missing_ok=True)


def _checked_md5(file: Path, published: Mapping[str, str]) -> str:
    known = ", ".join(published)
    if not file.is_file():
        raise HarnessError(
            f"{file}: no such file; fetch one of {known} from https://zenodo.org/records/10519652"
        )
    with file.open("rb") as stream:
        md5 = hashlib.file_digest(stream, "md5").hexdigest()
    if md5 not in published.values():
        raise HarnessError(
            f"{file}: its MD5 {md5} is that of none of {known}; it is cut off, changed or of "
            "another version: fetch it again from https://zenodo.org/records/10519652"
        )
    return md5


def _origin(inputs: dict[str, str], size_px: int) -> StoreOrigin:
    return StoreOrigin(
        source="chestmnist",
        is_synthetic=False,
        label_version="MedMNIST v3",
        attribution=ATTRIBUTION,
        inputs=inputs,
        box_frame_px=size_px,
        has_patients=False,
        notes=NOTES,
    )


def _table(pack: zipfile.ZipFile) -> pd.DataFrame:
    """A row per image; an image has its place in the pack for a name, and itself for a patient."""
    label_parts = {part: np.concatenate(list(_rows(pack, f"{part}_labels"))) for part in PARTS}
    image = [f"{part}_{row:05d}" for part in PARTS for row in range(len(label_parts[part]))]
    label_NL = np.concatenate(list(label_parts.values())) == 1
    labels = pd.DataFrame(label_NL, columns=list(COLUMNS))[list(FINDINGS)]
    return pd.DataFrame({
        "image": image,
        "patient": image,
        "age": pd.array([None] * len(image), dtype="Int16"),
        "sex": "",
        "view": "",
        "fold": [name.partition("_")[0] for name in image],
    }).join(labels)  # fmt: skip


def _unpack(pack: zipfile.ZipFile, path: Path) -> NDArray[np.uint8]:
    """The images of all parts in one array on the disk: at 224 px they are 5.6 GB."""
    shapes = [_header(pack, f"{part}_images") for part in PARTS]
    num_images = sum(shape[0] for shape in shapes)
    images = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.uint8, shape=(num_images, *shapes[0][1:])
    )
    start = 0
    for part in PARTS:
        for rows in _rows(pack, f"{part}_images"):
            images[start : start + len(rows)] = rows
            start += len(rows)
    images.flush()
    return images


# Arrays of an .npz file, a piece at a time ------------------------------------------------------


def _header(pack: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with pack.open(f"{name}.npy") as member:
        return _shape(member)


def _rows(pack: zipfile.ZipFile, name: str) -> Iterator[NDArray[np.uint8]]:
    """The rows of an array of bytes in pieces of 64 MB."""
    with pack.open(f"{name}.npy") as member:
        shape = _shape(member)
        row_bytes = int(np.prod(shape[1:]))
        rows_at_once = max(1, CHUNK_BYTES // row_bytes)
        for start in range(0, shape[0], rows_at_once):
            num_rows = min(rows_at_once, shape[0] - start)
            piece = member.read(num_rows * row_bytes)
            yield np.frombuffer(piece, np.uint8).reshape(num_rows, *shape[1:])


def _shape(member: IO[bytes]) -> tuple[int, ...]:
    """The shape in an array's header.

    Raises:
        ValueError: It is no array of bytes whose rows lie one after the other.
    """
    version = np.lib.format.read_magic(member)
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read(member)
    if dtype != np.uint8 or is_fortran or len(shape) < 2:
        raise ValueError(f"an array of {dtype} {shape}")
    return tuple(shape)
