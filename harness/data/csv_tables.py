"""What the readers of CSV tables beside images share: from cells to a `SourceTable`."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from harness.core.errors import HarnessError, first_line
from harness.core.files import sha256_of_file
from harness.core.recipe import problems_of
from harness.data.manifest import StoreOrigin
from harness.data.nih_tables import clean_ages, count_note
from harness.data.preparing import SourceTable

TRUTH = {"1": True, "1.0": True, "0": False, "0.0": False}


def read_csv(path: Path) -> pd.DataFrame:
    """Every column of a CSV file as text, without blanks around it; the index counts lines.

    Lines without a word are left out, and so are commas at the end of lines: pandas would take the
    first cell of a row that is longer than the header for an index.

    Raises:
        HarnessError: There is no such file, it is no table with rows, two columns have one name, or
            a row has more cells than there are columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "\0" in text:
            raise ValueError("it is not a text file")
        reader = csv.reader(io.StringIO(text))
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file") from None
    except (ValueError, csv.Error) as error:
        raise HarnessError(f"{path}: not a table in CSV form ({first_line(error)})") from None
    (first, header), *rows = [line for line in lines if any(line[1])] or [(1, [])]
    if not rows:
        raise HarnessError(f"{path}: the table has no rows")
    while not header[-1]:
        header.pop()
    for place, name in enumerate(header):
        if name in header[:place]:
            raise HarnessError(f"{path}:{first}: two columns are named {name!r}")
    return pd.DataFrame(
        [_as_wide(cells, len(header), f"{path}:{line}") for line, cells in rows],
        index=[line - 2 for line, _ in rows],
        columns=header,
        dtype=str,
    )


def _as_wide(cells: list[str], width: int, where: str) -> list[str]:
    """A row with as many cells as the header; what it lacks is empty.

    Raises:
        HarnessError: It has more, and they are not empty.
    """
    if any(cells[width:]):
        raise HarnessError(f"{where}: {len(cells)} cells, and the header names {width}")
    return [*cells, *[""] * (width - len(cells))][:width]


def column_of(rows: pd.DataFrame, name: str) -> pd.Series:
    """A column of texts, all empty where the table has none of that name."""
    return rows[name] if name in rows.columns else pd.Series("", index=rows.index, dtype=str)


def labels_of(texts: pd.Series, truth: Mapping[str, bool | None], path: Path) -> pd.Series:
    """Texts as True, False, or null for what is not known; the index counts lines.

    Raises:
        HarnessError: A text is not in `truth`; named with its line of `path`.
    """
    for row in texts.index[~texts.isin(list(truth))][:1]:
        known = ", ".join(text or "nothing" for text in truth)
        raise HarnessError(
            f"{path}:{row + 2}: {texts[row]!r} in the column {texts.name!r}; known: {known}"
        )
    return texts.map(truth).astype("boolean")


def source_of(
    rows: pd.DataFrame,
    labels: dict[str, pd.Series],
    root: Path,
    paths: list[Path],
    about: Mapping[str, Any],
) -> SourceTable:
    """A source of rows with image, patient, part and, where they are known, age, sex and view.

    Args:
        labels: Labels per finding.
        paths: The tables that were read.
        about: What else the manifest says: source, label_version, attribution, notes.

    Raises:
        HarnessError: An image is named twice or leads out of `root`, or a finding cannot be.
    """
    rows = rows.reset_index(drop=True)
    twice = rows["image"][rows["image"].duplicated()]
    if len(twice):
        raise HarnessError(f"{paths[0]}: the image {twice.iloc[0]!r} is named a second time")
    ages = column_of(rows, "age")
    age, num_null = clean_ages(ages)
    table = pd.DataFrame({
        "image": rows["image"],
        "patient": rows["patient"],
        "age": age,
        "sex": column_of(rows, "sex").where(lambda sex: sex.isin(("M", "F")), ""),
        "view": column_of(rows, "view").where(lambda view: view.isin(("PA", "AP")), ""),
        "fold": rows["part"],
    })  # fmt: skip
    for name, label in labels.items():
        column = label.reset_index(drop=True)
        table[name] = column if column.isna().any() else column.astype(bool)
    odd_ages = count_note(num_null - int((ages == "").sum()), "ages that are none made null")
    inputs = {path.name: sha256_of_file(path) for path in paths}
    told = {
        **about, "is_synthetic": False, "findings": tuple(labels), "inputs": inputs,
        "labels_sha256": inputs[paths[0].name], "box_frame_px": 1,
        "notes": (*about["notes"], *odd_ages),
    }  # fmt: skip
    try:
        origin = StoreOrigin.model_validate(told)
    except ValidationError as error:
        where, what = problems_of(error)[0]
        raise HarnessError(f"{paths[0]}:1: {where}: {what}") from None
    return SourceTable(table, {image: _file(root, image) for image in table["image"]}, origin)


def _file(root: Path, image: str) -> Path | None:
    """The file of an image below `root`, links followed; None where there is none.

    Raises:
        HarnessError: It leads out of `root`.
    """
    path = (root / image).resolve()
    if not path.is_relative_to(root):
        raise HarnessError(f"{root}: the image {image!r} leads out of this folder")
    return path if path.is_file() else None
