"""What must hold between the parts of a search space: its base, parameters and settings."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from harness.core.errors import HarnessError, did_you_mean
from harness.core.parameters import Choice, FloatRange, Parameter, SearchSettings
from harness.core.recipe import Recipe
from harness.core.yaml_file import Place, describe_invalid

Parameters = Mapping[str, Parameter]
Found = list[tuple[Place, str]]
"""(place in the file, message) of each problem."""

NOT_SEARCHED = ("seed", "data.store", "data.split", "evaluation.threshold_rule")
"""Trials that differ in one of these were not scored by the same measure."""

MAX_CORNERS = 4096
MAX_REPORTS = 100
REPORT_TOLERANCE = 0.01
"""Of the distance of two reports: 0.333 epochs are a third."""


def find_problems(base: Recipe, parameters: Parameters, settings: SearchSettings) -> Found:
    """Everything in a space that does not fit together."""
    found: Found = []
    for path, parameter in parameters.items():
        found += _value_problems(path, parameter)
        found += _condition_problems(path, parameter, parameters)
    found += _cycle_problems(parameters)
    found += _grace_problems(base, parameters, settings)
    return found or _corner_problems(base, parameters)


def in_order(parameters: Parameters) -> list[str]:
    """The paths, each after those that its `when` names.

    Raises:
        CycleError: There is no such order.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for path, parameter in parameters.items():
        sorter.add(path, *(name for name in parameter.when if name in parameters))
    return list(sorter.static_order())


def is_active(parameter: Parameter, *, base: Recipe, values: Mapping[str, Any]) -> bool:
    """True where the recipe of `values` on `base` has what the parameter's `when` asks for."""
    return all(
        (values[path] if path in values else base.get(path)) in allowed
        for path, allowed in parameter.when.items()
    )


# Single values ------------------------------------------------------------------------------


def _value_problems(path: str, parameter: Parameter) -> Found:
    """Bounds, choices and the default must be values that the recipe takes at `path`."""
    place: Place = ("space", path)
    if path in NOT_SEARCHED:
        return [(place, f"{path} is not searched: trials that differ in it cannot be compared")]
    if isinstance(parameter, FloatRange) and _leaf(path)[0] is int:
        return [((*place, "kind"), f"{path} is a whole number: use int, log_int or choice")]
    checked = [
        (place + inner, _refusal(path, value, place + inner))
        for inner, value in _written_values(parameter)
    ]
    return [(where, message) for where, message in checked if message]


def _written_values(parameter: Parameter) -> list[tuple[Place, Any]]:
    if isinstance(parameter, Choice):
        return [(("choices", index), value) for index, value in enumerate(parameter.choices)]
    return [((name,), getattr(parameter, name)) for name in ("low", "high", "default")]


def _refusal(path: str, value: Any, place: Place) -> str:
    """Why the recipe does not take the value, written at `place`, at `path`; empty if it does."""
    try:
        _checker(path).validate_python(value, strict=True)
    except ValidationError as error:
        return describe_invalid({**error.errors()[0], "loc": ()}, model=Recipe, under=place)
    return ""


def _leaf(path: str) -> tuple[Any, list[Any]]:
    """The type of a recipe path, and what else is asked of its values."""
    model: Any = Recipe
    for name in path.split("."):
        field = model.model_fields[name]
        model = field.annotation
    return field.annotation, field.metadata


@cache
def _checker(path: str) -> TypeAdapter[Any]:
    annotation, metadata = _leaf(path)
    return TypeAdapter(Annotated[annotation, *metadata] if metadata else annotation)


# Conditions ---------------------------------------------------------------------------------


def _condition_problems(path: str, parameter: Parameter, parameters: Parameters) -> Found:
    """Each value of a `when` must be one that its path can have."""
    found: Found = []
    for name, allowed in parameter.when.items():
        place: Place = ("space", path, "when", name)
        for value in allowed:
            if name not in parameters:
                message = _refusal(name, value, place)
            else:
                message = _never(name, value, parameters[name])
            found += [(place, message)] if message else []
    return found


def _never(name: str, value: Any, parameter: Parameter) -> str:
    if parameter.contains(value):
        return ""
    near = did_you_mean(str(value), map(str, parameter.ends))
    return f"{name} is never {value!r} in this space{near}"


def _cycle_problems(parameters: Parameters) -> Found:
    try:
        in_order(parameters)
    except CycleError as error:
        circle = error.args[1]
        message = f"the conditions go in a circle: {' -> '.join(circle)}"
        return [(("space", circle[0], "when"), message)]
    return []


# The scheduler ------------------------------------------------------------------------------


def _grace_problems(base: Recipe, parameters: Parameters, settings: SearchSettings) -> Found:
    """ASHA must wait for a plateau's first drop of the learning rate, and end before training."""
    if settings.scheduler == "none":
        return []
    place: Place = ("search", "grace_epochs")
    grace = settings.grace_epochs
    epochs = max(_numbers("train.epochs", base, parameters))
    found: Found = []
    if grace >= epochs:
        todo = f"give train.epochs {math.floor(grace) + 1} or more, or scheduler none"
        found.append(
            (place, f"grace_epochs {grace} leaves none of {epochs} epochs to save: {todo}")
        )
    if message := _between_reports(settings):
        found.append((place, message))
    if "plateau" in possible("schedule.name", base, parameters):
        # torch counts `patience` bad epochs after a best one, which is the first at the earliest.
        patience = max(_numbers("schedule.patience", base, parameters))
        first_drop = patience + 2
        if grace < first_drop:
            why = f"with patience {patience} the plateau schedule lowers lr after epoch"
            todo = f"{first_drop} at the earliest; give {first_drop} or more"
            found.append((place, f"grace_epochs {grace} is too short: {why} {todo}"))
    return found


def _between_reports(settings: SearchSettings) -> str:
    """What is wrong where no report comes when the grace ends; empty where one does."""
    grace, num_reports = settings.grace_epochs, settings.reports_per_epoch
    nearest = max(1, round(grace * num_reports))
    if math.isclose(grace * num_reports, nearest, abs_tol=REPORT_TOLERANCE):
        return ""
    needed = Fraction(grace).limit_denominator(MAX_REPORTS).denominator
    return (
        f"grace_epochs {grace} falls between reports, of which reports_per_epoch {num_reports} "
        f"gives {num_reports} an epoch: give reports_per_epoch {needed}, "
        f"or grace_epochs {nearest / num_reports:g}"
    )


def possible(path: str, base: Recipe, parameters: Parameters) -> tuple[Any, ...]:
    """The recipe's values at `path`, or the ends of their range."""
    if path not in parameters:
        return (base.get(path),)
    parameter = parameters[path]
    return (*parameter.ends, base.get(path)) if parameter.when else parameter.ends


def _numbers(path: str, base: Recipe, parameters: Parameters) -> list[int]:
    """As `possible`, without values that are a mistake of their own."""
    values = possible(path, base, parameters)
    return [value for value in values if isinstance(value, int)] or [base.get(path)]


# The recipe as a whole ----------------------------------------------------------------------


def _corner_problems(base: Recipe, parameters: Parameters) -> Found:
    """The first point, of the default and the corners, at which the recipe is not valid."""
    for values in corners(base, parameters):
        try:
            base.with_values(values)
        except HarnessError as error:
            shown = ", ".join(f"{path} {value}" for path, value in values.items())
            return [(("space",), f"no valid recipe at {shown}: {error}")]
    return []


def corners(base: Recipe, parameters: Parameters) -> Iterator[dict[str, Any]]:
    """Active values at the default point and then at the corners of a space.

    Of more than 4096 corners, as many are drawn by lot, always the same ones.
    """
    order = in_order(parameters)
    default = tuple(parameters[path].default for path in order)
    for point in itertools.chain([default], _points([parameters[path].ends for path in order])):
        values: dict[str, Any] = {}
        for path, value in zip(order, point, strict=True):
            if is_active(parameters[path], base=base, values=values):
                values[path] = value
        yield values


def _points(ends: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    if math.prod(len(values) for values in ends) <= MAX_CORNERS:
        yield from itertools.product(*ends)
        return
    lot = random.Random(0)
    for _ in range(MAX_CORNERS):
        yield tuple(lot.choice(values) for values in ends)
