"""What a search space is made of: parameters with their ranges, and how they are searched."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from harness.core.errors import HarnessError, did_you_mean
from harness.core.recipe import Count, Frozen, Positive, check_path
from harness.core.registered import NameIn

Finite = Annotated[float, Field(allow_inf_nan=False)]


def _known_path(path: str) -> str:
    try:
        check_path(path)
    except HarnessError as error:
        raise ValueError(str(error)) from None
    return path


def _scalar(value: Any) -> Any:
    if not isinstance(value, (bool, int, float, str)) or value != value:
        raise ValueError(f"expected a number, a text, true or false, not {value!r}")
    return value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


RecipePath = Annotated[str, AfterValidator(_known_path)]
Scalar = Annotated[
    Any, AfterValidator(_scalar), WithJsonSchema({"type": ["boolean", "number", "string"]})
]
Values = Annotated[tuple[Scalar, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


def show_value(value: Any) -> str:
    """`5e-05`, `2`, `focal`, `True`: a value as tables and messages show it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


class Conditional(Frozen):
    """`when` holds the values that other recipe paths must have for the parameter to be searched.

    A path of `when` is another parameter of the space or a constant of its base.
    """

    when: dict[RecipePath, Values] = Field(default_factory=dict)


class NumericRange(Conditional):
    """A number between two bounds, both of which can be drawn."""

    kind: str
    low: Any
    high: Any
    default: Any

    @property
    def is_log(self) -> bool:
        """True where equal ratios, not equal differences, are equally likely."""
        return self.kind.startswith("log_")

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values at the edges of the range."""
        return (self.low, self.high)

    @property
    def range_text(self) -> str:
        """The bounds, for people."""
        return f"{show_value(self.low)} to {show_value(self.high)}{' (log)' * self.is_log}"

    def contains(self, value: Any) -> bool:
        """True for a number of the right kind from `low` to `high`, bounds included."""
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    @model_validator(mode="after")
    def _range_is_sound(self) -> Self:
        if self.is_log and self.low <= 0:
            raise ValueError(f"{self.kind} needs a low above 0, not {show_value(self.low)}")
        if self.low > self.high:
            low, high = show_value(self.low), show_value(self.high)
            raise ValueError(f"low {low} is above high {high}")
        if not self.contains(self.default):
            raise ValueError(f"default {show_value(self.default)} is outside {self.range_text}")
        return self


class FloatRange(NumericRange):
    """A real number; `log_float` is drawn uniformly in its logarithm."""

    kind: Literal["float", "log_float"]
    low: Finite
    high: Finite
    default: Finite

    def contains(self, value: Any) -> bool:
        """True for a number from `low` to `high`; a bound that went through a logarithm is in."""
        if super().contains(value):
            return True
        is_number = isinstance(value, float)
        return is_number and any(math.isclose(value, bound) for bound in self.ends)


class IntRange(NumericRange):
    """A whole number; `log_int` is drawn uniformly in its logarithm."""

    kind: Literal["int", "log_int"]
    low: int
    high: int
    default: int

    def contains(self, value: Any) -> bool:
        """True for a whole number from `low` to `high`, bounds included."""
        return isinstance(value, int) and super().contains(value)


class Choice(Conditional):
    """One of a few values, in no order."""

    kind: Literal["choice"]
    choices: Values
    default: Scalar

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every choice: none lies between others."""
        return self.choices

    @property
    def range_text(self) -> str:
        """The choices, for people."""
        return ", ".join(map(show_value, self.choices))

    def contains(self, value: Any) -> bool:
        """True for one of the choices; 1 and True are not the same choice."""
        return any(
            value == choice and isinstance(value, bool) == isinstance(choice, bool)
            for choice in self.choices
        )

    @model_validator(mode="after")
    def _choices_are_sound(self) -> Self:
        if len(set(self.choices)) < len(self.choices):
            raise ValueError(f"choices {list(self.choices)} name one value twice")
        if not self.contains(self.default):
            near = did_you_mean(str(self.default), map(str, self.choices))
            raise ValueError(f"default {self.default!r} is not one of the choices{near}")
        return self


Parameter = Annotated[FloatRange | IntRange | Choice, Field(discriminator="kind")]

KINDS: dict[str, type[FloatRange] | type[IntRange] | type[Choice]] = {
    "float": FloatRange,
    "log_float": FloatRange,
    "int": IntRange,
    "log_int": IntRange,
    "choice": Choice,
}


def _whole_as_int(epochs: float) -> float:
    return int(epochs) if float(epochs).is_integer() else epochs


Epochs = Annotated[
    Positive, AfterValidator(_whole_as_int), PlainSerializer(_whole_as_int, return_type=Any)
]
"""Above 0, shown and written as the whole number that it may be."""


class SearchSettings(Frozen):
    """How the space is searched.

    Attributes:
        sampler: `gp`, a Gaussian process over parameters and epochs, which learns most from each
            trial; `tpe`, Optuna's TPE, which takes milliseconds however many there are; or
            `random`, draws that learn nothing.
        scheduler: `asha` ends trials that lag behind the others at equal epochs.
        grace_epochs: Epochs that every trial is given before it can be ended; with more than one
            report an epoch it may be a fraction.
        reports_per_epoch: So often a trial is validated within each epoch, at its end included.
            Only the scheduler and the sampler hear of it: no number of a run depends on it, so it
            stands here, beside what else decides which trials end, and not in the recipe.
        reduction_factor: Of each `reduction_factor` trials that reach a rung, one goes on.
        num_startup_trials: Trials before the sampler trusts what it has seen; None: 4 for `gp`, 10
            for `tpe`.
    """

    sampler: Annotated[str, NameIn("search/samplers.py:SAMPLERS")] = "gp"
    scheduler: Literal["asha", "none"] = "asha"
    grace_epochs: Epochs = 4
    reports_per_epoch: Count = 1
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    num_startup_trials: Count | None = None
