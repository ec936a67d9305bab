"""Positive images per finding in the whole NIH release, by label version: what a store is held to.

Counted from the public files: `Data_Entry_2017_v2020.csv` with the release's two lists, and the
label lists that the reimplementations of CheXNet share (arnoweng/CheXNet), which are older.
"""

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
    "v2020": {finding: sum(counts) for finding, counts in V2020.items()},
    "the older labels of CheXNet's reimplementations": {
        "Atelectasis": 11535,
        "Cardiomegaly": 2772,
        "Consolidation": 4667,
        "Edema": 2303,
        "Effusion": 13307,
        "Emphysema": 2516,
        "Fibrosis": 1686,
        "Hernia": 227,
        "Infiltration": 19870,
        "Mass": 5746,
        "Nodule": 6323,
        "Pleural_Thickening": 3385,
        "Pneumonia": 1353,
        "Pneumothorax": 5298,
    },
}
