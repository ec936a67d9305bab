"""Every sign changes the film, and changes it where its box says."""

import numpy as np
import pytest

from harness.core.findings import FINDINGS
from harness.data.phantom.anatomy import draw_chest
from harness.data.phantom.body import draw_body, draw_pose
from harness.data.phantom.chest import Chest
from harness.data.phantom.film import expose
from harness.data.phantom.signs import SIGNS, Box, draw_sign

SIDE_PX = 160


def healthy(seed: int) -> Chest:
    rng = np.random.default_rng(seed)
    body = draw_body(rng, age=50, sex="F" if seed % 2 else "M")
    pose = draw_pose(rng, body=body, view="AP" if seed % 3 == 0 else "PA")
    return draw_chest(body, pose, SIDE_PX)


def change_by(finding: str, *, grade: float, seed: int) -> tuple[np.ndarray, Box]:
    """Gray with the finding minus gray without it, of the same patient, and the box."""
    chest = healthy(seed)
    before = expose(chest.attenuation, chest.pose)
    box = draw_sign(chest, finding, grade=grade, rng=np.random.default_rng(seed))
    return expose(chest.attenuation, chest.pose) - before, box


def test_every_finding_has_a_sign() -> None:
    assert set(SIGNS) == set(FINDINGS)


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("grade", [0.3, 1.0])
def test_the_change_lies_in_the_box(finding: str, grade: float) -> None:
    for seed in range(4):
        change, box = change_by(finding, grade=grade, seed=seed)
        assert box.x >= 0
        assert box.y >= 0
        assert box.w >= 2
        assert box.h >= 2
        assert box.x + box.w <= SIDE_PX
        assert box.y + box.h <= SIDE_PX
        rows = slice(int(box.y), int(box.y + box.h))
        columns = slice(int(box.x), int(box.x + box.w))
        energy = change**2
        assert energy[rows, columns].sum() > 0.9 * energy.sum()
        assert energy[rows, columns].max() == energy.max()


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_higher_grade_is_plainer(finding: str) -> None:
    weak, strong = (
        sum(np.square(change_by(finding, grade=grade, seed=seed)[0]).sum() for seed in range(4))
        for grade in (0.1, 1.0)
    )
    assert strong > 2 * weak


@pytest.mark.parametrize("grade", [0.0, 0.5, 1.0])
def test_cardiomegaly_makes_the_heart_wider_than_half_the_chest(grade: float) -> None:
    chest = healthy(1)
    assert heart_ratio(chest) < 0.5
    draw_sign(chest, "Cardiomegaly", grade=grade, rng=np.random.default_rng(0))
    assert heart_ratio(chest) > 0.5


def heart_ratio(chest: Chest) -> float:
    """The cardiothoracic ratio as read off a film: heart over the diaphragm by inner chest."""
    is_heart = (chest.heart > 0) & (chest.y < chest.dome) & (chest.y > 0.5 * chest.dome)
    columns = np.flatnonzero(is_heart.any(axis=0))
    widest = columns[-1] + 1 - columns[0]
    return widest / np.count_nonzero(chest.wall > 0, axis=1).max()


def test_pneumothorax_leaves_no_vessels_in_the_air() -> None:
    chest = healthy(1)
    air, vessels = chest.air.copy(), np.abs(chest.vessels)
    draw_sign(chest, "Pneumothorax", grade=0.8, rng=np.random.default_rng(0))
    is_beyond = chest.air > air + 3
    assert is_beyond.sum() > 100
    assert np.abs(chest.vessels[is_beyond]).sum() < 0.1 * vessels[is_beyond].sum()


def test_effusion_fills_the_costophrenic_angle_first() -> None:
    chest = healthy(1)
    air = chest.air.copy()
    draw_sign(chest, "Effusion", grade=0.2, rng=np.random.default_rng(0))
    lost = air - chest.air
    rows, columns = np.nonzero(lost > 0.5 * lost.max())
    assert (chest.wall[rows, columns] < 4).mean() > 0.9
    assert chest.y[rows, columns].min() > 0.9 * chest.body.dome_right


@pytest.mark.parametrize("grade", [0.0, 0.5, 1.0])
def test_a_mass_is_more_than_3_cm_across(grade: float) -> None:
    for seed in range(4):
        assert 3.0 < widest_opacity_cm("Mass", grade=grade, seed=seed) < 8.0


def test_a_single_nodule_is_1_to_3_cm_across() -> None:
    """One in three is single, so that the smallest group of a few seeds is."""
    for grade in (0.0, 0.5, 1.0):
        sizes = [widest_opacity_cm("Nodule", grade=grade, seed=seed) for seed in range(12)]
        assert 1.0 < min(sizes) < 3.0


def widest_opacity_cm(finding: str, *, grade: float, seed: int) -> float:
    chest = healthy(seed)
    before = chest.opacity
    SIGNS[finding](chest, grade, np.random.default_rng(seed))
    rows, columns = np.nonzero(chest.opacity > before)
    return max(np.ptp(rows), np.ptp(columns)) * chest.pixel_cm
