"""CheXpert as it is distributed: train.csv, valid.csv and, where it is there, test.csv."""

from pathlib import Path

import pandas as pd

from harness.core.errors import HarnessError
from harness.data.csv_tables import TRUTH, column_of, labels_of, read_csv, source_of
from harness.data.preparing import SourceTable

PARTS = {"train.csv": "train", "valid.csv": "val", "test.csv": "test"}
FINDINGS = (
    "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
ABOUT = {
    "source": "chexpert",
    "label_version": "CheXpert, uncertain labels unknown",
    "attribution": "CheXpert, Stanford ML Group. Irvin J, Rajpurkar P, Ko M, et al. CheXpert: A "
    "Large Chest Radiograph Dataset with Uncertainty Labels and Expert Comparison. AAAI 2019.",
    "notes": ("labels that are not mentioned are negative, uncertain ones unknown (U-Ignore)",),
}


def read(root: Path) -> SourceTable:
    """CheXpert's frontal images; uncertain labels (-1) are unknown, unmentioned ones negative.

    `root` is laid out as CheXpert-v1.0-small is: train.csv and valid.csv beside the folders train
    and valid. The full-size release comes in batches, whose patients belong into these two folders.
    The labels of its test set, which were published later, are read where they lie in test.csv.
    """
    paths = [root / name for name in PARTS if (root / name).exists()]
    if root / "train.csv" not in paths or root / "valid.csv" not in paths:
        raise HarnessError(f"{root}: CheXpert has train.csv and valid.csv here")
    tables = [_rows(path) for path in paths]
    truth = TRUTH | {"": False, "-1": None, "-1.0": None}
    labels = {
        name: pd.concat(
            [labels_of(rows[name], truth, path) for rows, path in zip(tables, paths, strict=True)],
            ignore_index=True,
        )
        for name in FINDINGS
    }
    return source_of(pd.concat(tables, ignore_index=True), labels, root, paths, ABOUT)


def _rows(path: Path) -> pd.DataFrame:
    rows = read_csv(path)
    missing = [name for name in ("Path", *FINDINGS) if name not in rows.columns]
    if missing:
        raise HarnessError(f"{path}:1: the table has no column {missing[0]!r}")
    # CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg
    place = rows["Path"].str.extract(r"((?:train|valid|test)/(patient\d+)/.+)$")
    for row in place.index[place[0].isna()][:1]:
        raise HarnessError(f"{path}:{row + 2}: not the path of an image: {rows['Path'][row]!r}")
    rows = rows.assign(
        image=place[0],
        patient=place[1],
        age=column_of(rows, "Age"),
        sex=column_of(rows, "Sex").str[:1],
        view=column_of(rows, "AP/PA"),
        part=PARTS[path.name],
    )
    return rows[rows["image"].str.contains("frontal")]
