"""`Recipe`: one frozen description of an experiment, which also names it.

Everything that changes the result of a training run stands here; where it runs is a `Machine`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import sha256_of_json
from harness.core.registered import NameIn
from harness.core.yaml_file import describe_invalid

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Frozen(BaseModel):
    """A value: never changed after it is built, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class DataRecipe(Frozen):
    """Which images, and how they are cut for the network when it is evaluated.

    Attributes:
        store: Fingerprint of the image store, filled in when the recipe is bound to one.
        split: Name of the patient split.
        resize_px: The image is resized to this side, then the centre `input_px` are cut out.
        input_px: Side of the square that the network sees.
    """

    store: str = ""
    split: str = "official"
    resize_px: Count = 256
    input_px: Count = 224

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.input_px > self.resize_px:
            raise ValueError(
                f"data.input_px {self.input_px} is larger than data.resize_px {self.resize_px}"
            )
        return self


RANDOM, IMAGENET = "none", "imagenet"
"""What `model.weights` may be beside the path of a file."""


class ModelRecipe(Frozen):
    """A network of the zoo.

    Attributes:
        name: A name of the zoo or of timm; a tag after the dot names exact pre-trained weights.
        weights: `none`, `imagenet`, or the path of a safetensors file or a state dict.
        drop_path: Stochastic depth rate.
    """

    name: str = "densenet121.tv_in1k"
    weights: str = IMAGENET
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def network(self) -> str:
        """The name, with its tag only where the network starts from the tag's own weights."""
        return self.name if self.weights == IMAGENET else self.name.partition(".")[0]


class LossRecipe(Frozen):
    """`alpha` weighs the positive term against the negative one; 1 is the published focal loss.

    `gamma` and `alpha` belong to `focal`. `reduction` is over the findings; images are averaged.
    """

    name: Annotated[str, NameIn("training/losses.py:LOSSES")] = "focal"
    gamma: NonNegative = 2.0
    alpha: Positive = 1.0
    reduction: Literal["mean", "sum"] = "mean"

    @model_validator(mode="after")
    def _only_what_the_loss_has(self) -> Self:
        if self.name == "bce" and (self.gamma, self.alpha) != (2.0, 1.0):
            raise ValueError("loss.gamma and loss.alpha belong to loss.name: focal")
        return self


class OptimRecipe(Frozen):
    """`layer_decay` < 1 lowers the learning rate of each earlier layer by that factor."""

    name: Annotated[str, NameIn("training/optim.py:OPTIMIZERS")] = "adamw"
    lr: Positive = 5e-5
    weight_decay: NonNegative = 1e-5
    momentum: Fraction = 0.9
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0


class ScheduleRecipe(Frozen):
    """How the learning rate moves: per epoch for `plateau`, per step for warm-up and `cosine`.

    Attributes:
        patience: Epochs without a lower validation loss that `plateau` bears.
        factor: What `plateau` multiplies the learning rate by.
        warmup_epochs: Epochs of linear warm-up from zero.
        min_lr: The learning rate at which `cosine` ends and below which `plateau` does not go.
    """

    name: Annotated[str, NameIn("training/optim.py:SCHEDULES")] = "plateau"
    patience: Annotated[int, Field(ge=0)] = 1
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    warmup_epochs: NonNegative = 0.0
    min_lr: NonNegative = 0.0


class AugmentRecipe(Frozen):
    """Per-sample random changes of a training image.

    Attributes:
        crop: Random resized crop (True), or the evaluation cut (False).
        crop_scale_min: Smallest area of the crop, as a part of the image; the largest is 1.
        flip: Probability of a horizontal flip.
        jitter: Brightness and contrast factors are drawn from [1 - jitter, 1 + jitter].
    """

    crop: bool = True
    crop_scale_min: Annotated[float, Field(gt=0, le=1)] = 0.08
    flip: Fraction = 0.5
    jitter: Fraction = 0.1


class TrainRecipe(Frozen):
    """How long, in which batches, and which epoch is kept.

    Attributes:
        early_stop_epochs: Training ends after this many epochs without a better `keep` metric.
        keep: The validation metric that chooses the epoch whose weights are kept.
    """

    batch_size: Count = 8
    epochs: Count = 25
    early_stop_epochs: Count = 5
    keep: Literal["val/auroc_macro", "val/loss"] = "val/auroc_macro"

    @property
    def is_lower_better(self) -> bool:
        """True where the lowest value of `keep` is the best."""
        return self.keep == "val/loss"


class EvaluationRecipe(Frozen):
    """How a threshold is chosen for each finding, on validation."""

    threshold_rule: Annotated[str, NameIn("evaluation/thresholds.py:RULES")] = "f1_shrunk"


class Recipe(Frozen):
    """One experiment. Two runs with equal recipes are the same experiment."""

    data: DataRecipe = DataRecipe()
    model: ModelRecipe = ModelRecipe()
    loss: LossRecipe = LossRecipe()
    optim: OptimRecipe = OptimRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    train: TrainRecipe = TrainRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def run_id(self) -> str:
        """SHA-256 of the canonical JSON: 64 hexadecimal digits."""
        return sha256_of_json(self.model_dump(mode="json"))

    def get(self, path: str) -> Any:
        """The value at a dotted path such as `optim.lr`.

        Raises:
            HarnessError: There is no such path.
        """
        check_path(path)
        value: Any = self
        for name in path.split("."):
            value = getattr(value, name)
        return value

    def with_values(self, values: dict[str, Any]) -> Self:
        """A copy with the values at dotted paths replaced, checked as a whole.

        Raises:
            HarnessError: A path does not exist or the recipe would not be valid.
        """
        tree = self.model_dump(exclude_defaults=False)
        for path, value in values.items():
            check_path(path)
            *parents, leaf = path.split(".")
            node = tree
            for name in parents:
                node = node[name]
            node[leaf] = value
        try:
            return type(self).model_validate(tree)
        except ValidationError as error:
            found = (describe_invalid(dict(item), model=Recipe) for item in error.errors())
            raise HarnessError("; ".join(found)) from None

    def differences(self, other: "Recipe") -> dict[str, tuple[Any, Any]]:
        """`{path: (mine, theirs)}` for every dotted path at which the two recipes differ."""
        pairs = {path: (self.get(path), other.get(path)) for path in recipe_paths()}
        return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}

    @field_validator("seed")
    @classmethod
    def _seed_fits_torch(cls, seed: int) -> int:
        if seed >= 2**63:
            raise ValueError("a seed must be below 2**63")
        return seed


def recipe_paths() -> list[str]:
    """All dotted paths of a recipe, in the order in which they are written."""
    paths = []
    for name, field in Recipe.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            paths += [f"{name}.{leaf}" for leaf in section.model_fields]
        else:
            paths.append(name)
    return paths


def check_path(path: str) -> None:
    """Raise `HarnessError` with a suggestion unless `path` is a dotted recipe path."""
    if path not in recipe_paths():
        raise HarnessError(f"unknown parameter {path!r}{did_you_mean(path, recipe_paths())}")


def problems_of(error: ValidationError) -> list[tuple[str, str]]:
    """Pydantic's errors as (dotted place, plain message) pairs."""
    return [
        (".".join(str(part) for part in item["loc"]), item["msg"].removeprefix("Value error, "))
        for item in error.errors()
    ]
