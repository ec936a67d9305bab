"""What the table of a store says: label version, shares of the findings, ages, sexes and views."""

import numpy as np
from numpy.typing import NDArray

from harness.data.checks.report import Check, Verdict
from harness.data.checks.subject import MAX_ROWS, Subject
from harness.data.nih_counts import LABEL_COUNTS, NUM_IMAGES, SAME_LABELS, V2020
from harness.data.splits import PARTS
from harness.data.store import ImageStore

MAX_AGE = 100
COMMON_FINDING = 500
UNEVEN_SHARE = 0.1


def check_labels(subject: Subject) -> Check:
    """Which label version it is, and how the findings' shares compare."""
    store = subject.store
    columns, rows, uneven = _shares(subject)
    verdict, said = Verdict.NOTE, "No release is known to compare this source with."
    if _is_nih(store):
        verdict, said = _label_version(store)
    if num_unknown := int((~store.is_known_NL).sum()):
        said += f" {num_unknown:,} labels are not known: training and every figure pass over them."
    if uneven:
        verdict = max(verdict, Verdict.NOTE, key=list(Verdict).index)
        said += (
            f" Train and val differ by over {UNEVEN_SHARE:.0%} in the share of {', '.join(uneven)}."
        )
    return Check(
        title="Labels and their shares", verdict=verdict, summary=said, columns=columns, rows=rows
    )


def _shares(
    subject: Subject,
) -> tuple[tuple[str, ...], tuple[tuple[str | float | int | None, ...], ...], list[str]]:
    """Per finding its positives, its share of each part and of the release; the uneven ones.

    Shares are of the images whose label is known.
    """
    store = subject.store
    share_PL = [_share(store, subject.part_N == part) for part in PARTS]
    num_positive_L = store.label_NL.sum(axis=0)
    rows: list[tuple[str | float | int | None, ...]] = []
    uneven = []
    for column, finding in enumerate(store.findings):
        shares = [None if np.isnan(share_L[column]) else share_L[column] for share_L in share_PL]
        row = (finding, int(num_positive_L[column]), *shares)
        if _is_nih(store):
            row = (*row, sum(V2020[finding]) / NUM_IMAGES)
        rows.append(row)
        train, val = shares[:2]
        if num_positive_L[column] > COMMON_FINDING and train and val is not None:
            uneven += [finding] if abs(val / train - 1) > UNEVEN_SHARE else []
    columns = ("finding", "positives", *PARTS, *(["whole release"] if _is_nih(store) else []))
    return columns, tuple(rows), uneven


def _share(store: ImageStore, is_part_N: NDArray[np.bool_]) -> list[float]:
    """Per finding, positives among the known labels of a part; NaN where none is known."""
    num_known_L = store.is_known_NL[is_part_N].sum(axis=0)
    num_positive_L = store.label_NL[is_part_N].sum(axis=0)
    share_L = np.divide(
        num_positive_L, num_known_L, out=np.full(len(num_known_L), np.nan), where=num_known_L > 0
    )
    return [float(share) for share in share_L]


def _is_nih(store: ImageStore) -> bool:
    return store.manifest.source == "nih" and set(store.findings) == set(V2020)


def _label_version(store: ImageStore) -> tuple[Verdict, str]:
    """The version whose counts a whole NIH store has; a part of the release cannot be told."""
    declared, num_lost = store.manifest.label_version, len(store.manifest.failures)
    if len(store) + num_lost != NUM_IMAGES:
        return Verdict.NOTE, (
            f"{len(store):,} of the release's {NUM_IMAGES:,} images: the label version cannot be "
            f"told from counts; the store says {declared}."
        )
    counts = dict(zip(store.findings, store.label_NL.sum(axis=0).tolist(), strict=True))
    for version, expected in LABEL_COUNTS.items():
        off = sum(abs(counts[finding] - number) for finding, number in expected.items())
        if off <= len(expected) * num_lost:
            is_as_said = version in (declared, SAME_LABELS.get(declared))
            told = "" if is_as_said else f", though the store says {declared}"
            verdict = Verdict.GOOD if is_as_said else Verdict.DOUBT
            return verdict, f"The counts of all findings are those of {version}{told}."
    return Verdict.DOUBT, (
        f"The counts are of no known label version, though the store says {declared}: figures "
        "cannot be compared with published ones."
    )


def check_people(subject: Subject) -> Check:
    """Ages and sexes that cannot be."""
    table = subject.store.table
    is_old_N = (table["age"] > MAX_AGE).fillna(False).to_numpy(dtype=bool)
    num_sexes = table[table["sex"] != ""].groupby("patient")["sex"].nunique()
    num_both = int((num_sexes > 1).sum())
    unknown = {
        "age": int(table["age"].isna().sum()),
        "sex": int((table["sex"] == "").sum()),
        "view": int((table["view"] == "").sum()),
    }
    told = {
        f"images of people over {MAX_AGE}": int(is_old_N.sum()),
        "patients of two sexes": num_both,
        **{f"images without {what}": number for what, number in unknown.items()},
    }
    verdict = Verdict.NOTE if any(told.values()) else Verdict.GOOD
    if is_old_N.any() or num_both:
        verdict = Verdict.DOUBT
    counts = [f"{what}: {number:,}" for what, number in told.items() if number]
    summary = "; ".join(counts).capitalize() or "Age, sex and view are known for every image"
    old = table.loc[is_old_N, ["image", "patient", "age"]]
    return Check(
        title="Ages, sexes and views",
        verdict=verdict,
        summary=f"{summary}.",
        columns=("image", "patient", "age") if len(old) else (),
        rows=tuple((image, patient, int(age)) for image, patient, age in old[:MAX_ROWS].to_numpy()),
    )
