"""Splits of a store into train, val and test that no patient crosses.

A split is a function from a store's table to the part of each row (`train`, `val`, `test`, or
empty for a row that is left out): to add one, write the function and name it in `SPLITS`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import sha256_of_json
from harness.data.store import ImageStore

PARTS = ("train", "val", "test")
VAL_SHARE = 0.1
"""Part of the patients of `train_val` that the official split takes for validation."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows of a store belong to which part.

    Attributes:
        train, val, test: int64 row numbers, rising.
        sha256: Hash of the image names of each part: equal for equal splits of any store.
    """

    name: str
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    sha256: str


def make_split(store: ImageStore, name: str) -> Split:
    """The split `name` of a store.

    Raises:
        HarnessError: There is no such split, a part has no images, or two parts share a patient.
    """
    try:
        return split_table(store.table, name)
    except HarnessError as error:
        raise HarnessError(f"{store.path}: {error}") from None


def split_table(table: pd.DataFrame, name: str) -> Split:
    """The split `name` of the rows of `table`, which has the columns of `ImageStore.table`.

    Raises:
        HarnessError: There is no such split, a part has no images, or two parts share a patient.
    """
    if name not in SPLITS:
        raise HarnessError(
            f"unknown split {name!r}{did_you_mean(name, SPLITS)}; known: {', '.join(SPLITS)}"
        )
    part_N = SPLITS[name](table)
    _check_patients(table["patient"].to_numpy(), part_N, name)
    rows = {part: np.flatnonzero(part_N == part).astype(np.int64) for part in PARTS}
    for part, row in rows.items():
        if not len(row):
            raise HarnessError(f"the split {name!r} has no {part} images")
    images = table["image"].to_numpy()
    named = {part: sorted(str(image) for image in images[row]) for part, row in rows.items()}
    return Split(name=name, sha256=sha256_of_json(named), **rows)


def _check_patients(patient_N: NDArray[np.object_], part_N: NDArray[np.str_], name: str) -> None:
    """Refuse a split in which a patient is in two parts."""
    pairs = pd.DataFrame({"patient": patient_N, "part": part_N})[part_N != ""].drop_duplicates()
    shared = pairs["patient"][pairs["patient"].duplicated()].unique()
    if len(shared):
        first = str(shared[0])
        parts = " and ".join(sorted(pairs["part"][pairs["patient"] == first]))
        raise HarnessError(
            f"the split {name!r} shares {len(shared)} patients between its parts, "
            f"such as patient {first} in {parts}"
        )


# The splits -------------------------------------------------------------------------------------


def official(table: pd.DataFrame) -> NDArray[np.str_]:
    """The release's own lists; validation is carved from `train_val` by patient."""
    fold_N = table["fold"].to_numpy()
    if not np.isin(fold_N, ("train_val", "test")).any():
        raise HarnessError(
            "the split 'official' needs the release's lists, and this store was made without "
            "train_val_list.txt and test_list.txt"
        )
    val_N = table["patient"].map(is_official_val).to_numpy(dtype=bool)
    return np.select(
        [fold_N == "test", (fold_N == "train_val") & val_N, fold_N == "train_val"],
        ["test", "val", "train"],
        default="",
    )


def is_official_val(patient: str) -> bool:
    """True for one patient in ten, by a hash of the name: more rows do not move a patient."""
    digest = hashlib.sha256(f"official/val/{patient}".encode()).digest()
    return int.from_bytes(digest[:8]) < VAL_SHARE * 2**64


SPLITS: dict[str, Callable[[pd.DataFrame], NDArray[np.str_]]] = {
    "official": official,
}
