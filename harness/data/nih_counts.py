"""What the whole release of NIH ChestX-ray14 counts: what a store, or a file of it, is held to.

Counted from the public files: `Data_Entry_2017_v2020.csv` with the release's two lists, and the
label lists that the reimplementations of CheXNet share (arnoweng/CheXNet), which are older.
"""

from harness.core.findings import FINDINGS

NUM_OF_FOLD = {"train_val": 86_524, "test": 25_596}
NUM_IMAGES = sum(NUM_OF_FOLD.values())
NUM_PATIENTS = 30_805
NUM_BOXES = 984

V2020 = {
    "Atelectasis": (8280, 3279),
    "Cardiomegaly": (1707, 1069),
    "Consolidation": (2852, 1815),
    "Edema": (1378, 925),
    "Effusion": (8659, 4658),
    "Emphysema": (1423, 1093),
    "Fibrosis": (1251, 435),
    "Hernia": (141, 86),
    "Infiltration": (13782, 6112),
    "Mass": (4034, 1748),
    "Nodule": (4708, 1623),
    "Pleural_Thickening": (2242, 1143),
    "Pneumonia": (876, 555),
    "Pneumothorax": (2637, 2665),
}
"""Per finding, the positive images of `train_val` and of `test`."""

LISTS_2017 = (
    11535, 2772, 4667, 2303, 13307, 2516, 1686, 227, 19870, 5746, 6323, 3385, 1353, 5298,
)  # fmt: skip

LABEL_COUNTS: dict[str, dict[str, int]] = {
    "v2020": {finding: sum(V2020[finding]) for finding in FINDINGS},
    "v2017-lists": dict(zip(FINDINGS, LISTS_2017, strict=True)),
}
"""Positive images per finding of the two sets of labels that go round.

The second is that of the lists with which CheXNet was reproduced. The table of 2017 has the labels
of 2020, but ages of up to 414 years.
"""

SAME_LABELS = {"v2017": "v2020"}
"""Versions of the label table whose labels are another's."""
