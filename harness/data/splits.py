"""Splits of a store into train, val and test that no patient crosses.

A split is a function from a store's table and its findings to the part of each row (`train`,
`val`, `test`, or empty for a row that is left out): to add one, write the function and name it in
`SPLITS`. A user's own lists are `file:FOLDER` (`split_lists.py`). A split is not stored: it is made
anew from the table, and its hash stands in every run and caption.

P patients, L findings, N images.
"""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import HarnessError, did_you_mean
from harness.core.findings import FINDINGS
from harness.data.nih_counts import NUM_PATIENTS
from harness.data.split_lists import PARTS, PREFIX, hash_of_parts, listed_parts
from harness.data.store import ImageStore

SplitRule = Callable[[pd.DataFrame, Sequence[str]], NDArray[np.str_]]
PIN = re.compile(r"#([0-9a-f]{8,64})$")

VAL_SHARE = 0.1
"""Part of the patients of `train_val` that the official split takes for validation."""
VAL_DRAW = "official/val/105"
"""Names the draw of validation patients: 105 is the first of 0, 1, 2, ... with which, on the
release, the share of every finding of more than 500 images differs by less than 10 % between train
and val. To redraw until the parts are balanced is rerandomization (Morgan & Rubin 2012,
doi:10.1214/12-AOS1008); no score of any network was looked at."""

DACNET_SEED = 42


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


def usual_split(store: ImageStore) -> str:
    """`as_given` for a store whose source gives train, val and test itself, else `official`."""
    return "as_given" if store.table["fold"].isin(("train", "val")).any() else "official"


def make_split(store: ImageStore, name: str) -> Split:
    """The split `name` of a store, as `split_table`.

    Raises:
        HarnessError: As `split_table`, with the store's path before it.
    """
    try:
        return split_table(store.table, name, findings=store.findings)
    except HarnessError as error:
        raise HarnessError(f"{store.path}: {error}") from None


def split_table(table: pd.DataFrame, name: str, *, findings: Sequence[str] = FINDINGS) -> Split:
    """The split `name` of the rows of `table`, which has the columns of `ImageStore.table`.

    Args:
        name: A name of `SPLITS` or `file:FOLDER`. `#` and the first 8 or more digits of a hash
            after it pin the split: any other is refused.

    Raises:
        HarnessError: There is no such split, the table does not fit it or its pin, a part has no
            images, or two parts share a patient.
    """
    pin = PIN.search(name)
    name = PIN.sub("", name)
    part_N = part_of_each(table, name, findings)
    _check_patients(table["patient"].to_numpy(), part_N, name)
    rows = {part: np.flatnonzero(part_N == part).astype(np.int64) for part in PARTS}
    for part, row in rows.items():
        if not len(row):
            raise HarnessError(f"the split {name!r} has no {part} images")
    images = table["image"].to_numpy(dtype=object)
    sha256 = hash_of_parts({part: map(str, images[row]) for part, row in rows.items()})
    if pin and not sha256.startswith(pin[1]):
        raise HarnessError(
            f"the split {name!r} is {sha256[:12]}, no longer {pin[1]}: its lists were changed, or "
            "are others on this machine; put back the former ones, or begin a new run"
        )
    return Split(name=name, sha256=sha256, **rows)


def part_of_each(table: pd.DataFrame, name: str, findings: Sequence[str]) -> NDArray[np.str_]:
    """The part of each row in the split `name`, empty for none; leaks are not looked for.

    Raises:
        HarnessError: There is no such split, or the table does not fit it.
    """
    name = PIN.sub("", name)
    if name.startswith(PREFIX):
        folder = Path(name.removeprefix(PREFIX)).resolve()
        return np.array(listed_parts(folder, table["image"].to_list()))
    if name not in SPLITS:
        known = ", ".join((*SPLITS, f"{PREFIX}FOLDER"))
        raise HarnessError(f"unknown split {name!r}{did_you_mean(name, SPLITS)}; known: {known}")
    return SPLITS[name](table, findings)


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


# The official split -----------------------------------------------------------------------------


def official(table: pd.DataFrame, findings: Sequence[str]) -> NDArray[np.str_]:
    """The release's own lists; validation is carved from `train_val` by patient, stratified.

    Raises:
        HarnessError: The store was made without the lists, or has parts of another source.
    """
    fold_N = table["fold"].to_numpy(dtype=str)
    if np.isin(fold_N, ("train", "val")).any():
        raise HarnessError(
            "the split 'official' is of NIH's own lists, and this store has parts of another "
            "source: set data.split to as_given"
        )
    if not np.isin(fold_N, ("train_val", "test")).any():
        raise HarnessError(
            "the split 'official' needs the release's lists, and this store was made without "
            "train_val_list.txt and test_list.txt"
        )
    is_train_val_N = fold_N == "train_val"
    of_patient = table[is_train_val_N].groupby("patient")[list(findings)].sum()
    is_val_N = is_train_val_N & table["patient"].isin(_val_patients(of_patient)).to_numpy()
    return np.select(
        [fold_N == "test", is_val_N, is_train_val_N], ["test", "val", "train"], default=""
    )


def _val_patients(num_positives: pd.DataFrame) -> list[str]:
    """A tenth of each stratum, those with the smallest hashes.

    So the choice does not depend on the order of rows, and one more patient moves at most one
    other, as long as the findings' order of rarity stays. The fraction that a tenth leaves is
    rounded up or down by the stratum's own hash.

    Args:
        num_positives: Positive images per patient (its index) and finding.
    """
    patients = num_positives.index.to_numpy(dtype=object)
    stratum_P = np.array(_strata(num_positives), dtype=object)
    draw_P = np.array([_draw(patient) for patient in patients])
    chosen: list[str] = []
    for stratum in np.unique(stratum_P):
        member_M = np.flatnonzero(stratum_P == stratum)
        num_val = math.floor(VAL_SHARE * len(member_M) + _draw(f"stratum/{stratum}"))
        chosen += list(patients[member_M[np.argsort(draw_P[member_M])[:num_val]]])
    return chosen


def _strata(num_positives: pd.DataFrame) -> list[str]:
    """Per patient the rarest of its findings, and to a power of two in how many images it is."""
    num_patients = (num_positives > 0).sum()
    rarest_first = num_patients.sort_values(kind="stable").index
    num_PL = num_positives[rarest_first].to_numpy(dtype=np.int64)
    rarest_P = (num_PL > 0).argmax(axis=1)
    num_bits_P = np.frexp(num_PL[np.arange(len(num_PL)), rarest_P])[1]
    return [
        f"{rarest_first[rarest]}/{num_bits}" if num_bits else ""
        for rarest, num_bits in zip(rarest_P, num_bits_P, strict=True)
    ]


def _draw(name: str) -> float:
    """A number in [0, 1) by the hash of a name."""
    digest = hashlib.sha256(f"{VAL_DRAW}/{name}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def as_given(table: pd.DataFrame, findings: Sequence[str]) -> NDArray[np.str_]:
    """The three parts that a source itself gives, such as ChestMNIST's.

    Raises:
        HarnessError: The source gives none.
    """
    fold_N = table["fold"].to_numpy(dtype=str)
    if not np.isin(fold_N, ("train", "val")).any():
        raise HarnessError(
            "the split 'as_given' needs a source that gives train, val and test itself, which this "
            "store's does not; set data.split to official or another"
        )
    return np.where(np.isin(fold_N, PARTS), fold_N, "")


# The splits of DannyNet's authors ---------------------------------------------------------------


def _rebuilt(*, test_share: float, val_share: float) -> SplitRule:
    """A rule: the patients as scikit-learn's `train_test_split` deals them, in two cuts.

    Strick et al. 2025 (arXiv:2505.06646) cut the test patients off the list of all, then the
    validation patients off the rest, both times with `random_state=42`. One patient more or less
    would deal all of them anew, so only the whole release is split so.
    """

    def rule(table: pd.DataFrame, findings: Sequence[str]) -> NDArray[np.str_]:
        patients = table["patient"].unique().tolist()
        if set(patients) != {str(number + 1) for number in range(NUM_PATIENTS)}:
            raise HarnessError(
                f"the splits of DannyNet's authors are of the {NUM_PATIENTS:,} patients of the "
                f"whole NIH release, and this table has {len(patients):,} or others"
            )
        patients.sort(key=int)  # the order of the release's table
        rest, test = _cut(patients, test_share)
        _, val = _cut(rest, val_share)
        part_of = dict.fromkeys(patients, "train") | dict.fromkeys(val, "val")
        part_of |= dict.fromkeys(test, "test")
        return table["patient"].map(part_of).to_numpy(dtype=str)

    return rule


def _cut(patients: list[str], share: float) -> tuple[list[str], list[str]]:
    """What is left of the patients, and a share of them, as `train_test_split` orders both."""
    # NumPy has frozen this generator, on which scikit-learn's splits rest.
    order = np.random.RandomState(DACNET_SEED).permutation(len(patients))
    num_cut = math.ceil(share * len(patients))
    return [patients[row] for row in order[num_cut:]], [patients[row] for row in order[:num_cut]]


SPLITS: dict[str, SplitRule] = {
    "official": official,
    "as_given": as_given,
    "dacnet_70_10_20": _rebuilt(test_share=0.20, val_share=0.125),
    "dannynet_2pct": _rebuilt(test_share=0.02, val_share=0.052),
}
