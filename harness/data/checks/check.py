"""`check_store`: every check of `CHECKS` on a store under a split.

To add a check, write a function from a `Subject` to a `Check` and name it in `CHECKS`. None raises
over what it finds: a leak is a verdict.
"""

from collections.abc import Callable

from harness.core.errors import HarnessError
from harness.core.progress import Progress, ignore
from harness.data.checks.images import check_blank, check_borders, check_inverted, check_pixels
from harness.data.checks.labels import check_labels, check_people
from harness.data.checks.leaks import check_patients, check_twins
from harness.data.checks.pictures import measure
from harness.data.checks.report import Check, StoreReport
from harness.data.checks.subject import Subject
from harness.data.splits import make_split, part_of_each, usual_split
from harness.data.store import ImageStore


def check_store(
    store: ImageStore,
    *,
    split: str = "",
    progress: Progress = ignore,
) -> StoreReport:
    """All checks of a store; reads every image.

    Args:
        split: Name of the split between whose parts leaks are looked for; without, `usual_split`.
        progress: Called with the number of images that are measured, and of all.

    Raises:
        HarnessError: There is no such split, or the store does not fit it.
    """
    split = split or usual_split(store)
    part_N = part_of_each(store.table, split, store.findings)
    with store.open_pixels() as pixels:
        subject = Subject(store, part_N, measure(pixels, progress=progress))
    manifest = store.manifest
    return StoreReport(
        source=manifest.source,
        is_synthetic=manifest.is_synthetic,
        attribution=manifest.attribution,
        fingerprint=store.fingerprint,
        num_images=len(store),
        num_patients=store.table["patient"].nunique() if manifest.has_patients else None,
        size_px=manifest.size_px,
        split=split,
        split_sha256=_split_hash(store, split),
        checks={name: check(subject) for name, check in CHECKS.items()},
    )


def _split_hash(store: ImageStore, split: str) -> str | None:
    try:
        return make_split(store, split).sha256
    except HarnessError:  # a patient in two parts, say, of which a check tells more
        return None


CHECKS: dict[str, Callable[[Subject], Check]] = {
    "patients": check_patients,
    "twins": check_twins,
    "labels": check_labels,
    "people": check_people,
    "blank": check_blank,
    "inverted": check_inverted,
    "borders": check_borders,
    "pixels": check_pixels,
}
