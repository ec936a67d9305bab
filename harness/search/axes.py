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
BoolArray = NDArray[np.bool_]

SHARE_REDRAWN = 0.1
"""Of the choices of a neighbour."""


class Axes:
    """The columns of a space, and its places.

    A place has a number from 0 to 1 for each parameter, active or not: N places are an array
    N x P, of which `rows_at` makes what a model measures, and `point_at` a point. Many places are
    a few operations on arrays, where as many points would take a hundred times as long.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.parameters = space.parameters

    @property
    def num_columns(self) -> int:
        return sum(_width(parameter) for parameter in self.parameters.values())

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """A point by chance: each range evenly, in its logarithm where it has one."""
        return self.space.sample(lambda path, parameter: _drawn(parameter, rng))

    def draw_places(self, num: int, rng: np.random.Generator) -> FloatArray:
        """Places by chance, as even as points that are drawn."""
        return rng.random((num, len(self.parameters)))

    def near(
        self, place_NP: FloatArray, step_N: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """A neighbour of each place: one number moves by about the step, others may, too.

        What a point leaves open, as it is not active there, is drawn by chance.
        """
        shape = place_NP.shape
        is_moved_NP = rng.random(shape) < 0.5
        is_moved_NP[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = True
        fresh_NP = rng.random(shape)
        moved_NP = np.clip(place_NP + step_N[:, None] * rng.normal(size=shape), 0.0, 1.0)
        is_choice_P = np.array([isinstance(each, Choice) for each in self.parameters.values()])
        redrawn_NP = np.where(rng.random(shape) < SHARE_REDRAWN, fresh_NP, place_NP)
        moved_NP = np.where(is_choice_P, redrawn_NP, moved_NP)
        result: FloatArray = np.where(is_moved_NP, moved_NP, place_NP)
        return np.where(np.isnan(place_NP), fresh_NP, result)

    def places(self, points: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Where points (active values by path) lie; NaN where a parameter is not active."""
        places = [
            [
                _position(parameter, point[path]) if path in point else math.nan
                for path, parameter in self.parameters.items()
            ]
            for point in points
        ]
        return np.array(places, dtype=float).reshape(len(points), len(self.parameters))

    def rows(self, points: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Points (active values by path) as N x `num_columns` numbers from 0 to 1."""
        return self.rows_at(self.places(points))

    def rows_at(self, place_NP: FloatArray) -> FloatArray:
        """The points at places as N x `num_columns` numbers from 0 to 1."""
        place_NP = np.nan_to_num(place_NP, nan=0.5)
        values: dict[str, NDArray[Any]] = {}
        active: dict[str, BoolArray] = {}
        columns = []
        for (path, parameter), place_N in zip(self.parameters.items(), place_NP.T, strict=True):
            values[path] = _values(parameter, place_N)
            active[path] = self._is_active(parameter, values, active, len(place_N))
            columns.append(_columns(parameter, values[path], active[path]))
        return np.hstack(columns)

    def point_at(self, place_P: FloatArray) -> dict[str, Any]:
        """The point at a place: its active values by path."""
        place_of = dict(zip(self.parameters, place_P, strict=True))
        return self.space.sample(lambda path, parameter: _value(parameter, place_of[path]))

    def _is_active(
        self,
        parameter: Parameter,
        values: Mapping[str, NDArray[Any]],
        active: Mapping[str, BoolArray],
        num: int,
    ) -> BoolArray:
        """Of N places: where the parameter's `when` holds; as `SearchSpace.sample` decides it."""
        result = np.ones(num, bool)
        for path, allowed in parameter.when.items():
            holds_N = np.full(num, self.space.base.get(path) in allowed)
            if path in self.parameters:
                is_allowed_N = _is_among(self.parameters[path], values[path], allowed)
                holds_N = np.where(active[path], is_allowed_N, holds_N)
            result &= holds_N
        return result


def _width(parameter: Parameter) -> int:
    return len(parameter.choices) if isinstance(parameter, Choice) else 1


def _columns(parameter: Parameter, value_N: NDArray[Any], is_active_N: BoolArray) -> FloatArray:
    """N x the width of a parameter, from numbers or from the indexes of choices."""
    if isinstance(parameter, Choice):
        num = len(parameter.choices)
        # One step from choice to choice is as long as a whole range: sqrt(2 * 0.7071 ** 2) is 1.
        taken_NC = math.sqrt(0.5) * (value_N[:, None] == np.arange(num))
        return np.where(is_active_N[:, None], taken_NC, 1 / num)
    low, high = _ends(parameter)
    if low == high:
        return np.full((len(value_N), 1), 0.5)
    scaled_N = np.log(value_N) if parameter.is_log else value_N
    return np.where(is_active_N, (scaled_N - low) / (high - low), 0.5)[:, None]


def _is_among(parameter: Parameter, value_N: NDArray[Any], allowed: Sequence[Any]) -> BoolArray:
    if isinstance(parameter, Choice):
        return np.array([choice in allowed for choice in parameter.choices])[value_N]
    return np.isin(value_N, allowed)


def _drawn(parameter: Parameter, rng: np.random.Generator) -> Any:
    if isinstance(parameter, Choice):
        return parameter.choices[int(rng.integers(len(parameter.choices)))]
    return _value(parameter, rng.random())


def _ends(parameter: NumericRange) -> tuple[float, float]:
    """Both bounds on the scale of the draw; a whole number's reach half a step further."""
    half = 0.5 if isinstance(parameter, IntRange) else 0.0
    low, high = parameter.low - half, parameter.high + half
    return (math.log(low), math.log(high)) if parameter.is_log else (float(low), float(high))


def _position(parameter: Parameter, value: Any) -> float:
    """Where a value lies, from 0 to 1: a choice in the middle of its share."""
    if isinstance(parameter, Choice):
        return (parameter.choices.index(value) + 0.5) / len(parameter.choices)
    low, high = _ends(parameter)
    if low == high:
        return 0.5
    return ((math.log(value) if parameter.is_log else value) - low) / (high - low)


def _values(parameter: Parameter, place_N: FloatArray) -> NDArray[Any]:
    """The numbers at places, or the indexes of choices."""
    if isinstance(parameter, Choice):
        num = len(parameter.choices)
        return np.minimum((place_N * num).astype(int), num - 1)
    low, high = _ends(parameter)
    value_N = low + np.clip(place_N, 0.0, 1.0) * (high - low)
    value_N = np.exp(value_N) if parameter.is_log else value_N
    if isinstance(parameter, IntRange):
        value_N = np.round(value_N)
    return np.clip(value_N, parameter.low, parameter.high)


def _value(parameter: Parameter, place: float) -> Any:
    """The value at a place; beyond an end of a range, the end."""
    value = _values(parameter, np.array([place]))[0]
    if isinstance(parameter, Choice):
        return parameter.choices[value]
    return int(value) if isinstance(parameter, IntRange) else float(value)
