"""How each finding shows on a film: one function per finding that changes the layers of a `Chest`.

A sign takes its place and shape from the generator and its visibility from `grade`, 0 (hardly to
be seen) to 1 (plain). Seeds of a patient's signs do not change between images, so that a finding
that lasts stays where it is.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.data.phantom.chest import AIR_PER_CM, LUNG_DEPTH_CM, TISSUE_PER_CM, Chest, ball, heart
from harness.data.phantom.film import expose

Sign = Callable[[Chest, float, np.random.Generator], None]

BOX_CONTRAST = 0.12
"""A box holds all pixels that change by more than this part of the largest change."""


class Box(NamedTuple):
    """A rectangle in pixels; x and y are its top left corner."""

    x: float
    y: float
    w: float
    h: float


def draw_sign(chest: Chest, finding: str, *, grade: float, rng: np.random.Generator) -> Box:
    """Draw a finding into `chest` and return the box of what it changed, in pixels of the chest."""
    before = expose(chest.attenuation, chest.pose)
    SIGNS[finding](chest, grade, rng)
    change = np.abs(expose(chest.attenuation, chest.pose) - before)
    rows, columns = np.nonzero(change > BOX_CONTRAST * change.max())
    x, y = float(columns.min()), float(rows.min())
    return Box(x, y, columns.max() + 1 - x, rows.max() + 1 - y)


def emphysema(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """Lungs too large, dark and poor in vessels; the diaphragm low and flat, the heart narrow."""
    body = chest.body
    lower = (0.8 + 2.2 * grade) * rng.uniform(0.8, 1.2)
    chest.reshape(
        replace(
            body,
            dome_right=body.dome_right + lower,
            dome_left=body.dome_left + lower,
            dome_height=body.dome_height * (1 - 0.7 * grade),
            aeration=body.aeration * (1.03 + 0.17 * grade),
        )
    )
    chest.heart = heart(chest, body.heart_ratio * (1 - 0.15 * grade))
    chest.vessels = chest.vessels * (1 - 0.55 * grade)


def cardiomegaly(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A heart wider than half the chest, mostly to the left."""
    ratio = 0.53 + 0.13 * grade + rng.uniform(-0.005, 0.005)
    chest.heart = heart(chest, max(ratio, chest.body.heart_ratio + 0.03))


def atelectasis(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """Airless plates or a wedge at the base, and the diaphragm drawn up for lack of volume."""
    side, is_plate = _side(rng), rng.random() < 0.6
    body, lifted = chest.body, 0.3 + 2.0 * grade
    if side > 0:
        chest.reshape(replace(body, dome_left=body.dome_left - lifted))
    else:
        chest.reshape(replace(body, dome_right=body.dome_right - lifted))
    if not is_plate:
        _wedge(chest, grade, side)
        return
    for _ in range(2):
        centre = chest.at(side, rng.uniform(0.3, 0.7), rng.uniform(0.68, 0.9))
        radii = (rng.uniform(3.0, 4.8), rng.uniform(0.4, 0.6) + 0.25 * grade)
        plate = ball(chest.ellipse(centre, radii, side * rng.uniform(-0.15, 0.5)))
        chest.opacity = chest.opacity + (0.12 + 0.55 * grade) * plate * chest.lung


def _wedge(chest: Chest, grade: float, side: int) -> None:
    """A collapsed lower lobe: a triangle against the spine with its tip at the hilum."""
    top = 0.45 * chest.dome
    reach = 2.0 + 4.5 * np.clip((chest.y - top) / (chest.dome - top), 0, 1)
    wedge = chest.edge(reach - chest.x * side, 0.8) * (chest.x * side > 0) * (chest.y > top)
    share = wedge * chest.lung * (0.3 + 0.65 * grade)
    chest.fill(share)
    chest.opacity = chest.opacity + 0.25 * share


def consolidation(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A lobe full of fluid, sharp at its fissure; the bronchi stay dark in it."""
    side = _side(rng)
    top, bottom = ((-0.1, 0.45), (0.42, 0.72), (0.6, 1.5))[rng.integers(3)]
    dome = chest.body.dome_left if side > 0 else chest.body.dome_right
    down = chest.y / dome + side * 0.012 * chest.x
    fade = 0.03 if top < 0 else 0.2
    start = np.clip((down - top) / (0.15 if bottom > 1 else 0.03) + 0.5, 0, 1)
    lobe = start * np.clip((bottom - down) / fade + 0.5, 0, 1)
    cells = np.clip(0.85 + 0.3 * chest.noise(rng, 2.5), 0, 1)
    share = lobe * cells * chest.lung * (chest.x * side > 0) * (0.2 + 0.6 * grade)
    bronchi = np.maximum(chest.vessels, 0)
    chest.fill(share)
    chest.opacity = chest.opacity + share * (0.12 - 0.9 * bronchi)


def pneumonia(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A patchy opacity about the size of a segment, without sharp borders."""
    side = _side(rng)
    centre = chest.at(side, rng.uniform(0.3, 0.75), rng.uniform(0.35, 0.9))
    radii = (rng.uniform(2.6, 4.2), rng.uniform(2.4, 3.8))
    spread = np.exp(-(chest.ellipse(centre, radii, rng.uniform(-0.7, 0.7)) ** 1.5))
    patches = np.clip(0.75 + 0.4 * chest.noise(rng, 1.4), 0.15, 1.2)
    chest.fill(np.clip(spread * patches * chest.lung * (0.15 + 0.65 * grade), 0, 1))


def infiltration(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A few faint, ill-defined patches in one lung or both."""
    haze = np.zeros_like(chest.x)
    sides = (-1, 1) if rng.random() < 0.5 else (_side(rng),) * 2
    for side in (*sides, sides[0]):
        centre = chest.at(side, rng.uniform(0.25, 0.8), rng.uniform(0.35, 0.95))
        radii = (rng.uniform(2.5, 4.5), rng.uniform(2.5, 4.5))
        haze = np.maximum(haze, np.exp(-chest.ellipse(centre, radii)))
    haze = haze * np.clip(0.7 + 0.4 * chest.noise(rng, 2.2), 0, 1.3)
    chest.fill(np.clip(haze * chest.lung * (0.06 + 0.28 * grade), 0, 1))


def edema(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """Bat wings: haze around both hila that spares the margins; the upper vessels are full."""
    wings = np.zeros_like(chest.x)
    for side in (-1, 1):
        centre = chest.at(side, 0.33, rng.uniform(0.48, 0.56))
        radii = (rng.uniform(4.0, 5.0), rng.uniform(5.2, 6.6))
        wings = np.maximum(wings, np.exp(-(chest.ellipse(centre, radii) ** 1.6)))
    wings = wings * np.clip(0.85 + 0.22 * chest.noise(rng, 1.6), 0, 1.3)
    chest.vessels = chest.vessels * (1 + 0.9 * grade * np.exp(-np.maximum(chest.y - 5, 0) / 4))
    chest.fill(np.clip(wings * chest.lung * (0.10 + 0.55 * grade), 0, 1))


def fibrosis(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A net of fine lines in the lower zones and along the wall."""
    net = np.zeros_like(chest.x)
    for cell_cm in (1.0, 1.6):
        net = np.maximum(net, np.exp(-((chest.noise(rng, cell_cm) / 0.28) ** 2)))
    low = np.clip((chest.y / chest.dome - 0.35) / 0.45, 0, 1)
    rim = 0.35 + 0.65 * np.exp(-np.maximum(chest.wall, 0) / 3)
    where = low * rim * chest.lung * (0.2 + 0.7 * grade)
    chest.opacity = chest.opacity + where * net
    chest.fill(0.4 * where)


def pneumothorax(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """The pleura as a fine line off the wall; beyond it, air without vessels."""
    side = _side(rng)
    gap_cm = (1.0 + 4.2 * grade) * rng.uniform(0.9, 1.1)
    inward = np.minimum(chest.wall, 1.2 * (chest.y + 0.3))
    line = gap_cm * (0.3 + 0.95 * np.exp(-np.maximum(chest.y, 0) / 8))
    here = chest.lung * (chest.x * side > 0)
    beyond = chest.edge(line - inward) * here
    width = max(0.13, 0.6 * chest.pixel_cm)
    pleura = np.exp(-(((inward - line) / width) ** 2)) * here * 0.13 / width
    chest.vessels = chest.vessels * (1 - beyond)
    chest.fill((here - beyond) * 0.04 * grade)
    deep = LUNG_DEPTH_CM * (0.3 + 0.3 * grade)
    chest.air = chest.air + beyond * np.maximum(deep - chest.air, 0.06 * deep)
    chest.opacity = chest.opacity + 0.32 * pleura


def effusion(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """Fluid that blunts the costophrenic angle and climbs the wall in a meniscus."""
    side = _side(rng)
    sides = (side, -side) if rng.random() < 0.35 else (side,)
    height_cm = (0.9 + 7.5 * grade**1.5) * rng.uniform(0.85, 1.15)
    for turn, here in enumerate(sides):
        bottom = (chest.body.dome_left if here > 0 else chest.body.dome_right) + 0.9 * (
            chest.body.dome_height
        )
        climb = (0.8 + 3.0 * grade) * np.clip(1 - chest.wall / 7, 0, 1) ** 2.5
        surface = bottom - height_cm * (1 - 0.4 * turn) - climb
        fluid = chest.edge(chest.y - surface, 1.5) * chest.lung * (chest.x * here > 0)
        chest.fill(0.97 * fluid)
        chest.opacity = chest.opacity + fluid * TISSUE_PER_CM * (0.8 + 1.5 * grade)


def pleural_thickening(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A band of uneven width along the side wall, often with a cap over the apex."""
    side = _side(rng)
    middle, half = rng.uniform(5, 13), rng.uniform(4, 7)
    thick_cm = (0.45 + 1.2 * grade) * np.clip(1 + 0.35 * chest.noise(rng, 2.6), 0.4, 1.8)
    along = np.clip((half - np.abs(chest.y - middle)) / 2, 0, 1)
    if rng.random() < 0.5:
        along = np.maximum(along, np.clip((3.5 - chest.y) / 2, 0, 1))
    depth = np.minimum(chest.wall, 1.2 * (chest.y + 0.3))
    band = chest.edge(thick_cm - depth, 0.35) * chest.lung * along * (chest.x * side > 0)
    chest.fill(0.9 * band)
    chest.opacity = chest.opacity + (0.15 + 0.5 * grade) * band


def mass(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A round, slightly lobed opacity more than 3 cm across."""
    side = _side(rng)
    centre = chest.at(side, rng.uniform(0.25, 0.8), rng.uniform(0.15, 0.85))
    radius = 1.65 + 1.7 * grade * rng.uniform(0.7, 1)
    lobed = chest.ellipse(centre, (radius, radius * rng.uniform(0.85, 1.1)), rng.uniform(0, 3))
    lump = ball(lobed * (1 + 0.15 * chest.noise(rng, 2.0)))
    chest.opacity = chest.opacity + (0.35 + 0.55 * grade) * AIR_PER_CM * 4 * radius * lump


def nodule(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """A round opacity of 1 to 3 cm, sometimes with one or two more near it."""
    x, y = chest.at(_side(rng), rng.uniform(0.25, 0.8), rng.uniform(0.15, 0.85))
    for _ in range(rng.integers(1, 4)):
        radius = 0.6 + 0.85 * rng.uniform(0.4, 1) * (0.3 + 0.7 * grade)
        round_ = ball(chest.ellipse((x, y), (radius, radius)))
        chest.opacity = chest.opacity + (0.3 + 0.8 * grade) * round_
        x, y = x + rng.uniform(-2.5, 2.5), y + rng.uniform(-3.0, 3.0)


def hernia(chest: Chest, grade: float, rng: np.random.Generator) -> None:
    """Stomach behind the heart: a round bulge over the diaphragm with gas and a fluid level."""
    rx = rng.uniform(2.6, 3.4) + 1.2 * grade
    ry = 0.82 * rx
    low = 0.5 * (chest.body.dome_right + chest.body.dome_left)
    centre = (rng.uniform(-1.0, 2.6), low - 0.55 * ry)
    sac = chest.ellipse(centre, (rx, ry))
    level = chest.edge(centre[1] + rng.uniform(0, 0.35) * ry - chest.y, 0.3)
    gas = chest.edge(0.85 - sac, 0.4) * level
    chest.opacity = chest.opacity + (0.3 + 0.5 * grade) * chest.edge(1 - sac, 0.3)
    chest.opacity = chest.opacity - (0.5 + 1.5 * grade) * gas


def _side(rng: np.random.Generator) -> int:
    """-1 for the right lung (left on the film), 1 for the left one."""
    return -1 if rng.random() < 0.5 else 1


# In the order of drawing: what reshapes the lungs comes before what fills them.
SIGNS: dict[str, Sign] = {
    "Emphysema": emphysema,
    "Cardiomegaly": cardiomegaly,
    "Atelectasis": atelectasis,
    "Consolidation": consolidation,
    "Pneumonia": pneumonia,
    "Infiltration": infiltration,
    "Edema": edema,
    "Fibrosis": fibrosis,
    "Pneumothorax": pneumothorax,
    "Effusion": effusion,
    "Pleural_Thickening": pleural_thickening,
    "Mass": mass,
    "Nodule": nodule,
    "Hernia": hernia,
}
