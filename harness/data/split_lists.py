"""A split of the user's own: the split `file:FOLDER`, whose folder holds a list for each part.

The lists are `train_list.txt`, `val_list.txt` and `test_list.txt`, an image a line. What follows
the name after a blank is passed over: the lists that reimplementations of CheXNet share have labels
there. Images in no list are in no part.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import sha256_of_json

PREFIX = "file:"
PARTS = ("train", "val", "test")
NUM_PIN_DIGITS = 12


def hash_of_parts(parts: Mapping[str, Iterable[str]]) -> str:
    """What names a split: the hash of the image names of each part, in any order."""
    return sha256_of_json({part: sorted(images) for part, images in parts.items()})


def pinned(name: str) -> str:
    """`file:lists` as `file:/data/lists#3f9a01c7d2e4`, which is one split for ever.

    Recipes hold this form: lists that are changed later, or that another machine has otherwise,
    are refused (`splits.split_table`) rather than trained on. Names of other splits stay as they
    are.

    Raises:
        HarnessError: A list is not there, is no text, or names an image twice.
    """
    if not name.startswith(PREFIX) or "#" in name:
        return name
    folder = Path(name.removeprefix(PREFIX)).expanduser().resolve()
    return f"{PREFIX}{folder}#{hash_of_parts(read_lists(folder))[:NUM_PIN_DIGITS]}"


def listed_parts(folder: Path, images: list[str]) -> list[str]:
    """The part of each of a store's `images`, empty for those in no list.

    Raises:
        HarnessError: As `read_lists`, or a list names an image that is not among them.
    """
    known = set(images)
    part_of: dict[str, str] = {}
    for part, line_of in read_lists(folder).items():
        for image, line in line_of.items():
            if image not in known:
                raise HarnessError(
                    f"{_list_file(folder, part)}:{line}: the store has no image {image!r}"
                    f"{did_you_mean(image, images)}"
                )
            part_of[image] = part
    return [part_of.get(image, "") for image in images]


def read_lists(folder: Path) -> dict[str, dict[str, int]]:
    """For each part its images, and the line that names each.

    Raises:
        HarnessError: A list is not there, is no text, or names an image that was named before.
    """
    lists: dict[str, dict[str, int]] = {part: {} for part in PARTS}
    for part in PARTS:
        path = _list_file(folder, part)
        for line, image in _named_in(path):
            for earlier, line_of in lists.items():
                if image in line_of:
                    where = f"{_list_file(folder, earlier).name}:{line_of[image]}"
                    raise HarnessError(f"{path}:{line}: {image!r} is named in {where} already")
            lists[part][image] = line
    return lists


def _list_file(folder: Path, part: str) -> Path:
    return folder / f"{part}_list.txt"


def _named_in(path: Path) -> list[tuple[int, str]]:
    """The lines of a list that are not blank: their numbers from 1, and the images they name."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        names = ", ".join(f"{part}_list.txt" for part in PARTS)
        raise HarnessError(
            f"{path}: not a text file that can be read; the split file:FOLDER needs {names}"
        ) from None
    return [(number, line.split()[0]) for number, line in enumerate(lines, 1) if line.strip()]
