"""Which image files are meant by paths of files and folders; none of them is opened."""

from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import HarnessError

IMAGE_SUFFIXES = (
    "", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom",
)  # fmt: skip
"""Of files that are taken from a folder; DICOM files often have none. A file given by name is read
whatever its name."""


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are meant: those named, and the images within folders, by name.

    Raises:
        HarnessError: A path does not exist, or a folder holds no image.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise HarnessError(f"{path}: no such file or folder")
        inside = _inside(path) if path.is_dir() else [path]
        if not inside:
            raise HarnessError(f"{path}: no image files in this folder")
        found |= dict.fromkeys(inside)
    return list(found)


def _inside(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
        and path.name != "DICOMDIR"
    )
