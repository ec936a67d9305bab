"""`Bundle`: a folder that holds a trained network and all that using it needs; no code, no pickle.

`bundle.json` (what is known of it), `recipe.json`, `weights.safetensors` and `card.md` for people.
The name of a bundle says whose it is; a registry may add a version.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, ValidationError

from harness.core.errors import HarnessError
from harness.core.files import read_json, sha256_of_file
from harness.core.recipe import Frozen, Recipe, problems_of
from harness.core.records import Provenance
from harness.models.seen import Seen

BUNDLE_FILE, RECIPE_FILE = "bundle.json", "recipe.json"
WEIGHTS_FILE, CARD_FILE = "weights.safetensors", "card.md"
FILES = (BUNDLE_FILE, RECIPE_FILE, WEIGHTS_FILE, CARD_FILE)
Value = TypeVar("Value", bound=Frozen)

NOT_A_DEVICE = "For research alone. Not a medical device: no diagnosis may rest on it."
OF_DRAWN_IMAGES = "this model was trained on drawn images and knows nothing of X-rays."


class Figure(Frozen):
    """A metric with its 95 % interval over patients; None where there is too little for one."""

    value: float
    low: float | None = None
    high: float | None = None


class PartFigures(Frozen):
    """How the network did on one part of a split.

    Attributes:
        macro: Means over the findings that have the metric, by metric.
        findings: By finding and metric.
        num_positives: Positive images by finding.
    """

    num_images: int
    num_patients: int
    macro: dict[str, Figure] = Field(default_factory=dict)
    findings: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    num_positives: dict[str, int] = Field(default_factory=dict)


class Subgroup(Frozen):
    """Macro figures of some of the patients."""

    attribute: str
    group: str
    num_images: int
    num_patients: int
    macro: dict[str, Figure] = Field(default_factory=dict)


class Input(Frozen):
    """What the network is shown, from an image to its input; what `export` documents.

    A gray image is squeezed to `size_px` (antialiased bilinear), as image stores are, resized to
    `resize_px`, and its centre `input_px` cut out; [0, 255] becomes [0, 1]. The network itself
    subtracts `mean` and divides by `std`.
    """

    size_px: int
    resize_px: int
    input_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Agreement(Frozen):
    """How the bundle, loaded again, agreed with the run's stored validation scores.

    Attributes:
        trained_on, checked_on: Devices.
        largest_difference: Of all scores; 0 is bit-equal.
        tolerance: The largest difference that was allowed.
    """

    num_images: int
    trained_on: str
    checked_on: str
    largest_difference: float
    tolerance: float


class BundleFacts(Frozen):
    """What `bundle.json` holds.

    Attributes:
        name: Of the run, such as `dannynet/t0007-3fa2c1`.
        thresholds: On scores, per finding; None where validation had nothing to tune on.
        temperature: Divides logits to make scores calibrated probabilities; of validation.
        seen: X-rays that the weights were trained on.
        agreement: None only while the bundle is being written.
        test: Only of a run whose test set had been scored before.
    """

    format: Literal[1] = 1
    name: str
    run_id: str
    findings: tuple[str, ...]
    thresholds: dict[str, float | None]
    threshold_rule: str
    temperature: float = Field(gt=0)
    input: Input
    is_synthetic: bool
    label_version: str
    attribution: str
    has_patients: bool
    store: str
    provenance: Provenance
    best_epoch: int
    seen: tuple[Seen, ...]
    weights_sha256: str
    agreement: Agreement | None = None
    validation: PartFigures
    subgroups: tuple[Subgroup, ...] = ()
    test: PartFigures | None = None


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk.

    Attributes:
        title: What people call it: the run's name, or a registry's `dannynet, version 3`.
        card: Markdown.
    """

    folder: Path
    facts: BundleFacts
    recipe: Recipe
    card: str
    title: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The bundle in a folder.

        Raises:
            HarnessError: There is none, or a file of it is missing, damaged or another one's.
        """
        folder = Path(folder).resolve()
        if not (folder / BUNDLE_FILE).is_file():
            raise HarnessError(
                f"{folder}: no {BUNDLE_FILE} in it; name a folder that `harness export` has written"
            )
        facts = _parsed(folder / BUNDLE_FILE, BundleFacts)
        recipe = _parsed(folder / RECIPE_FILE, Recipe)
        _check(folder, facts, recipe)
        card = (folder / CARD_FILE).read_text(encoding="utf-8", errors="replace")
        return cls(folder, facts, recipe, card, title=facts.name)

    def entitled(self, title: str) -> Self:
        """The same under another title."""
        return replace(self, title=title)

    @property
    def caution(self) -> str:
        """What is said before any answer."""
        synthetic = f" SYNTHETIC: {OF_DRAWN_IMAGES}" if self.facts.is_synthetic else ""
        return NOT_A_DEVICE + synthetic

    @property
    def name(self) -> str:
        """Of the run."""
        return self.facts.name

    @property
    def findings(self) -> tuple[str, ...]:
        return self.facts.findings

    @property
    def thresholds(self) -> dict[str, float | None]:
        """On scores, per finding."""
        return self.facts.thresholds

    @property
    def temperature(self) -> float:
        """Divides logits to make scores calibrated probabilities."""
        return self.facts.temperature

    @property
    def size_px(self) -> int:
        """Side of the squares that the network is fed from."""
        return self.facts.input.size_px

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS_FILE


def _check(folder: Path, facts: BundleFacts, recipe: Recipe) -> None:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise HarnessError(f"{folder}: damaged bundle ({missing[0]} is not there); write it again")
    if recipe.run_id != facts.run_id:
        raise HarnessError(f"{folder}: {RECIPE_FILE} is not the one of {facts.name}")
    if set(facts.thresholds) != set(facts.findings):
        raise HarnessError(f"{folder}/{BUNDLE_FILE}: thresholds are not those of its findings")
    if sha256_of_file(folder / WEIGHTS_FILE) != facts.weights_sha256:
        raise HarnessError(f"{folder}: {WEIGHTS_FILE} is damaged, or another network's")


def _parsed(path: Path, kind: type[Value]) -> Value:
    try:
        return kind.model_validate(read_json(path))
    except FileNotFoundError:
        raise HarnessError(f"{path.parent}: damaged bundle ({path.name} is not there)") from None
    except ValidationError as error:
        where, what = problems_of(error)[0]
        raise HarnessError(f"{path}: {where}: {what}") from None
    except ValueError as error:
        raise HarnessError(f"{path}: not JSON ({error})") from None
