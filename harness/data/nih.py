"""NIH ChestX-ray14 as an image store: finds the parts of a release.

The release (Wang et al., CVPR 2017, "ChestX-ray8: Hospital-scale Chest X-ray Database and
Benchmarks") is taken as it comes: the label table, the two lists and the boxes in one folder, the
images in `images/`, in `images_001/images/` and so on as in the Kaggle copy, or still in the twelve
archives `images_001.tar.gz` and so on, which are read without being unpacked.
"""

import filecmp
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.core.progress import Progress, ignore
from harness.data.manifest import StoreOrigin
from harness.data.nih_tables import (
    LISTS,
    count_note,
    folds_of,
    label_version,
    read_boxes,
    read_label_table,
)
from harness.data.preparing import SourceTable, prepare_store
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


def prepare_nih(
    root: Path,
    out: Path,
    *,
    size_px: int = 256,
    num_workers: int | None = None,
    max_bad: int = 10,
    progress: Progress = ignore,
) -> ImageStore:
    """The image store at `out` of the release in `root`, made or continued or, if done, opened.

    Args:
        size_px: Side of the stored squares.
        num_workers: Threads that decode; by default one per processor.
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
    return prepare_store(
        read_release(root),
        out,
        size_px=size_px,
        max_bad=max_bad,
        num_workers=num_workers,
        progress=progress,
    )


def read_release(root: Path) -> SourceTable:
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
    inputs = {file.name: sha256_of_file(file) for file in inputs_files}
    origin = StoreOrigin(
        source="nih",
        is_synthetic=False,
        label_version=version,
        labels_sha256=inputs[label_file.name],
        attribution=ATTRIBUTION,
        inputs=inputs,
        box_frame_px=BOX_FRAME_PX,
        notes=notes,
    )
    files = {image: found.get(image) for image in table["image"]}
    return SourceTable(table, files, origin, boxes, tuple(archives))


# Finding the files ------------------------------------------------------------------------------


def find_label_table(root: Path) -> Path:
    """The label table in `root`; the version of 2020 where there are several.

    Raises:
        HarnessError: There is no such folder, none, or several of other versions.
    """
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
    """The list of each fold; empty where the release has neither.

    Raises:
        HarnessError: One of the two is there.
    """
    lists = {fold: root / name for fold, name in LISTS.items()}
    missing = [path.name for path in lists.values() if not path.exists()]
    if len(missing) == 1:
        raise HarnessError(f"{root}: {missing[0]} is missing; the lists belong together")
    return {} if missing else lists


def find_images(root: Path) -> dict[str, Path | str]:
    """Every PNG file in the folders of the release by its name, or why it is not to be read.

    A folder may be a link to where the images are kept; an image may not, since what a link leads
    to was not in the release. Nor may one of which two folders have different files.
    """
    found: dict[str, Path | str] = {}
    looked_into: set[Path] = set()
    for pattern in IMAGE_FOLDERS:
        folders = [root] if pattern == "." else sorted(root.glob(pattern))
        for folder in filter(Path.is_dir, folders):
            if folder.resolve() in looked_into:
                continue
            looked_into.add(folder.resolve())
            for name, file in _images_of(folder):
                found[name] = _one_of(found[name], file, root) if name in found else file
    return found


def _one_of(first: Path | str, second: Path | str, root: Path) -> Path | str:
    """The first of two files of one name, or why neither is to be read: that they differ."""
    if isinstance(first, str) or isinstance(second, str) or filecmp.cmp(first, second, False):
        return first
    places = [str(path.parent.relative_to(root)) for path in (first, second)]
    return f"files of this name in {places[0]} and {places[1]} differ"


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
