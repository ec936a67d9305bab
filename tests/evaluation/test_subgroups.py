"""Groups of images counted by hand."""

import numpy as np
import pytest

from harness.evaluation.subgroups import Cases, Group, groups


def cases(*, sex: list[str], age: list[float], view: list[str]) -> Cases:
    return Cases(
        image_ids=np.array([f"{i}.png" for i in range(len(sex))], dtype=np.str_),
        patient_ids=np.array([f"{i}" for i in range(len(sex))], dtype=np.str_),
        sex=np.array(sex, dtype=np.str_),
        age=np.array(age, dtype=np.float64),
        view=np.array(view, dtype=np.str_),
    )


def images(found: list[Group]) -> dict[tuple[str, str], tuple[list[int], list[int]]]:
    """Attribute and name to the images of the group and of its rest."""
    return {
        (group.attribute, group.name): (
            np.flatnonzero(group.rows_N).tolist(),
            np.flatnonzero(group.rest_N).tolist(),
        )
        for group in found
    }


def test_groups_in_order_with_their_rest() -> None:
    found = groups(
        cases(
            sex=["M", "F", "", "F"],
            age=[79, np.nan, 80, 3],
            view=["AP", "PA", "AP", ""],
        )
    )
    expected = {
        ("sex", "F"): ([1, 3], [0]),
        ("sex", "M"): ([0], [1, 3]),
        ("age", "0-19"): ([3], [0, 2]),
        ("age", "60-79"): ([0], [2, 3]),
        ("age", "80+"): ([2], [0, 3]),
        ("view", "PA"): ([1], [0, 2]),
        ("view", "AP"): ([0, 2], [1]),
    }
    assert images(found) == expected
    assert list(images(found)) == list(expected)


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "0-19"), (19, "0-19"), (19.9, "0-19"), (20, "20-39"), (39, "20-39"), (40, "40-59"),
        (59, "40-59"), (60, "60-79"), (79, "60-79"), (80, "80+"), (95, "80+"),
    ],
)  # fmt: skip
def test_ages_fall_in_one_band(age: float, band: str) -> None:
    found = groups(cases(sex=["", ""], age=[age, np.nan], view=["", ""]))
    assert images(found) == {("age", band): ([0], [])}


def test_the_unknown_belong_nowhere() -> None:
    assert groups(cases(sex=["", "U"], age=[np.nan, -1], view=["", "LATERAL"])) == []
    assert groups(cases(sex=[], age=[], view=[])) == []


def test_every_known_image_is_in_one_group_of_an_attribute_or_its_rest() -> None:
    rng = np.random.default_rng(0)
    age_N = np.where(rng.random(500) < 0.1, np.nan, rng.uniform(0, 100, 500))
    table = cases(
        sex=rng.choice(["F", "M", ""], 500).tolist(),
        age=age_N.tolist(),
        view=rng.choice(["PA", "AP", ""], 500).tolist(),
    )
    known = {"sex": table.sex != "", "age": ~np.isnan(age_N), "view": table.view != ""}
    for attribute, known_N in known.items():
        of_it = [group for group in groups(table) if group.attribute == attribute]
        assert np.array_equal(sum(group.rows_N.astype(int) for group in of_it), known_N)
        for group in of_it:
            assert np.array_equal(group.rest_N, known_N & ~group.rows_N)
