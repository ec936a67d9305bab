"""`StoreManifest`: what an image store says of itself and of where it came from."""

from pathlib import Path

from pydantic import Field, ValidationError

from harness.core.errors import HarnessError
from harness.core.files import read_json, sha256_of_json
from harness.core.recipe import Frozen, problems_of
from harness.core.records import now


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
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()


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
        told = {"created_at", "failures", "notes", "attribution", "inputs"}
        return sha256_of_json(self.model_dump(mode="json", exclude=told))


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
