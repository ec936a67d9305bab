"""Points of a space as rows of numbers, and back: what a model of the scores can measure.

Each range is one column from 0 to 1, in its logarithm where it is drawn so. A choice is a column
for each of its values, 0 but for the one taken, so that all are equally far apart. A parameter that
is not active lies in the middle: trials without it are neither near to nor far from any value.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.parameters import Choice, IntRange, NumericRange, Parameter
from harness.core.space import SearchSpace

FloatArray = NDArray[np.float64]

SHARE_REDRAWN = 0.1
"""Of the choices of a neighbour."""


class Axes:
    """The columns of a space."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.parameters = space.parameters

    @property
    def num_columns(self) -> int:
        return sum(_width(parameter) for parameter in self.parameters.values())

    def rows(self, points: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Points (active values by path) as N x `num_columns` numbers from 0 to 1."""
        rows = [
            [
                part
                for path, parameter in self.parameters.items()
                for part in _parts(parameter, point.get(path))
            ]
            for point in points
        ]
        return np.array(rows, dtype=float).reshape(len(points), self.num_columns)

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """A point by chance: each range evenly, in its logarithm where it has one."""
        return self.space.sample(lambda path, parameter: _drawn(parameter, rng))

    def near(
        self, point: Mapping[str, Any], step: float, rng: np.random.Generator
    ) -> dict[str, Any]:
        """A neighbour of a point: one value moves by about `step` of its range, others may, too."""
        moved = {path: rng.random() < 0.5 for path in self.parameters}
        moved[str(rng.choice(list(self.parameters)))] = True

        def value_of(path: str, parameter: Parameter) -> Any:
            if path not in point:
                return _drawn(parameter, rng)
            if not moved[path]:
                return point[path]
            if isinstance(parameter, Choice):
                return _drawn(parameter, rng) if rng.random() < SHARE_REDRAWN else point[path]
            return _value(parameter, _position(parameter, point[path]) + step * rng.normal())

        return self.space.sample(value_of)


def _width(parameter: Parameter) -> int:
    return len(parameter.choices) if isinstance(parameter, Choice) else 1


def _parts(parameter: Parameter, value: Any) -> list[float]:
    if isinstance(parameter, Choice):
        if value is None:
            return [1 / len(parameter.choices)] * len(parameter.choices)
        # One step from choice to choice is as long as a whole range: sqrt(2 * 0.7071 ** 2) is 1.
        return [math.sqrt(0.5) * (value == choice) for choice in parameter.choices]
    return [0.5 if value is None else _position(parameter, value)]


def _drawn(parameter: Parameter, rng: np.random.Generator) -> Any:
    if isinstance(parameter, Choice):
        return parameter.choices[int(rng.integers(len(parameter.choices)))]
    return _value(parameter, rng.random())


def _ends(parameter: NumericRange) -> tuple[float, float]:
    """Both bounds on the scale of the draw; a whole number's reach half a step further."""
    half = 0.5 if isinstance(parameter, IntRange) else 0.0
    low, high = parameter.low - half, parameter.high + half
    return (math.log(low), math.log(high)) if parameter.is_log else (float(low), float(high))


def _position(parameter: NumericRange, value: float) -> float:
    low, high = _ends(parameter)
    if low == high:
        return 0.5
    return ((math.log(value) if parameter.is_log else value) - low) / (high - low)


def _value(parameter: NumericRange, position: float) -> Any:
    """The value at a position of the range; beyond an end, the end."""
    low, high = _ends(parameter)
    value = low + min(max(position, 0.0), 1.0) * (high - low)
    value = math.exp(value) if parameter.is_log else value
    if isinstance(parameter, IntRange):
        value = round(value)
    return min(max(value, parameter.low), parameter.high)
