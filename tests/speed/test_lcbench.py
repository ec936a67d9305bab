"""The surrogate's curves move, its space is sound, and its absence is told in a line."""

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.speed.contenders import ASHA
from harness.speed.lcbench import (
    DEVELOPMENT_TASKS,
    FOLDER_VARIABLE,
    NUM_EPOCHS,
    STAND_INS,
    LcBench,
    lcbench_folder,
)


def test_the_curves_move_with_the_epoch_and_with_every_hyperparameter(bench):
    """Inputs in a wrong order give curves that do not."""
    space = bench.space(ASHA)
    default = space.default_values()
    points = [default | {path: space.space[path].low} for path in STAND_INS.values()]
    for task in DEVELOPMENT_TASKS[:3]:
        curve_NE = bench.curves(task, [default, *points])
        assert curve_NE.shape == (1 + len(STAND_INS), NUM_EPOCHS)
        assert (curve_NE > -1).all()
        assert (curve_NE < 101).all()
        assert curve_NE[0, -1] - curve_NE[0, 0] > 3, "it learns"
        moved_N = np.abs(curve_NE[1:] - curve_NE[0]).max(axis=1)
        assert (moved_N > 0.05).all(), dict(zip(STAND_INS, moved_N, strict=True))


def test_curves_do_not_depend_on_what_is_asked_beside_them(bench):
    space = bench.space(ASHA)
    low = {path: parameter.low for path, parameter in space.space.items()}
    both = bench.curves("3945", [low, space.default_values()])
    np.testing.assert_allclose(
        both[1], bench.curves("3945", [space.default_values()])[0], atol=1e-3
    )


def test_there_are_34_tasks_of_which_14_are_to_develop_on(bench):
    assert len(bench.tasks) == 34
    assert set(DEVELOPMENT_TASKS) < set(bench.tasks)
    assert len(set(DEVELOPMENT_TASKS)) == 14


def test_absence_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "elsewhere"))
    assert lcbench_folder(None) == tmp_path / "elsewhere"
    assert lcbench_folder(tmp_path) == tmp_path
    with pytest.raises(HarnessError, match=r"model\.onnx.*--lcbench or HARNESS_LCBENCH") as told:
        LcBench(tmp_path)
    assert "\n" not in str(told.value)
