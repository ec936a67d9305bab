"""A folder of the user's own: images, and `labels.csv` beside them.

Its columns are image, patient, age, sex, view and part where they are known; every other column is
a finding: 1, 0, or empty where it is not known.
"""

from pathlib import Path

from harness.core.errors import HarnessError, did_you_mean
from harness.data.csv_tables import TRUTH, column_of, labels_of, read_csv, source_of
from harness.data.preparing import SourceTable
from harness.data.store import FOLDS

TABLE_FILE = "labels.csv"
OPTIONAL = ("patient", "age", "sex", "view", "part")


def read(root: Path) -> SourceTable:
    """`labels.csv` in `root`; `image` is a path below `root`.

    Raises:
        HarnessError: There is no such table, or a line of it cannot be.
    """
    path = root / TABLE_FILE
    rows = read_csv(path)
    if "image" not in rows.columns:
        raise HarnessError(f"{path}:1: the table has no column 'image'")
    findings = [name for name in rows.columns if name not in ("image", *OPTIONAL)]
    part = column_of(rows, "part")
    for row in part.index[~part.isin(FOLDS)][:1]:
        raise HarnessError(
            f"{path}:{row + 2}: the part {part[row]!r}{did_you_mean(part[row], FOLDS)}; known: "
            "train, val, test, train_val, or nothing"
        )
    has_patients = "patient" in rows.columns
    patient = rows["patient" if has_patients else "image"]
    for row in patient.index[patient == ""][:1]:
        raise HarnessError(f"{path}:{row + 2}: no patient is named, or no image")
    labels = {name: labels_of(rows[name], TRUTH | {"": None}, path) for name in findings}
    notes = () if has_patients else ("no patients are named: each image stands for one",)
    about = {"source": "folder", "label_version": TABLE_FILE, "attribution": "",
             "has_patients": has_patients, "notes": notes}  # fmt: skip
    return source_of(rows.assign(patient=patient, part=part), labels, root, [path], about)
