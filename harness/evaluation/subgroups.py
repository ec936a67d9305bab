"""Who and what is on the images, and the groups by sex, age and view that figures are told for.

Axis: N images.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.evaluation.metrics import BoolArray, FloatArray

Attribute = Literal["sex", "age", "view"]

SEXES = ("F", "M")
VIEWS = ("PA", "AP")
AGE_BANDS: dict[str, tuple[float, float]] = {
    "0-19": (0, 20),
    "20-39": (20, 40),
    "40-59": (40, 60),
    "60-79": (60, 80),
    "80+": (80, np.inf),
}
"""Name to ages in years, from the first up to and without the second."""


@dataclass(frozen=True, eq=False)
class Cases:
    """What is known of N images beside their pixels and labels.

    Attributes:
        image_ids: N image names.
        patient_ids: N patient names; images of one patient share one.
        sex: `F`, `M`, or empty where unknown.
        age: Years, NaN where unknown.
        view: `PA`, `AP`, or empty where unknown.
    """

    image_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    sex: NDArray[np.str_]
    age: FloatArray
    view: NDArray[np.str_]

    def __post_init__(self) -> None:
        columns = (self.image_ids, self.patient_ids, self.sex, self.age, self.view)
        assert {column.shape for column in columns} == {(len(self.image_ids),)}

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> Self:
        """Cases of the columns image, patient, sex, age and view."""
        return cls(
            image_ids=table["image"].to_numpy(dtype=str),
            patient_ids=table["patient"].to_numpy(dtype=str),
            sex=table["sex"].to_numpy(dtype=str),
            age=table["age"].to_numpy(dtype=float, na_value=float("nan")),
            view=table["view"].to_numpy(dtype=str),
        )


@dataclass(frozen=True, eq=False)
class Group:
    """Some of the images, and those to set beside them.

    Attributes:
        attribute: `sex`, `age` or `view`.
        name: Such as `F`, `40-59`, `AP`.
        rows_N: The images of the group; there is at least one.
        rest_N: Those of the attribute's other groups; there may be none.
    """

    attribute: Attribute
    name: str
    rows_N: BoolArray
    rest_N: BoolArray


def groups(cases: Cases) -> list[Group]:
    """The groups that have images: sexes, then bands of age, then views.

    An image with an unknown value, or with one of no group, is neither in a group nor in its rest.
    """
    sexes = {name: cases.sex == name for name in SEXES}
    bands = {
        name: (cases.age >= start) & (cases.age < stop) for name, (start, stop) in AGE_BANDS.items()
    }
    views = {name: cases.view == name for name in VIEWS}
    return [*_groups("sex", sexes), *_groups("age", bands), *_groups("view", views)]


def _groups(attribute: Attribute, rows: dict[str, BoolArray]) -> Iterator[Group]:
    """Groups of one attribute from their disjoint rows."""
    known_N = np.logical_or.reduce(list(rows.values()))
    for name, rows_N in rows.items():
        if rows_N.any():
            yield Group(attribute, name, rows_N, rest_N=known_N & ~rows_N)
