"""ChestMNIST as an image store: NIH ChestX-ray14 as MedMNIST packs it, 28 to 224 px.

What the pack does not hold, no store of it can give: no patients, so that nobody can tell whether
one is in two parts and every interval is over images; no names of images, ages, sexes or views.
Its text speaks of the official split, but its parts have the sizes of the random one that
reimplementations of CheXNet share, not those of the release's lists: the split is `as_given`, and
figures on it are not comparable with those on `official`.
"""

import hashlib
import math
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import check_space
from harness.core.findings import FINDINGS
from harness.core.progress import Progress, ignore
from harness.data.download import download, remote_file
from harness.data.http_ranges import TERMS, Terms
from harness.data.manifest import StoreOrigin
from harness.data.nih_counts import NUM_IMAGES
from harness.data.preparing import making
from harness.data.rows_file import RowsFile, create_rows
from harness.data.split_lists import PARTS
from harness.data.store import ImageStore, complete_store

PUBLISHED = {
    "chestmnist.npz": "02c8a6516a18b556561a56cbdd36c4a8",
    "chestmnist_64.npz": "9de6cd0b934ebb5b7426cfba5efbae16",
    "chestmnist_128.npz": "db107e5590b27930b62dbaf558aebee3",
    "chestmnist_224.npz": "45bd33e6f06c3e8cdb481c74a89152aa",
}
"""MD5s of the files of MedMNIST v3."""
SIZES_PX = (28, 64, 128, 224)
RECORD_URL = "https://zenodo.org/records/10519652"

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


@dataclass(frozen=True)
class PackAddress:
    """Where a pack is fetched.

    Attributes:
        size_px: Side of its images, one of `SIZES_PX`.
        base: Address of a folder that holds the packs under their own names; by default the
            record of MedMNIST.
        terms: What is borne of the server.
    """

    size_px: int = SIZES_PX[0]
    base: str = ""
    terms: Terms = TERMS

    @property
    def name(self) -> str:
        """The name of the pack.

        Raises:
            HarnessError: There is none of this size.
        """
        if self.size_px not in SIZES_PX:
            known = ", ".join(map(str, SIZES_PX))
            raise HarnessError(f"ChestMNIST has no images of {self.size_px} px; known: {known}")
        return "chestmnist.npz" if self.size_px == 28 else f"chestmnist_{self.size_px}.npz"

    @property
    def url(self) -> str:
        if self.base:
            return f"{self.base.rstrip('/')}/{self.name}"
        return f"{RECORD_URL}/files/{self.name}?download=1"


def prepare_chestmnist(
    file: Path | None,
    out: Path,
    *,
    address: PackAddress = PackAddress(),
    published: Mapping[str, str] = PUBLISHED,
    progress: Progress = ignore,
) -> ImageStore:
    """The image store at `out` of a pack, made or, if done, opened.

    Args:
        file: `chestmnist.npz` or a larger one, as published; None to have it fetched to the folder
            of `out`, where it stays.
        address: Where it is fetched.
        published: MD5s of the files that are taken.
        progress: Called with the bytes that have arrived, and all.

    Raises:
        HarnessError: There is no such file, it cannot be had or is none of the published ones,
            `out` holds something else, or another process makes it.
        DiskFullError: There is no room.
    """
    out = Path(out).resolve()
    md5 = published[address.name] if file is None else _checked_md5(Path(file), published)
    inputs = {"chestmnist": md5}
    with making(out, inputs) as store:
        if store is not None:
            return store
        if file is None:
            file = fetch_pack(out.parent, address, published, progress=progress)
        return _make(Path(file), out, inputs)


def fetch_pack(
    folder: Path,
    address: PackAddress,
    published: Mapping[str, str] = PUBLISHED,
    *,
    progress: Progress = ignore,
) -> Path:
    """A pack in `folder`, fetched unless it is there, whole and with its MD5.

    Raises:
        HarnessError: It cannot be had.
        DiskFullError: There is no room for it and a store beside it.
    """
    path, md5 = folder / address.name, published[address.name]
    if path.is_file() and _md5_of(path) == md5:
        return path
    remote = remote_file(address.name, md5, address.url, address.terms)
    check_space(folder, remote.num_bytes + NUM_IMAGES * address.size_px**2)
    download([remote], folder, terms=address.terms, progress=progress)
    return path


def _make(file: Path, out: Path, inputs: dict[str, str]) -> ImageStore:
    """Unpack into a folder beside `out`, begun anew each time, and move it there."""
    unpacked = out.with_name(f".{out.name}.unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        unpacked.mkdir(parents=True)
        with zipfile.ZipFile(file) as pack:
            _unpack(pack, unpacked / "images.npy")
            table = _table(pack)
        with RowsFile(unpacked / "images.npy") as images:
            complete_store(
                unpacked,
                images=images,
                table=table,
                boxes=None,
                origin=_origin(inputs, size_px=images.shape[1]),
            )
        unpacked.rename(out)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise HarnessError(f"{file}: not a pack of ChestMNIST ({error})") from None
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return ImageStore.open(out)


def _checked_md5(file: Path, published: Mapping[str, str]) -> str:
    known = ", ".join(published)
    if not file.is_file():
        raise HarnessError(
            f"{file}: no such file; give one of {known} from {RECORD_URL}, or none to have it "
            "fetched"
        )
    md5 = _md5_of(file)
    if md5 not in published.values():
        raise HarnessError(
            f"{file}: its MD5 {md5} is that of none of {known}; it is cut off, changed or of "
            f"another version: fetch it again from {RECORD_URL}"
        )
    return md5


def _md5_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


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


def _unpack(pack: zipfile.ZipFile, path: Path) -> None:
    """The images of all parts in one array on the disk: at 224 px they are 5.6 GB."""
    shapes = [_header(pack, f"{part}_images") for part in PARTS]
    if len({shape[1:] for shape in shapes}) > 1 or len(shapes[0]) != 3:
        raise ValueError(f"images of {' and '.join(map(str, shapes))}")
    shape = (sum(shape[0] for shape in shapes), *shapes[0][1:])
    check_space(path, math.prod(shape))
    create_rows(path, shape)
    start = 0
    with RowsFile(path) as images:
        for part in PARTS:
            for rows in _rows(pack, f"{part}_images"):
                images.write(start, rows)
                start += len(rows)
        images.sync()


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
