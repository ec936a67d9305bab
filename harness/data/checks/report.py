"""What the checks of a store say: one `Check` each, together a `StoreReport`."""

from enum import StrEnum

from pydantic import Field

from harness.core.recipe import Frozen
from harness.core.records import now


class Verdict(StrEnum):
    """How bad it is, from the best to the worst.

    A `note` is worth knowing, a `doubt` worth looking at; after a `leak` no figure of the test set
    means anything.
    """

    GOOD = "good"
    NOTE = "note"
    DOUBT = "doubt"
    LEAK = "leak"


class Check(Frozen):
    """What one check found.

    Attributes:
        title: What was asked, in a few words.
        summary: The answer in a sentence.
        columns: Names of what stands in each of `rows`.
        images: Groups of image names to be shown side by side.
    """

    title: str
    verdict: Verdict
    summary: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | int | float | None, ...], ...] = ()
    images: tuple[tuple[str, ...], ...] = ()


class StoreReport(Frozen):
    """All checks of a store under a split; `split_sha256` is None where it cannot be made."""

    source: str
    is_synthetic: bool
    attribution: str
    fingerprint: str
    num_images: int
    num_patients: int | None
    size_px: int
    split: str
    split_sha256: str | None
    checks: dict[str, Check]
    created_at: str = Field(default_factory=now)

    @property
    def has_leak(self) -> bool:
        return any(check.verdict is Verdict.LEAK for check in self.checks.values())
