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


def test_neighbours_are_sound_near_and_other(axes):
    rng = np.random.default_rng(0)
    point = {"optim.lr": 1e-3, "loss.name": "focal", "loss.gamma": 2.0, "train.batch_size": 8}
    others = [axes.near(point, 0.05, rng) for _ in range(100)]
    assert all(SPACE.active(other) == other for other in others)
    same_loss = [other for other in others if other["loss.name"] == "focal"]
    assert len(same_loss) > 80
    far = np.abs(axes.rows(same_loss) - axes.rows([point])).max(axis=1)
    assert np.median(far) < 0.15
    assert sum(other == point for other in others) < 20
