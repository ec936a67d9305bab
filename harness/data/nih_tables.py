"""The text files of an NIH ChestX-ray14 release as data frames: label table, lists and boxes.

Reads and checks; what a mistake is, it says with file and line. Opens no images.
"""

import csv
import warnings
from math import isfinite
from pathlib import Path

import numpy as np
import pandas as pd

from harness.core.errors import HarnessError, did_you_mean, named
from harness.core.findings import FINDINGS, NO_FINDING
from harness.data.nih_counts import LABEL_COUNTS, NUM_IMAGES
from harness.data.store import BOX_COLUMNS, empty_boxes

LISTS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
MAX_AGE = 120
IMAGE_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*\.png"
"""No path leads anywhere by such a name."""

COLUMNS = {
    "image": "Image Index",
    "labels": "Finding Labels",
    "patient": "Patient ID",
    "age": "Patient Age",
    "sex": "Patient Gender",
    "view": "View Position",
}
BOX_HEADER = ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"]

SPELLINGS = {"Infiltrate": "Infiltration"}
"""Findings that the list of boxes spells otherwise than the label table."""


# The label table --------------------------------------------------------------------------------


def read_label_table(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A label table as the columns of `ImageStore.table` without `fold`, and what was cleaned.

    The header's `OriginalImage[Width,Height]` has unquoted commas, so every column but the named
    ones is ignored.

    Raises:
        HarnessError: It is no table, has no such column, names a finding that is not one of the
            14, or names an image twice.
    """
    rows = _read_csv(path)
    for column in COLUMNS.values():
        if column not in rows.columns:
            hint = did_you_mean(column, rows.columns)
            raise HarnessError(f"{path}: the label table has no column {column!r}{hint}")
    rows = rows[list(COLUMNS.values())].set_axis(list(COLUMNS), axis="columns")
    _check_images(rows["image"], path)
    age, num_bad_ages = clean_ages(rows["age"])
    sex, num_bad_sexes = _one_of(rows["sex"], ("M", "F"))
    view, num_bad_views = _one_of(rows["view"], ("PA", "AP"))
    table = rows[["image", "patient"]].assign(age=age, sex=sex, view=view)
    label_NL = label_columns(rows["labels"], path)
    notes = (
        count_note(num_bad_ages, f"ages that are no number up to {MAX_AGE} made null")
        + count_note(num_bad_sexes, "sexes other than M and F left empty")
        + count_note(num_bad_views, "views other than PA and AP left empty")
    )
    return pd.concat([table, label_NL], axis="columns"), notes


def label_columns(labels: pd.Series, path: Path) -> pd.DataFrame:
    """A bool column per finding from texts such as `Edema|Mass`; `path` is for messages.

    Raises:
        HarnessError: A text names a finding that is not one of the 14.
    """
    names = labels.str.split("|")
    known = {*FINDINGS, NO_FINDING, *SPELLINGS}
    for name in names.explode().unique():
        if name not in known:
            row = next(row for row, several in enumerate(names) if name in several)
            raise HarnessError(
                f"{path}:{row + 2}: unknown finding {name!r}{did_you_mean(name, known)}"
            )
    columns = {}
    for finding in FINDINGS:
        spelled = {finding, *(other for other, name in SPELLINGS.items() if name == finding)}
        columns[finding] = [not spelled.isdisjoint(several) for several in names]
    return pd.DataFrame(columns, index=labels.index, dtype=bool)


def label_version(table: pd.DataFrame, path: Path) -> str:
    """Which label table this is: `v2020`, `v2017`, `v2017-lists`, or `unknown`.

    The whole release is known by its counts per finding, a part of it by the name of its file.
    """
    by_name = "v2020" if "v2020" in path.name else "v2017"
    if len(table) != NUM_IMAGES:
        return by_name
    counts = {finding: int(table[finding].sum()) for finding in FINDINGS}
    known = {name for name, theirs in LABEL_COUNTS.items() if theirs == counts}
    if known == {"v2020"} and table["age"].isna().any():
        return "v2017"
    return known.pop() if known else "unknown"


def clean_ages(ages: pd.Series) -> tuple[pd.Series, int]:
    """Ages in years, null where they cannot be one, and how many those are.

    Takes `58` and, as older tables have it, `058Y`.
    """
    years = pd.to_numeric(ages.str.extract(r"^\s*(\d{1,6})Y?\s*$")[0]).astype("Int64")
    age = years.mask(years > MAX_AGE).astype("Int16")
    return age, int(age.isna().sum())


def _read_csv(path: Path) -> pd.DataFrame:
    """Every column of a CSV file as text."""
    try:
        with warnings.catch_warnings():
            # Older tables end each row with a comma that their header lacks; without
            # index_col=False pandas would take the image names for an index.
            warnings.simplefilter("ignore", pd.errors.ParserWarning)
            return pd.read_csv(
                path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig"
            )
    except ValueError as error:
        raise HarnessError(f"{path}: not a table in CSV form ({error})") from None


def _check_images(images: pd.Series, path: Path) -> None:
    if images.empty:
        raise HarnessError(f"{path}: the label table has no rows")
    strange = np.flatnonzero(~images.str.fullmatch(IMAGE_NAME))
    if len(strange):
        row = int(strange[0])
        raise HarnessError(f"{path}:{row + 2}: {images[row]!r} is not the name of an image file")
    twice = np.flatnonzero(images.duplicated())
    if len(twice):
        row = int(twice[0])
        raise HarnessError(f"{path}:{row + 2}: the image {images[row]!r} is named a second time")


def _one_of(values: pd.Series, known: tuple[str, ...]) -> tuple[pd.Series, int]:
    is_known = values.isin(known)
    return values.where(is_known, ""), int((~is_known).sum())


# The lists and the boxes ------------------------------------------------------------------------


def read_image_list(path: Path) -> list[str]:
    """The image names of a list, one per line."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def folds_of(table: pd.DataFrame, lists: dict[str, Path]) -> pd.Series:
    """The fold of each row by the lists of the folds; empty texts where there are no lists.

    Raises:
        HarnessError: A list names an image that the table lacks, the other way round, or two
            lists share a patient.
    """
    fold = pd.Series("", index=table.index, dtype=table["image"].dtype)
    for name, path in lists.items():
        images = read_image_list(path)
        strangers = sorted(set(images) - set(table["image"]))
        _refuse(strangers, f"{path}: names images that the label table lacks")
        is_listed = table["image"].isin(images)
        _refuse(list(table["image"][is_listed & (fold != "")]), f"{path}: the other list names too")
        fold[is_listed] = name
    if not lists:
        return fold
    folder = next(iter(lists.values())).parent
    _refuse(
        list(table["image"][fold == ""]),
        f"{folder}: neither {' nor '.join(LISTS.values())} names images of the label table",
    )
    num_folds = fold.groupby(table["patient"]).nunique()
    shared = list(num_folds.index[num_folds > 1])
    _refuse(shared, f"{folder}: {' and '.join(LISTS.values())} share patients")
    return fold


def read_boxes(path: Path) -> pd.DataFrame:
    """The radiologists' boxes as the columns of `ImageStore.boxes`.

    Raises:
        HarnessError: The header is another one, a finding is unknown, a number is none, or a box
            has no width or height.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = [[cell.strip() for cell in line] for line in csv.reader(stream)]
    if not lines or lines[0][: len(BOX_HEADER)] != BOX_HEADER:
        raise HarnessError(f"{path}:1: the header must be {','.join(BOX_HEADER)}")
    boxes = [_read_box(line, f"{path}:{row + 2}") for row, line in enumerate(lines[1:]) if line]
    return pd.DataFrame(boxes, columns=list(BOX_COLUMNS)) if boxes else empty_boxes()


def _read_box(line: list[str], where: str) -> tuple[str, str, float, float, float, float]:
    try:
        image, name, x, y, w, h = line[: len(BOX_HEADER)]
        numbers = (float(x), float(y), float(w), float(h))
    except ValueError:
        raise HarnessError(f"{where}: not an image, a finding and 4 numbers: {line}") from None
    finding = SPELLINGS.get(name, name)
    if finding not in FINDINGS:
        raise HarnessError(f"{where}: unknown finding {name!r}{did_you_mean(name, FINDINGS)}")
    if not all(map(isfinite, numbers)) or min(numbers[2:]) <= 0:
        raise HarnessError(f"{where}: not a box, which has a place, a width and a height: {line}")
    return (image, finding, *numbers)


def _refuse(names: list[str], what: str) -> None:
    """Raise with the number of names and the first of them, where there are any."""
    if names:
        raise HarnessError(f"{what}: {len(names)}, {named(names)}")


def count_note(count: int, what: str) -> tuple[str, ...]:
    """A note for the manifest, or none where there was nothing to count."""
    return (f"{count} {what}",) if count else ()
