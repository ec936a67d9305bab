"""What joins the parts of a split that nothing may join: patients, and copies of an image."""

import numpy as np

from harness.data.checks.report import Check, Verdict
from harness.data.checks.subject import MAX_ROWS, MAX_SHOWN, Subject
from harness.data.checks.twins import MAX_TWINS, MIN_SIMILARITY, Twin, find_twins
from harness.data.splits import PARTS


def check_patients(subject: Subject) -> Check:
    """Patients in more than one part."""
    title = "Patients in two parts of the split"
    if not subject.store.manifest.has_patients:
        return Check(
            title=title,
            verdict=Verdict.NOTE,
            summary="This source names no patients, so whether one is in two parts cannot be told; "
            "intervals are over images and too narrow.",
        )
    is_used_N = subject.part_N != ""
    frame = subject.store.table.loc[is_used_N, ["patient", "image"]]
    frame = frame.assign(part=subject.part_N[is_used_N])
    parts = frame.groupby("patient")["part"].agg(lambda part: " ".join(sorted(set(part))))
    shared = parts[parts.str.contains(" ")]
    if shared.empty:
        numbers = frame.groupby("part")["patient"].nunique()
        told = ", ".join(f"{numbers.get(part, 0):,} {part}" for part in PARTS)
        return Check(title=title, verdict=Verdict.GOOD, summary=f"None is: {told}.")
    num_images = frame["patient"].value_counts()
    rows = tuple((name, part, int(num_images[name])) for name, part in shared.items())
    return Check(
        title=title,
        verdict=Verdict.LEAK,
        summary=f"In more than one part: {len(shared):,}. What is learned of a patient in training "
        "is then scored in test.",
        columns=("patient", "parts", "images"),
        rows=rows[:MAX_ROWS],
    )


def check_twins(subject: Subject) -> Check:
    """Images of one part that are also, or nearly so, in another.

    Drawn images have few shapes, so among them only equal ones count.
    """
    title = "The same image in two parts"
    group_N = np.array([PARTS.index(part) if part else -1 for part in subject.part_N.tolist()])
    group_N[subject.is_blank_N] = -1
    twins = find_twins(subject.pictures.thumb_NTT, group_N)
    is_drawn = subject.store.manifest.is_synthetic
    if is_drawn:
        twins = [twin for twin in twins if _is_equal(subject, twin)]
    if not twins:
        alike = "pixels" if is_drawn else f"detail (correlation of {MIN_SIMILARITY} or more)"
        return Check(
            title=title,
            verdict=Verdict.GOOD,
            summary=f"None found: no two images of different parts have the same {alike}.",
        )
    table = subject.store.table
    rows = []
    for twin in twins[:MAX_ROWS]:
        told = [
            (table["image"].iloc[row], str(subject.part_N[row]), table["patient"].iloc[row])
            for row in (twin.first, twin.second)
        ]
        how = "identical" if _is_equal(subject, twin) else f"{twin.similarity:.3f}"
        rows.append((*told[0], *told[1], how))
    at_least = "at least " if len(twins) == MAX_TWINS else ""
    return Check(
        title=title,
        verdict=Verdict.LEAK,
        summary="Pairs of images that are the same, or copies of one that were saved, resized or "
        f"brightened anew: {at_least}{len(twins):,}.",
        columns=("image", "part", "patient", "image", "part", "patient", "likeness"),
        rows=tuple(rows),
        images=tuple((row[0], row[3]) for row in rows[:MAX_SHOWN]),
    )


def _is_equal(subject: Subject, twin: Twin) -> bool:
    images = subject.store.images
    return np.array_equal(images[twin.first], images[twin.second])
