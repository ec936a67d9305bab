"""Image stores of other sources: CSV tables beside folders of images, each read by an adapter.

To add a source, write a function from its folder to a `SourceTable` and name it in `READERS`: its
findings are then the store's, and the tests in `tests/contracts` cover it.

    folder    labels.csv beside the images: image, patient, age, sex, view and part where they are
              known; every other column is a finding: 1, 0, or empty where it is not known
    chexpert  CheXpert as it is distributed: train.csv, valid.csv and, where it is there, test.csv
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import sha256_of_file
from harness.core.progress import Progress
from harness.core.recipe import problems_of
from harness.data.manifest import StoreOrigin
from harness.data.nih_tables import clean_ages, count_note
from harness.data.preparing import SourceTable, prepare_store
from harness.data.store import FOLDS, ImageStore

TABLE_FILE = "labels.csv"
OPTIONAL = ("patient", "age", "sex", "view", "part")
TRUTH = {"1": True, "1.0": True, "0": False, "0.0": False}

CHEXPERT_PARTS = {"train.csv": "train", "valid.csv": "val", "test.csv": "test"}
CHEXPERT_FINDINGS = (
    "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
CHEXPERT = {
    "source": "chexpert",
    "label_version": "CheXpert, uncertain labels unknown",
    "attribution": "CheXpert, Stanford ML Group. Irvin J, Rajpurkar P, Ko M, et al. CheXpert: A "
    "Large Chest Radiograph Dataset with Uncertainty Labels and Expert Comparison. AAAI 2019.",
    "notes": ("labels that are not mentioned are negative, uncertain ones unknown (U-Ignore)",),
}


def prepare(
    reader: str,
    root: Path,
    out: Path,
    *,
    size_px: int = 256,
    max_bad: int = 10,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> ImageStore:
    """The image store at `out` of a source in the folder `root`, made, continued or opened.

    Args:
        reader: A name of `READERS`.
        size_px: Side of the stored squares.
        max_bad: Images that may be missing or unreadable; they are left out and listed.
        num_workers: Threads that decode; by default one per processor.
        progress: Called with the number of images that are done, and of all.

    Raises:
        HarnessError: The source is not as its reader expects it, too many images fail, or `out`
            holds something else.
    """
    root, out = Path(root).resolve(), Path(out).resolve()
    source = READERS[reader](root)
    origin = source.origin.model_copy(update={"box_frame_px": size_px})
    return prepare_store(
        replace(source, origin=origin),
        out,
        size_px=size_px,
        max_bad=max_bad,
        num_workers=num_workers,
        progress=progress,
    )


# A folder of the user's own ---------------------------------------------------------------------


def read_folder(root: Path) -> SourceTable:
    """`labels.csv` in `root`; `image` is a path below `root`."""
    path = root / TABLE_FILE
    rows = _read_csv(path)
    if "image" not in rows.columns:
        raise HarnessError(f"{path}:1: the table has no column 'image'")
    findings = [name for name in rows.columns if name not in ("image", *OPTIONAL)]
    part = _column(rows, "part")
    for row in part.index[~part.isin(FOLDS)][:1]:
        raise HarnessError(
            f"{path}:{row + 2}: the part {part[row]!r}{did_you_mean(part[row], FOLDS)}; known: "
            "train, val, test, train_val, or nothing"
        )
    has_patients = "patient" in rows.columns
    patient = rows["patient" if has_patients else "image"]
    for row in patient.index[patient == ""][:1]:
        raise HarnessError(f"{path}:{row + 2}: no patient is named, or no image")
    labels = {name: _labels(rows[name], TRUTH | {"": None}, path) for name in findings}
    notes = () if has_patients else ("no patients are named: each image stands for one",)
    about = {"source": "folder", "label_version": TABLE_FILE, "attribution": "",
             "has_patients": has_patients, "notes": notes}  # fmt: skip
    return _source(rows.assign(patient=patient, part=part), labels, root, [path], about)


# CheXpert ---------------------------------------------------------------------------------------


def read_chexpert(root: Path) -> SourceTable:
    """CheXpert's frontal images; uncertain labels (-1) are unknown, unmentioned ones negative.

    `root` is laid out as CheXpert-v1.0-small is: train.csv and valid.csv beside the folders train
    and valid. The full-size release comes in batches, whose patients belong into these two folders.
    The labels of its test set, which were published later, are read where they lie in test.csv.
    """
    paths = [root / name for name in CHEXPERT_PARTS if (root / name).exists()]
    if root / "train.csv" not in paths or root / "valid.csv" not in paths:
        raise HarnessError(f"{root}: CheXpert has train.csv and valid.csv here")
    tables = [_chexpert_rows(path) for path in paths]
    truth = TRUTH | {"": False, "-1": None, "-1.0": None}
    labels = {
        name: pd.concat(
            [_labels(rows[name], truth, path) for rows, path in zip(tables, paths, strict=True)],
            ignore_index=True,
        )
        for name in CHEXPERT_FINDINGS
    }
    return _source(pd.concat(tables, ignore_index=True), labels, root, paths, CHEXPERT)


def _chexpert_rows(path: Path) -> pd.DataFrame:
    rows = _read_csv(path)
    missing = [name for name in ("Path", *CHEXPERT_FINDINGS) if name not in rows.columns]
    if missing:
        raise HarnessError(f"{path}:1: the table has no column {missing[0]!r}")
    # CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg
    place = rows["Path"].str.extract(r"((?:train|valid|test)/(patient\d+)/.+)$")
    for row in place.index[place[0].isna()][:1]:
        raise HarnessError(f"{path}:{row + 2}: not the path of an image: {rows['Path'][row]!r}")
    rows = rows.assign(
        image=place[0],
        patient=place[1],
        age=_column(rows, "Age"),
        sex=_column(rows, "Sex").str[:1],
        view=_column(rows, "AP/PA"),
        part=CHEXPERT_PARTS[path.name],
    )
    return rows[rows["image"].str.contains("frontal")]


# What the readers share -------------------------------------------------------------------------


def _read_csv(path: Path) -> pd.DataFrame:
    """Every column of a CSV file as text, without blanks around it."""
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file") from None
    except ValueError as error:
        first_line = str(error).partition("\n")[0]
        raise HarnessError(f"{path}: not a table in CSV form ({first_line})") from None
    if rows.empty:
        raise HarnessError(f"{path}: the table has no rows")
    return rows.rename(columns=str.strip).map(str.strip)


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[name] if name in rows.columns else pd.Series("", index=rows.index, dtype=str)


def _labels(texts: pd.Series, truth: dict[str, bool | None], path: Path) -> pd.Series:
    """Texts as True, False, or null for what is not known; the index counts lines."""
    for row in texts.index[~texts.isin(list(truth))][:1]:
        known = ", ".join(text or "nothing" for text in truth)
        raise HarnessError(
            f"{path}:{row + 2}: {texts[row]!r} in the column {texts.name!r}; known: {known}"
        )
    return texts.map(truth).astype("boolean")


def _source(
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
        about: What else the manifest says.
    """
    rows = rows.reset_index(drop=True)
    twice = rows["image"][rows["image"].duplicated()]
    if len(twice):
        raise HarnessError(f"{paths[0]}: the image {twice.iloc[0]!r} is named a second time")
    ages = _column(rows, "age")
    age, num_null = clean_ages(ages)
    table = pd.DataFrame({
        "image": rows["image"],
        "patient": rows["patient"],
        "age": age,
        "sex": _column(rows, "sex").where(lambda sex: sex.isin(("M", "F")), ""),
        "view": _column(rows, "view").where(lambda view: view.isin(("PA", "AP")), ""),
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


READERS: dict[str, Callable[[Path], SourceTable]] = {
    "folder": read_folder,
    "chexpert": read_chexpert,
}
