"""The vascular markings of the lungs: a tree from each hilum, and the haze of what is finer."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from harness.data.phantom.chest import MIDDLE_CM, Array, Chest


def vessels(chest: Chest) -> Array:
    """Attenuation of a vascular tree that fans out from each hilum and thins towards the wall."""
    rng = np.random.default_rng(chest.body.vessel_seed)
    picture = Image.new("L", (chest.side_px,) * 2)
    pen = ImageDraw.Draw(picture)
    for start, end, width in reversed(
        [branch for side in (-1, 1) for branch in _tree(chest, side, rng)]
    ):
        points = np.concatenate([_to_px(chest, start), _to_px(chest, end)], axis=1)
        px = width / chest.pixel_cm
        tone = int(min(255, 230 * min(1, px) * min(1, width / 0.5) ** 0.8))
        for line in points:
            pen.line(line.tolist(), fill=tone, width=max(1, round(px)))
    soft = ndimage.gaussian_filter(
        np.asarray(picture, dtype=np.float32), 0.05 / chest.pixel_cm + 0.35
    )
    haze = 0.05 * chest.noise(rng, 0.5) + 0.05 * chest.noise(rng, 0.9)
    return chest.body.perfusion * (soft * (0.34 / 255) + haze)


def _tree(chest: Chest, side: int, rng: np.random.Generator) -> list[tuple[Array, Array, float]]:
    """Branches of one lung, thickest first: starts (n, 2), ends (n, 2) and their width, all cm."""
    hilum = np.array([[side * 3.3, 0.43 * chest.body.dome_right + 0.4 * side]])
    angle = np.concatenate([np.linspace(-1.35, -0.2, 5), np.linspace(0.1, 1.45, 7)])
    angle = angle + rng.normal(0, 0.1, angle.size)
    start = np.repeat(hilum, angle.size, axis=0) + rng.normal(0, 0.4, (angle.size, 2))
    length, width = 0.19 * chest.body.dome_right, 0.55
    branches: list[tuple[Array, Array, float]] = []
    for _ in range(6):
        reach = length * rng.uniform(0.7, 1.25, angle.size)
        step = np.stack([side * np.cos(angle), np.sin(angle)], axis=1) * reach[:, None]
        end = start + step
        branches.append((start, end, width))
        turn = rng.uniform(0.05, 0.55, (2, angle.size)) * np.array([[1], [-1]])
        angle = np.concatenate([angle + turn[0], angle + turn[1]])
        start = np.concatenate([end, end])
        inside = np.abs(start[:, 0]) < chest.body.half_width
        angle, start = angle[inside], start[inside]
        length, width = length * 0.74, width * 0.7
    return branches


def _to_px(chest: Chest, point: Array) -> Array:
    """Body coordinates (n, 2) in pixels of the film: the inverse of `_coordinates`."""
    pose = chest.pose
    x, y = point[:, 0], point[:, 1] - MIDDLE_CM
    cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
    film = np.stack([x * cos - y * sin + pose.shift_x, x * sin + y * cos + pose.shift_y], axis=1)
    return (film / pose.field_cm + 0.5) * chest.side_px
