"""`ImageStore`: a folder of gray images, their table and where both came from.

A store holds `images.npy` (uint8, N x H x W, memory-mapped), `table.parquet` (one row per image),
`boxes.parquet` and `manifest.json`. Everything above reads stores; nothing here knows a data set.
N images, L findings.
"""

import hashlib
import math
import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError, first_line
from harness.core.files import sha256_of_json, write_atomic, write_json
from harness.data.manifest import OTHER_COLUMNS, StoreManifest, StoreOrigin, read_manifest
from harness.data.rows_file import PixelRows, RowsFile

BOX_COLUMNS = ("image", "finding", "x", "y", "w", "h")
FOLDS = ("train_val", "train", "val", "test", "")
"""Parts that a source itself gives: a release's two lists, or three parts, or none."""
HASH_CHUNK_BYTES = 2**24


class ImageStore:
    """Images, labels and boxes, read-only. Rows of `table` and of `images` belong together.

    Attributes:
        path: Absolute path of the folder.
        images: uint8, N x H x W, memory-mapped.
        table: image, patient, age (null where unknown), sex (`M`, `F` or empty), view (`PA`,
            `AP` or empty), fold (one of `FOLDS`) and a column per finding, bool,
            or nullable boolean where labels are not known.
        boxes: image, finding, x, y, w, h in pixels of a square of `manifest.box_frame_px`.
    """

    def __init__(
        self, path: Path, *, manifest: StoreManifest, table: pd.DataFrame, boxes: pd.DataFrame
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.table = table
        self.boxes = boxes
        self.images: NDArray[np.uint8] = np.load(
            path / "images.npy", mmap_mode="r", allow_pickle=False
        )

    def __repr__(self) -> str:
        return f"ImageStore({str(self.path)!r}, {len(self)} images)"

    def __len__(self) -> int:
        return self.manifest.num_images

    @classmethod
    def open(cls, path: Path) -> Self:
        """The store in the folder `path`.

        Table and boxes are checked against their hashes, the images by their number and size only:
        `verify` reads them all.

        Raises:
            HarnessError: There is no store, or its parts do not belong together.
        """
        path = Path(path).resolve()
        manifest = read_manifest(path)
        for part in ("images.npy", "table.parquet", "boxes.parquet"):
            if not (path / part).exists():
                raise HarnessError(
                    f"{path}: damaged image store ({part} is not there); prepare it again"
                )
        try:
            table = pd.read_parquet(path / "table.parquet")
            boxes = pd.read_parquet(path / "boxes.parquet")
            check_table(table, manifest.findings, where=path / "table.parquet")
            store = cls(path, manifest=manifest, table=table, boxes=boxes)
        except (OSError, ValueError) as error:
            raise HarnessError(
                f"{path}: damaged image store ({first_line(error)}); prepare it again"
            ) from None
        store._check_parts()
        return store

    @property
    def findings(self) -> tuple[str, ...]:
        """The L names, in the order of `label_NL`."""
        return self.manifest.findings

    @cached_property
    def label_NL(self) -> NDArray[np.bool_]:  # noqa: N802
        """bool, N x L; False where a label is not known."""
        labels = self.table[list(self.findings)]
        return labels.astype("boolean").fillna(False).to_numpy(dtype=np.bool_)

    @cached_property
    def is_known_NL(self) -> NDArray[np.bool_]:  # noqa: N802
        """bool, N x L: which labels are known; training and every figure pass over the others."""
        return self.table[list(self.findings)].notna().to_numpy(dtype=np.bool_)

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that name the content, wherever and whenever it was written."""
        return self.manifest.fingerprint

    def open_pixels(self) -> RowsFile:
        """The images for who goes through all of them: read by slices, none kept in memory."""
        return RowsFile(self.path / "images.npy", is_writable=False)

    def verify(self) -> None:
        """Read every image and compare with the manifest.

        Raises:
            HarnessError: The images are not those that were stored.
        """
        with self.open_pixels() as pixels:
            found = sha256_of_images(pixels)
        if found != self.manifest.images_sha256:
            raise HarnessError(f"{self.path}/images.npy: its pixels changed; prepare it again")

    def _check_parts(self) -> None:
        manifest = self.manifest
        shape = (manifest.num_images, manifest.size_px, manifest.size_px)
        if self.images.shape != shape or self.images.dtype != np.uint8:
            raise HarnessError(
                f"{self.path}/images.npy: holds {self.images.dtype} {self.images.shape}, "
                f"manifest.json says uint8 {shape}; prepare the store again"
            )
        if len(self.table) != manifest.num_images:
            raise HarnessError(
                f"{self.path}/table.parquet: {len(self.table)} rows, manifest.json says "
                f"{manifest.num_images} images; prepare the store again"
            )
        for name, table, sha256 in (
            ("table", self.table, manifest.table_sha256),
            ("boxes", self.boxes, manifest.boxes_sha256),
        ):
            if sha256_of_table(table) != sha256:
                raise HarnessError(
                    f"{self.path}/{name}.parquet: changed since the store was made; "
                    "prepare it again"
                )


def check_is_free(out: Path) -> None:
    """Raise `HarnessError` where there is something at `out`."""
    if out.exists():
        raise HarnessError(f"{out}: already exists; remove it or choose another folder")


def lock_of(out: Path) -> Path:
    """The lock that whoever makes a store at `out` holds (`core.locks`)."""
    return out.with_name(f".{out.name}.lock")


def write_store(
    path: Path,
    *,
    images: NDArray[np.uint8],
    table: pd.DataFrame,
    boxes: pd.DataFrame | None,
    origin: StoreOrigin,
) -> ImageStore:
    """Write a whole store from arrays, all of it or nothing, and open it.

    Args:
        path: A folder that does not exist yet.
        images: uint8, N x H x H.
        table: N rows with the columns of `ImageStore.table`; others are kept too.
        boxes: Rows with the columns of `ImageStore.boxes`, or None.

    Raises:
        HarnessError: There is something at `path`.
    """
    path = Path(path).resolve()
    check_is_free(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        np.save(partial / "images.npy", images, allow_pickle=False)
        complete_store(partial, images=images, table=table, boxes=boxes, origin=origin)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ImageStore.open(path)


def complete_store(
    folder: Path,
    *,
    images: PixelRows,
    table: pd.DataFrame,
    boxes: pd.DataFrame | None,
    origin: StoreOrigin,
) -> None:
    """Write table, boxes and, last of all, the manifest beside images that lie there already."""
    num_images, height_px, width_px = images.shape
    assert images.dtype == np.uint8
    assert height_px == width_px
    assert len(table) == num_images
    boxes = empty_boxes() if boxes is None else boxes
    check_table(table, origin.findings, where=folder)
    table = table.reset_index(drop=True)
    boxes = boxes[list(BOX_COLUMNS)].reset_index(drop=True)
    write_atomic(folder / "table.parquet", table.to_parquet)
    write_atomic(folder / "boxes.parquet", boxes.to_parquet)
    table_sha256 = sha256_of_table(table)
    told = origin.model_dump() | {"labels_sha256": origin.labels_sha256 or table_sha256}
    manifest = StoreManifest(
        **told,
        num_images=num_images,
        size_px=height_px,
        images_sha256=sha256_of_images(images),
        table_sha256=table_sha256,
        boxes_sha256=sha256_of_table(boxes),
    )
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))


def check_table(table: pd.DataFrame, findings: Sequence[str], *, where: Path) -> None:
    """Refuse a table that cannot be one of a store.

    Raises:
        HarnessError: A column is missing, a finding's is not of bool, an image is named twice, or
            a fold is unknown.
    """
    missing = [name for name in (*OTHER_COLUMNS, *findings) if name not in table.columns]
    if missing:
        raise HarnessError(f"{where}: the table has no column {', '.join(missing)}")
    for name in findings:
        if table[name].dtype not in (np.bool_, pd.BooleanDtype()):
            raise HarnessError(f"{where}: the column {name} is of {table[name].dtype}, not bool")
    twice = table["image"][table["image"].duplicated()]
    if len(twice):
        raise HarnessError(f"{where}: the image {twice.iloc[0]!r} stands in the table twice")
    strange = sorted(set(table["fold"]) - set(FOLDS))
    if strange:
        known = ", ".join(repr(fold) for fold in FOLDS)
        raise HarnessError(f"{where}: unknown fold {strange[0]!r}; known: {known}")


def empty_boxes() -> pd.DataFrame:
    """Boxes of a store that has none."""
    text, number = pd.Series(dtype=str), pd.Series(dtype=float)
    return pd.DataFrame({
        name: text if name in ("image", "finding") else number for name in BOX_COLUMNS
    })  # fmt: skip


def sha256_of_images(images: PixelRows) -> str:
    """SHA-256 of the pixels in row order, read a piece at a time."""
    digest = hashlib.sha256()
    rows = max(1, HASH_CHUNK_BYTES // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), rows):
        digest.update(np.ascontiguousarray(images[start : start + rows]).data)
    return digest.hexdigest()


def sha256_of_table(table: pd.DataFrame) -> str:
    """SHA-256 of names and values of the columns, independent of the file format."""
    columns = [
        [str(name), hashlib.sha256("\n".join(map(str, table[name].tolist())).encode()).hexdigest()]
        for name in table.columns
    ]
    return sha256_of_json(columns)
