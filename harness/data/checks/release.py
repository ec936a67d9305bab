"""Positive images per finding in the whole NIH release, by label version: what a store is held to.

Counted from the public files: `Data_Entry_2017_v2020.csv` with the release's two lists, and the
label lists that the reimplementations of CheXNet share (arnoweng/CheXNet), which are older.
"""

from harness.core.findings import FINDINGS
from harness.data.nih_tables import LABEL_COUNTS

NUM_IMAGES = {"train_val": 86_524, "test": 25_596}

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

VERSIONS = {
    told: dict(zip(FINDINGS, LABEL_COUNTS[version], strict=True))
    for version, told in (
        ("v2020", "v2020"),
        ("v2017-lists", "the older labels of CheXNet's reimplementations"),
    )
}
