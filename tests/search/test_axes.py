"""Points as rows: known positions, the same point back, and neighbours that lie near."""

import numpy as np
import pytest

from harness.core.space import SearchSpace
from harness.search.axes import Axes

SPACE = SearchSpace.model_validate(
    {
        "name": "toy", "title": "", "source": "",
        "space": {
            "optim.lr": {"kind": "log_float", "low": 1e-4, "high": 1e-2, "default": 1e-3},
            "loss.name": {"kind": "choice", "choices": ["bce", "focal"], "default": "focal"},
            "loss.gamma": {
                "kind": "float", "low": 0, "high": 4, "default": 2, "when": {"loss.name": "focal"},
            },
            "train.batch_size": {"kind": "log_int", "low": 1, "high": 64, "default": 8},
        },
    }
)  # fmt: skip


@pytest.fixture
def axes():
    return Axes(SPACE)


def test_known_rows(axes):
    columns = {path: index for index, path in enumerate(axes.parameters)}
    assert axes.num_columns == 5
    focal, bce = axes.rows(
        [
            {"optim.lr": 1e-3, "loss.name": "focal", "loss.gamma": 1.0, "train.batch_size": 8},
            {"optim.lr": 1e-2, "loss.name": "bce", "train.batch_size": 64},
        ]
    )
    order = list(columns)
    lr = order.index("optim.lr") + (order.index("loss.name") < order.index("optim.lr"))
    assert (focal[lr], bce[lr]) == (pytest.approx(0.5), pytest.approx(1.0))
    assert sorted(np.abs(focal - bce).round(3))[-2:] == [0.707, 0.707], "one step between choices"
    gamma = order.index("loss.gamma") + (order.index("loss.name") < order.index("loss.gamma"))
    assert (focal[gamma], bce[gamma]) == (pytest.approx(0.25), 0.5), "without gamma: the middle"


def test_draws_are_sound_and_reach_every_end(axes):
    rng = np.random.default_rng(0)
    points = [axes.draw(rng) for _ in range(400)]
    assert all(SPACE.active(point) == point for point in points)
    batches = [point["train.batch_size"] for point in points]
    assert min(batches) == 1
    assert max(batches) >= 60
    assert sum(point["optim.lr"] < 1e-3 for point in points) == pytest.approx(200, abs=50)
    assert sum(batch < 8 for batch in batches) == pytest.approx(190, abs=60), (
        "even in the logarithm"
    )


POINT = {"optim.lr": 1e-3, "loss.name": "focal", "loss.gamma": 2.0, "train.batch_size": 8}


def test_neighbours_are_sound_near_and_other(axes):
    place_NP = np.tile(axes.places([POINT]), (100, 1))
    near_NP = axes.near(place_NP, np.full(100, 0.05), np.random.default_rng(0))
    others = [axes.point_at(place_P) for place_P in near_NP]
    assert all(SPACE.active(other) == other for other in others)
    same_loss = [other for other in others if other["loss.name"] == "focal"]
    assert len(same_loss) > 80
    far = np.abs(axes.rows(same_loss) - axes.rows([POINT])).max(axis=1)
    assert np.median(far) < 0.15
    assert sum(other == POINT for other in others) < 20


def test_a_neighbour_has_by_chance_what_the_point_leaves_open(axes):
    """Where a neighbour takes the other loss, its gamma is drawn."""
    bce = {"optim.lr": 1e-3, "loss.name": "bce", "train.batch_size": 8}
    place_NP = np.tile(axes.places([bce]), (400, 1))
    near_NP = axes.near(place_NP, np.full(400, 0.05), np.random.default_rng(0))
    assert not np.isnan(near_NP).any()
    points = [axes.point_at(place_P) for place_P in near_NP]
    gammas = [point["loss.gamma"] for point in points if "loss.gamma" in point]
    assert len(gammas) > 3
    assert max(gammas) - min(gammas) > 1


def test_places_and_points_are_there_and_back(axes):
    """Rows of many places at once are those of their points one by one."""
    place_NP = axes.draw_places(200, np.random.default_rng(0))
    points = [axes.point_at(place_P) for place_P in place_NP]
    assert all(SPACE.active(point) == point for point in points)
    np.testing.assert_allclose(axes.rows_at(place_NP), axes.rows(points), atol=1e-12)
    again = [axes.point_at(place_P) for place_P in np.nan_to_num(axes.places(points), nan=0.3)]
    for point, other in zip(points, again, strict=True):
        assert other == pytest.approx(point)


def test_what_is_active_at_places_is_what_a_recipe_has():
    """A condition upon a parameter that is itself not active is upon the base's value."""
    space = SearchSpace.model_validate(
        {
            "name": "toy", "title": "", "source": "",
            "base": {"loss": {"gamma": 2.0}},
            "space": {
                "loss.name": {"kind": "choice", "choices": ["bce", "focal"], "default": "focal"},
                "loss.gamma": {
                    "kind": "float", "low": 0, "high": 4, "default": 2,
                    "when": {"loss.name": "focal"},
                },
                "optim.lr": {"kind": "log_float", "low": 1e-4, "high": 1e-2, "default": 1e-3},
                "augment.flip": {
                    "kind": "float", "low": 0, "high": 1, "default": 0.25,
                    "when": {"loss.gamma": [2.0]},
                },
            },
        }
    )  # fmt: skip
    axes = Axes(space)
    place_NP = axes.draw_places(60, np.random.default_rng(0))
    points = [axes.point_at(place_P) for place_P in place_NP]
    assert any("augment.flip" in point for point in points), "with bce gamma is the base's"
    assert not all("augment.flip" in point for point in points)
    np.testing.assert_allclose(axes.rows_at(place_NP), axes.rows(points), atol=1e-12)
    flip = list(axes.parameters).index("augment.flip")
    for point, place_P in zip(points, axes.places(points), strict=True):
        assert np.isnan(place_P[flip]) == ("augment.flip" not in point)
    column = sum(
        2 if path == "loss.name" else 1 for path in list(axes.parameters)[:flip]
    )  # a choice has two
    drawn = np.array([point.get("augment.flip", 0.5) for point in points])
    np.testing.assert_allclose(axes.rows_at(place_NP)[:, column], drawn, atol=1e-12)
