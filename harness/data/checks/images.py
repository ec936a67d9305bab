"""What the pixels of a store show: blank images, negatives, black borders, changed files."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.data.checks.report import Check, Verdict
from harness.data.checks.subject import MAX_ROWS, MAX_SHOWN, Subject

INVERTED_LIKENESS = -0.1
"""Correlation with the mean film below which one is a negative: the two negatives among 499 real
films are at -0.12 and -0.46, the lowest of the others at 0.03."""
WIDE_BORDER = 0.25


class Wording(NamedTuple):
    """What a check of images is called, what it measures, and what it says."""

    title: str
    column: str
    none: str
    some: str
    verdict: Verdict = Verdict.DOUBT


BLANK = Wording(
    title="Blank images",
    column="gray levels between darkest and brightest",
    none="None.",
    some="Images that show nothing",
)
INVERTED = Wording(
    title="Negatives",
    column="likeness to the mean image",
    none="None: every image resembles the mean of all.",
    some="Images that seem to have black and white swapped",
)
BORDERS = Wording(
    title="Black borders",
    column="part of the area",
    none=f"No image has over {WIDE_BORDER:.0%} of its area in a black border.",
    some=f"Images with over {WIDE_BORDER:.0%} of their area in a black border",
    verdict=Verdict.NOTE,
)


def check_blank(subject: Subject) -> Check:
    """Images in which there is nothing."""
    return _name_those(subject, subject.is_blank_N, subject.pictures.spread_N, BLANK)


def check_inverted(subject: Subject) -> Check:
    """Images with black and white swapped."""
    likeness_N = subject.pictures.likeness_N
    is_inverted_N = (likeness_N < INVERTED_LIKENESS) & ~subject.is_blank_N
    return _name_those(subject, is_inverted_N, likeness_N, INVERTED)


def check_borders(subject: Subject) -> Check:
    """Images with a wide black border, which takes pixels from the chest."""
    border_N = subject.pictures.border_N
    is_wide_N = (border_N > WIDE_BORDER) & ~subject.is_blank_N
    return _name_those(subject, is_wide_N, border_N, BORDERS)


def _name_those(
    subject: Subject, is_odd_N: NDArray[np.bool_], measure_N: NDArray[np.number], wording: Wording
) -> Check:
    """A check that names the odd images, those first that are farthest from the others."""
    odd = np.flatnonzero(is_odd_N)
    if not len(odd):
        return Check(title=wording.title, verdict=Verdict.GOOD, summary=wording.none)
    distance_N = np.abs(measure_N - np.median(measure_N))
    odd = odd[np.argsort(-distance_N[odd], kind="stable")]
    images = subject.store.table["image"]
    rows = tuple(
        (images.iloc[row], str(subject.part_N[row]), round(float(measure_N[row]), 3))
        for row in odd[:MAX_ROWS]
    )
    return Check(
        title=wording.title,
        verdict=wording.verdict,
        summary=f"{wording.some}: {len(odd):,}.",
        columns=("image", "part", wording.column),
        rows=rows,
        images=tuple((row[0],) for row in rows[:MAX_SHOWN]),
    )


def check_pixels(subject: Subject) -> Check:
    """Whether the pixels are those that were stored, and what was left out when they were."""
    store, manifest = subject.store, subject.store.manifest
    title = "Stored pixels"
    try:
        store.verify()
    except HarnessError as error:
        return Check(title=title, verdict=Verdict.DOUBT, summary=f"{error}.")
    size = f"{len(store):,} images of {manifest.size_px} x {manifest.size_px} px"
    lost = manifest.failures
    return Check(
        title=title,
        verdict=Verdict.NOTE if lost else Verdict.GOOD,
        summary=f"{size}, unchanged since {manifest.created_at[:10]}; {len(lost):,} left out.",
        columns=("left out", "why") if lost else (),
        rows=tuple((failure.image, failure.reason) for failure in lost[:MAX_ROWS]),
    )
