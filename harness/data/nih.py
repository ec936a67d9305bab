"""NIH ChestX-ray14 as an image store: finds the parts of a release.

The release (Wang et al., CVPR 2017, "ChestX-ray8: Hospital-scale Chest X-ray Database and
Benchmarks") is taken as it comes: the label table, the two lists and the boxes in one folder, the
images in `images/`, in `images_001/images/` and so on as in the Kaggle copy, or still in the twelve
archives `images_001.tar.gz` and so on, which are read without being unpacked.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.data.manifest import StoreOrigin
from harness.data.nih_tables import (
    LISTS,
    count_note,
    folds_of,
    label_version,
    read_boxes,
    read_label_table,
)
from harness.data.partial_store import PartialStore, Progress, finished_store
from harness.data.store import ImageStore, empty_boxes

LABEL_TABLE = "Data_Entry_2017_v2020.csv"
LABEL_TABLES = "Data_Entry_2017*.csv"
BOX_LIST = "BBox_List_2017.csv"
IMAGE_FOLDERS = ("images", "images_*/images", "images_*", ".")
ARCHIVES = "images_*.tar.gz"
BOX_FRAME_PX = 1024
MIN_SIZE_PX = 16

ATTRIBUTION = (
    "NIH ChestX-ray14, provided by the NIH Clinical Center "
    "(https://nihcc.app.box.com/v/ChestXray-NIHCC). Wang X, Peng Y, Lu L, Lu Z, Bagheri M, "
    "Summers RM. ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks. CVPR 2017."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Release:
    """A release, read and checked; the images are only listed.

    Attributes:
        label_version: Which of the tables that go round this is.
        table: The rows and columns of `ImageStore.table`, in the order of the label table.
        boxes: The rows of `ImageStore.boxes`.
        files: Where each image is, in the order of the rows: its file, why it has none, or None
            where no folder has it.
        archives: Archives that may have the images that no folder has.
        inputs: SHA-256 of each file that was read.
        notes: What was cleaned.
    """

    label_file: Path
    label_version: str
    table: pd.DataFrame
    boxes: pd.DataFrame
    files: dict[str, Path | str | None]
    archives: tuple[Path, ...]
    inputs: dict[str, str]
    notes: tuple[str, ...]


def prepare_nih(
    root: Path,
    out: Path,
    *,
    size_px: int = 256,
    num_workers: int | None = None,
    max_bad: int = 10,
    progress: Progress | None = None,
) -> ImageStore:
    """The image store at `out` of the release in `root`, made or continued or, if done, opened.

    Args:
        size_px: Side of the stored squares.
        num_workers: Processes that decode; by default one per processor.
        max_bad: Images that may be missing or unreadable; they are left out and listed in the
            manifest.
        progress: Called with the number of images that are done, and of all.

    Raises:
        HarnessError: The release is not whole, too many images fail, or `out` holds something
            else.
    """
    root, out = Path(root).resolve(), Path(out).resolve()
    if size_px < MIN_SIZE_PX:
        raise HarnessError(f"the size of the images is {size_px} px; give {MIN_SIZE_PX} or more")
    release = read_release(root)
    inputs = release.inputs | {"size_px": str(size_px)}
    store = finished_store(out, inputs)
    if store is not None:
        num_failed = len(store.manifest.failures)
        logger.info("%s: already prepared, %d images, %d left out", out, len(store), num_failed)
        return store
    partial = PartialStore.begin(out, inputs=inputs, num_images=len(release.table), size_px=size_px)
    if not partial.is_complete:
        failures = partial.fill(
            release.files,
            archives=release.archives,
            max_bad=max_bad,
            num_workers=num_workers,
            progress=progress,
        )
        for image, reason in failures.items():
            logger.warning("%s: left out (%s)", image, reason)
        partial.complete(
            table=release.table,
            boxes=release.boxes,
            failures=failures,
            origin=_origin(release, inputs, partial.notes),
        )
    return partial.publish()


def read_release(root: Path) -> Release:
    """Read and check the label table, the lists and the boxes in `root`; list the images.

    Raises:
        HarnessError: A file is missing or wrong, the files disagree, or there are no images.
    """
    label_file = find_label_table(root)
    table, notes = read_label_table(label_file)
    lists = find_lists(root)
    table["fold"] = folds_of(table, lists)
    inputs_files = [label_file, *lists.values()]
    boxes = empty_boxes()
    if (root / BOX_LIST).exists():
        inputs_files.append(root / BOX_LIST)
        boxes = read_boxes(root / BOX_LIST)
        is_known = boxes["image"].isin(table["image"])
        notes += count_note(len(boxes) - int(is_known.sum()), "boxes of other images left out")
        boxes = boxes[is_known].reset_index(drop=True)
    found, archives = find_images(root), find_archives(root)
    if not found and not archives:
        raise HarnessError(
            f"{root}: no images; fetch them with `harness data download nih`, or give the folder "
            f"where images/*.png, images_001/images/*.png or {ARCHIVES} are"
        )
    version = label_version(table, label_file)
    for note in (f"labels {version}", *notes):
        logger.info("%s: %s", label_file, note)
    return Release(
        label_file=label_file,
        label_version=version,
        table=table,
        boxes=boxes,
        files={image: found.get(image) for image in table["image"]},
        archives=tuple(archives),
        inputs={file.name: sha256_of_file(file) for file in inputs_files},
        notes=notes,
    )


def _origin(release: Release, inputs: dict[str, str], notes: tuple[str, ...]) -> StoreOrigin:
    return StoreOrigin(
        source="nih",
        is_synthetic=False,
        label_version=release.label_version,
        labels_sha256=inputs[release.label_file.name],
        attribution=ATTRIBUTION,
        inputs=inputs,
        box_frame_px=BOX_FRAME_PX,
        notes=release.notes + notes,
    )


# Finding the files ------------------------------------------------------------------------------


def find_label_table(root: Path) -> Path:
    """The label table in `root`; the version of 2020 where there are several."""
    if not root.is_dir():
        raise HarnessError(f"{root}: no such folder; give the folder of the unpacked release")
    if (root / LABEL_TABLE).exists():
        return root / LABEL_TABLE
    tables = sorted(root.glob(LABEL_TABLES))
    if len(tables) != 1:
        found = ", ".join(table.name for table in tables) or "none"
        raise HarnessError(
            f"{root}: needs one label table, {LABEL_TABLE} or another {LABEL_TABLES}; found {found}"
        )
    return tables[0]


def find_lists(root: Path) -> dict[str, Path]:
    """The list of each fold; empty where the release has neither."""
    lists = {fold: root / name for fold, name in LISTS.items()}
    missing = [path.name for path in lists.values() if not path.exists()]
    if len(missing) == 1:
        raise HarnessError(f"{root}: {missing[0]} is missing; the lists belong together")
    return {} if missing else lists


def find_images(root: Path) -> dict[str, Path | str]:
    """Every PNG file in the folders of the release by its name, or why it is not to be read.

    A folder may be a link to where the images are kept; an image may not, since what a link leads
    to was not in the release.
    """
    found: dict[str, Path | str] = {}
    for pattern in IMAGE_FOLDERS:
        folders = [root] if pattern == "." else sorted(root.glob(pattern))
        for folder in filter(Path.is_dir, folders):
            for name, file in _images_of(folder):
                found.setdefault(name, file)
    return found


def find_archives(root: Path) -> list[Path]:
    """The archives of images in `root`."""
    return sorted(path for path in root.glob(ARCHIVES) if path.is_file())


def _images_of(folder: Path) -> Iterator[tuple[str, Path | str]]:
    inside = folder.resolve()
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(".png"):
                continue
            path = folder / entry.name
            if entry.is_symlink() and path.resolve().parent != inside:
                yield entry.name, "a link that leads out of its folder"
            elif not entry.is_file():
                yield entry.name, "not a file"
            else:
                yield entry.name, path
