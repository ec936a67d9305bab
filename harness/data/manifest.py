"""`StoreManifest`: what an image store says of itself and of where it came from."""

import re
from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from harness.core.errors import HarnessError
from harness.core.files import read_json, sha256_of_json
from harness.core.findings import FINDINGS, NO_FINDING
from harness.core.recipe import Frozen, problems_of
from harness.core.records import now

OTHER_COLUMNS = ("image", "patient", "age", "sex", "view", "fold")
"""Columns of a store's table beside those of its findings."""
FINDING_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}")


class Failure(Frozen):
    """An image of the source that is not in the store, and why."""

    image: str
    reason: str


class StoreOrigin(Frozen):
    """Where a store's images came from; what its writer has to say.

    Attributes:
        source: `nih`, `phantom`, ...
        is_synthetic: No image shows a patient.
        labels_sha256: Hash of the label file; empty where the labels have no file, and then the
            hash of the table takes its place.
        inputs: What the store was made from: names to hashes or settings.
        box_frame_px: Boxes are in pixels of a square image of this side.
        findings: Names of the label columns, in the order in which networks and metrics have them.
        has_patients: False where nobody knows which images show one patient: each image then
            stands for a patient of its own, under the image's name.
        failures: Images that could not be stored.
        notes: What was cleaned on the way, for people to read.
    """

    source: str
    is_synthetic: bool
    label_version: str
    labels_sha256: str = ""
    attribution: str
    inputs: dict[str, str] = Field(default_factory=dict)
    box_frame_px: int = Field(ge=1)
    findings: tuple[str, ...] = FINDINGS
    has_patients: bool = True
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    @field_validator("findings")
    @classmethod
    def _can_be_columns(cls, findings: tuple[str, ...]) -> tuple[str, ...]:
        """Names of findings become columns, names of metrics and headings."""
        for name in findings:
            if not FINDING_NAME.fullmatch(name):
                raise ValueError(
                    f"the finding {name!r}: begin with a letter or a digit, and use no more than "
                    "60 letters, digits, blanks, '_', '.' and '-'"
                )
            if name in OTHER_COLUMNS or name in (NO_FINDING, "macro"):
                raise ValueError(f"a finding cannot be called {name!r}, which means something else")
        if not findings or len(set(findings)) < len(findings):
            raise ValueError("the findings must be one or more, each once")
        return findings


class StoreManifest(StoreOrigin):
    """The origin of a store, and what is in it."""

    num_images: int
    size_px: int
    images_sha256: str
    table_sha256: str
    boxes_sha256: str
    created_at: str = Field(default_factory=now)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that names the content: not of the path, the time, failures or notes."""
        # Whether there are patients is seen from the table, too, whose hash is told.
        untold = {"created_at", "failures", "notes", "attribution", "inputs", "has_patients"}
        if self.findings == FINDINGS:
            untold.add("findings")  # so that stores keep the names that recipes know them by
        return sha256_of_json(self.model_dump(mode="json", exclude=untold))


def read_manifest(path: Path) -> StoreManifest:
    """The manifest of the store in the folder `path`.

    Raises:
        HarnessError: There is no such folder, or it is not a store.
    """
    if not path.is_dir():
        raise HarnessError(f"{path}: no such folder; make a store with `harness data prepare nih`")
    if not (path / "manifest.json").exists():
        raise HarnessError(
            f"{path}: not an image store (no manifest.json); "
            "make one with `harness data prepare nih`"
        )
    try:
        return StoreManifest.model_validate(read_json(path / "manifest.json"))
    except ValidationError as error:
        where, what = problems_of(error)[0]
        raise HarnessError(f"{path}/manifest.json: {where}: {what}") from None
    except ValueError as error:
        raise HarnessError(f"{path}/manifest.json: not JSON ({error})") from None
