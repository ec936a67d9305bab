"""A healthy chest: everything that is drawn before the first sign."""

from dataclasses import replace

import numpy as np

from harness.data.phantom.body import Body, Pose
from harness.data.phantom.chest import (
    MIDDLE_CM,
    TISSUE_PER_CM,
    Array,
    Chest,
    ball,
    diaphragm,
    heart,
    lateral_wall,
    lungs,
)
from harness.data.phantom.vessels import vessels


def draw_chest(body: Body, pose: Pose, side_px: int) -> Chest:
    """A healthy chest on a film of `side_px` x `side_px` pixels."""
    body = _as_posed(body, pose)
    x, y = _coordinates(pose, side_px)
    nothing = np.zeros_like(x)
    wall = lateral_wall(body, y) - np.abs(x)
    chest = Chest(
        x, y, body, pose, wall, diaphragm(body, x), nothing, nothing, nothing, nothing, nothing
    )
    chest.lung, chest.air = lungs(chest)
    chest.heart = heart(chest, body.heart_ratio)
    chest.vessels = vessels(chest)
    chest.opacity = _trunk(chest) + _bones(chest) + _airways(chest)
    return chest


def _as_posed(body: Body, pose: Pose) -> Body:
    """In AP the heart lies farther from the film and is thrown larger; a shallow breath lifts."""
    return replace(
        body,
        heart_ratio=body.heart_ratio * (1.06 if pose.view == "AP" else 1.0),
        dome_right=body.dome_right * pose.breath,
        dome_left=body.dome_left * pose.breath,
        aeration=body.aeration * (0.5 + 0.5 * pose.breath),
    )


def _coordinates(pose: Pose, side_px: int) -> tuple[Array, Array]:
    steps = ((np.arange(side_px, dtype=np.float32) + 0.5) / side_px - 0.5) * pose.field_cm
    x, y = np.meshgrid(steps - pose.shift_x, steps - pose.shift_y)
    cos, sin = np.float32(np.cos(pose.tilt)), np.float32(np.sin(pose.tilt))
    return x * cos + y * sin, y * cos - x * sin + MIDDLE_CM


def _trunk(chest: Chest) -> Array:
    """Attenuation of skin, fat and muscle: trunk, shoulders, neck, breasts, stomach bubble."""
    body, x, y = chest.body, np.abs(chest.x), chest.y
    flank = body.half_width + 1.9 + 1.8 * body.fat + 0.012 * np.maximum(y - 8, 0) ** 2 * body.fat
    round_ = np.maximum(1 - (x / flank) ** 2.8, 0) ** (1 / 2.8)
    cm = body.depth * (1 + 0.12 * body.fat) * round_ * np.clip((y + 5) / 9, 0, 1)
    cm = np.maximum(cm, _shoulders(chest, flank))
    cm = cm + 2.5 * np.clip((y - chest.dome) / 5, 0, 1) * np.clip(chest.wall / 3, 0, 1)
    if body.sex == "F":
        cm = cm + _breasts(chest)
    bubble = chest.ellipse((0.45 * body.half_width, body.dome_left + 2.6), (2.4, 1.3), 0.15)
    return TISSUE_PER_CM * (cm - 3.5 * ball(bubble))


def _shoulders(chest: Chest, flank: Array) -> Array:
    """Neck, shoulders and the arms, which hang clear of the trunk below the armpits; cm."""
    x, y = np.abs(chest.x), chest.y
    outline = -1.2 - 9 * np.exp(-np.maximum(x - 4, 0) / 3.2) + 0.006 * x**2
    thick = 15 * np.sqrt(np.clip((y - outline) / 4, 0, 1))
    thick *= np.clip((chest.body.half_width + 12 - x) / 8, 0, 1)
    armpit = flank + 0.4 * (y - 7) - 2.0 * np.maximum(7 - y, 0)
    return thick * chest.edge(x - armpit, 1.4)


def _breasts(chest: Chest) -> Array:
    size = 5.0 + 2.5 * chest.body.fat
    centre = (0.58 * chest.body.half_width, 0.80 * chest.body.dome_right)
    mirrored = replace(chest, x=np.abs(chest.x))
    round_ = np.maximum(1 - mirrored.ellipse(centre, (1.15 * size, size), 0.3), 0)
    hang = np.clip(0.55 + 0.09 * (chest.y - centre[1] + 3), 0.3, 1)
    return (2.6 + 1.6 * chest.body.fat) * np.sqrt(round_) * hang


def _bones(chest: Chest) -> Array:
    density = chest.body.rib_density
    return density * (_ribs(chest) + _spine(chest) + _clavicles(chest) + _scapulae(chest))


def _ribs(chest: Chest) -> Array:
    """Posterior ribs fall towards the side; anterior ones fall, steeper, towards the middle."""
    x, y, body = np.abs(chest.x), chest.y, chest.body
    t = np.clip(x / np.maximum(chest.wall + x, 1), 0, 1.1)
    inside = chest.edge(chest.wall + 0.7, 0.5)
    stretch = body.rib_spacing * (0.78 + 0.02 * np.clip(y, 0, 15))
    back = (y - 5.2 * t**2.2 + 1.4 * t + 1.2) / stretch
    front = (y - 5.5 - 0.62 * (body.half_width - x) + 3.5 * t**6) / (1.12 * stretch)
    back_on = inside * np.clip(x - 1.0, 0, 1) * ((back > 0) & (back < 11.2))
    front_on = inside * np.clip((x - 4.5) / 2.5, 0, 1) * ((front > 0) & (front < 6.2))
    below = 1 - 0.75 * np.clip((y - chest.dome) / 3, 0, 1)
    return below * (0.40 * _band(back, 0.24) * back_on + 0.22 * _band(front, 0.27) * front_on)


def _band(phase: Array, half: float) -> Array:
    """A rib in every period of `phase`: `half` a width, brighter at its edges."""
    off = np.abs(phase - np.round(phase))
    return np.clip((half - off) / 0.08, 0, 1) * (0.62 + 0.38 * np.clip(off / half, 0, 1) ** 2)


def _spine(chest: Chest) -> Array:
    x, y = np.abs(chest.x), chest.y
    column = chest.edge(1.75 - x, 0.5)
    disc = np.clip(np.abs((y / 2.3) % 1 - 0.5) / 0.16, 0.35, 1)
    pedicle = np.exp(-(((x - 1.0) / 0.35) ** 2) - ((((y / 2.3 + 0.3) % 1) - 0.5) / 0.16) ** 2)
    return column * (0.35 * disc + 0.25 * pedicle)


def _clavicles(chest: Chest) -> Array:
    x = np.abs(chest.x)
    bend = 2.0 - 0.23 * (x - 1.5) + 0.35 * np.sin(x / 2.6)
    off = np.abs(chest.y - bend) / 0.62
    shaft = np.clip((1 - off) / 0.2, 0, 1) * (0.6 + 0.4 * np.minimum(off, 1) ** 2)
    return 0.42 * shaft * chest.edge(x - 1.6, 0.6) * chest.edge(chest.body.half_width + 2 - x, 1)


def _scapulae(chest: Chest) -> Array:
    """Shoulder blades, turned out of the lungs in PA and lying over them in AP."""
    x = np.abs(chest.x) + (1.8 if chest.pose.view == "AP" else 0.0)
    inner = x - chest.body.half_width + 0.6 + 0.16 * np.maximum(chest.y - 4, 0)
    blade = chest.edge(inner, 0.4) * chest.edge(12.5 - chest.y, 1) * chest.edge(chest.y - 1.5, 1)
    rim = np.exp(-((inner - 0.3) ** 2) / 0.12)
    return blade * (0.10 + 0.16 * rim) * chest.edge(chest.body.half_width + 4 - x, 1)


def _airways(chest: Chest) -> Array:
    """What trachea and main bronchi take away."""
    x, y = chest.x, chest.y
    carina = 0.36 * chest.body.dome_right
    tube = ball((x / 0.95) ** 2) * chest.edge(carina - y, 0.8)
    split = np.abs(x) - 0.85 * np.maximum(y - carina, 0)
    fork = ball((split / 0.7) ** 2) * (y > carina) * chest.edge(carina + 3.4 - y, 1)
    return -0.34 * np.maximum(tube, 0.7 * fork)
