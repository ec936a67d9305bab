"""CheXpert as it is distributed: train.csv and valid.csv beside the folders train and valid.

The labels of its test set came later and apart, under other names: they are read from the one of
`TEST_TABLES` that lies beside the others.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from harness.core.errors import HarnessError
from harness.data.csv_tables import TRUTH, column_of, labels_of, read_csv, source_of
from harness.data.preparing import SourceTable

PARTS = {"train.csv": "train", "valid.csv": "val"}
TEST_TABLES = ("test.csv", "test_labels.csv")
"""The second is CheXlocalize's name for it (Saporta et al. 2022, doi:10.1038/s42256-022-00536-x).

A table by study, as the `groundtruth.csv` that was published first, does not say which images it is
of, and is not read.
"""
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
}
NOTE = "labels that are not mentioned are negative, uncertain ones unknown (U-Ignore)"
TEST_NOTE = (
    f"no test part: its labels are neither in {' nor in '.join(TEST_TABLES)}, a line an image with "
    "the columns of valid.csv"
)


def read(root: Path) -> SourceTable:
    """CheXpert's frontal images; uncertain labels (-1) are unknown, unmentioned ones negative.

    `root` is laid out as CheXpert-v1.0-small is: train.csv and valid.csv beside the folders train
    and valid. The full-size release comes in batches, whose patients belong into these two folders.

    Raises:
        HarnessError: A table is missing, or a line of one cannot be; or there are two of the test
            set.
    """
    part_of = dict(_tables_in(root))
    tables = [_rows(path, part) for path, part in part_of.items()]
    truth = TRUTH | {"": False, "-1": None, "-1.0": None}
    labels = {
        name: pd.concat(
            [
                labels_of(rows[name], truth, path)
                for rows, path in zip(tables, part_of, strict=True)
            ],
            ignore_index=True,
        )
        for name in FINDINGS
    }
    notes = (NOTE,) if "test" in part_of.values() else (NOTE, TEST_NOTE)
    rows = pd.concat(tables, ignore_index=True)
    return source_of(rows, labels, root, list(part_of), ABOUT | {"notes": notes})


def _tables_in(root: Path) -> Iterator[tuple[Path, str]]:
    """Each table that is there, and the part that it is of."""
    for name, part in PARTS.items():
        if not (root / name).is_file():
            raise HarnessError(f"{root}: CheXpert has train.csv and valid.csv here")
        yield root / name, part
    found = [root / name for name in TEST_TABLES if (root / name).is_file()]
    if len(found) > 1:
        raise HarnessError(
            f"{root}: {' and '.join(TEST_TABLES)} are both tables of the test set; take one away"
        )
    yield from ((path, "test") for path in found)


def _rows(path: Path, part: str) -> pd.DataFrame:
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
        part=part,
    )
    return rows[rows["image"].str.contains("frontal")]
