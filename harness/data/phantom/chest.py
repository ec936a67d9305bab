"""`Chest`: a patient on a film, as layers of tissue, air, vessels and bone.

X-rays weaken along their path in proportion to what they pass, so that layers add; that makes every
sign of a disease a change of one layer or two. Arrays are float32 of shape (side, side).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from harness.data.phantom.body import Body, Pose

Array = NDArray[np.floating[Any]]

TISSUE_PER_CM = 0.2
"""Attenuation of soft tissue, about that of water at 60 keV (NIST XCOM: 0.206 per cm)."""
AIR_PER_CM = 0.15
"""What a cm of aerated lung lets through more than a cm of tissue: lungs are 0.25 as dense."""

LUNG_DEPTH_CM = 17.0
MIDDLE_CM = 11.5
"""The y that lies in the middle of the film."""


@dataclass
class Chest:
    """The layers of one film. Signs change them in place; `attenuation` adds them up.

    Attributes:
        x, y: Body coordinates of each pixel, cm.
        body: The patient as he breathes on this film.
        pose: The exposure.
        wall: cm from the inner chest wall, positive inside.
        dome: y of the diaphragm under each pixel.
        lung: 1 in the lungs, 0 outside, soft at the edge.
        air: Aerated lung along the ray, cm, without regard to the heart.
        heart: Heart along the ray, cm.
        vessels: Attenuation of the vascular markings where the lung is aerated.
        opacity: Attenuation of everything else: trunk, bones and what a sign adds.
    """

    x: Array
    y: Array
    body: Body
    pose: Pose
    wall: Array
    dome: Array
    lung: Array
    air: Array
    heart: Array
    vessels: Array
    opacity: Array

    @property
    def side_px(self) -> int:
        return self.x.shape[0]

    @property
    def pixel_cm(self) -> float:
        return self.pose.field_cm / self.side_px

    @property
    def attenuation(self) -> Array:
        """Total attenuation along each ray."""
        air = np.maximum(self.air - self.heart, 0)
        marked = self.vessels * np.minimum(air / 11, 1)
        return self.opacity + marked - AIR_PER_CM * air

    def reshape(self, body: Body) -> None:
        """Draw lungs and diaphragm anew for another body; call it before anything fills them."""
        self.body = body
        self.wall = lateral_wall(self.body, self.y) - np.abs(self.x)
        self.dome = diaphragm(self.body, self.x)
        self.lung, self.air = lungs(self)

    def fill(self, share: Array) -> None:
        """Replace this share (0 to 1) of the air by fluid or cells."""
        self.air = self.air * (1 - share)

    def edge(self, distance_cm: Array, soft_cm: float = 0.25) -> Array:
        """1 where `distance_cm` is positive, 0 where negative, a ramp of `soft_cm` between."""
        width = max(soft_cm, self.pixel_cm)
        return np.clip(distance_cm / width + 0.5, 0, 1)

    def at(self, side: int, across: float, down: float) -> tuple[float, float]:
        """x, y of a place in a lung: `across` 0 (medial) to 1 (lateral), `down` 0 (apex) to 1."""
        dome = self.body.dome_left if side > 0 else self.body.dome_right
        y = down * dome
        outer = float(lateral_wall(self.body, np.asarray(y)))
        return side * (2.5 + across * (outer - 2.5)), y

    def noise(self, rng: np.random.Generator, cell_cm: float) -> Array:
        """Smooth noise with zero mean and unit variance, `cell_cm` from hill to hill."""
        cells = max(4, round(self.pose.field_cm / cell_cm))
        coarse = rng.standard_normal((cells, cells), dtype=np.float32)
        fine = Image.fromarray(coarse).resize((self.side_px,) * 2, Image.Resampling.BICUBIC)
        return np.asarray(fine) * 1.3

    def ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], tilt: float = 0.0
    ) -> Array:
        """Squared distance from `centre` in units of the radii: 1 on the ellipse."""
        x, y = self.x - centre[0], self.y - centre[1]
        cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
        return ((x * cos + y * sin) / radii[0]) ** 2 + ((y * cos - x * sin) / radii[1]) ** 2


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
    chest.vessels = _vessels(chest)
    chest.opacity = trunk(chest) + _bones(chest) + _airways(chest)
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


def ball(squared: Array) -> Array:
    """Thickness of an ellipsoid along the ray, 1 at its centre, from `Chest.ellipse`."""
    return np.sqrt(np.maximum(1 - squared, 0))


def lateral_wall(body: Body, y: Array) -> Array:
    """Distance of the inner chest wall from the midline at height y, cm; below 0 over the apex."""
    fullest = 1.18 * body.half_width
    v = np.clip(y / fullest, -0.2, 1)
    bow = (1 - np.abs(1 - np.maximum(v, 0)) ** 2.3) ** (1 / 2.3)
    below = np.maximum(y - fullest, 0)
    return 3.6 + (body.half_width - 3.6) * bow + 40 * np.minimum(v, 0) - 0.008 * below**2


def diaphragm(body: Body, x: Array) -> Array:
    """y of the diaphragm at each x: two domes that fall to the sides and, less, to the midline."""
    top = np.where(x < 0, np.float32(body.dome_right), np.float32(body.dome_left))
    across = np.abs(x) / body.half_width
    outer = np.maximum(across - 0.42, 0) / 0.58
    inner = np.maximum(0.42 - across, 0) / 0.42
    return top + body.dome_height * (0.8 * outer**2.2 + 0.2 * outer**6) + 1.3 * inner**2


def lungs(chest: Chest) -> tuple[Array, Array]:
    """The lungs' soft mask, and their thickness in cm."""
    medial = 2.3 + 0.9 * np.exp(-np.maximum(chest.y, 0) / 2) + 0.2 * np.cos(chest.y / 2.4)
    above = chest.dome - chest.y
    gap = np.abs(chest.x) - medial
    lung = chest.edge(chest.wall) * chest.edge(gap, 0.9) * chest.edge(above) * (chest.y > -1)
    deep = np.sqrt(np.clip(chest.wall / 7, 0, 1)) * (0.7 + 0.3 * np.clip(chest.y / 8, 0, 1))
    deep *= 0.72 + 0.28 * np.clip(above / 5, 0, 1)
    deep *= 0.7 + 0.3 * np.clip(gap / 3, 0, 1)
    return lung, LUNG_DEPTH_CM * chest.body.aeration * lung * deep


def heart(chest: Chest, ratio: float) -> Array:
    """Heart and great vessels along the ray, cm; `ratio` is the cardiothoracic ratio."""
    width = 2 * chest.body.half_width * ratio
    bottom = 0.5 * (chest.body.dome_right + chest.body.dome_left) + 1.5
    tall = 0.30 * width + 1.4
    tilt, long, short = 0.45, 0.55 * width, tall + 0.2
    reach = np.hypot(long * np.cos(tilt), short * np.sin(tilt))
    ventricle = chest.ellipse((0.68 * width - reach, bottom - tall), (long, short), tilt)
    atrium = chest.ellipse((0.07 * width, bottom - 1.1 * tall), (0.39 * width, tall + 0.8))
    cm = 0.85 * width * ball(np.minimum(ventricle, atrium))
    aorta = chest.body.aorta
    for centre, radii, thick in (
        ((2.3, 0.27 * bottom), (aorta, 1.2 * aorta), 6.5),  # aortic knob
        ((1.6, 0.42 * bottom), (2.6, 3.6), 6.0),  # pulmonary trunk
        ((-0.8, 0.30 * bottom), (2.2, 6.5), 5.0),  # superior vena cava
    ):
        cm = np.maximum(cm, thick * ball(chest.ellipse(centre, radii)))
    return cm


def _vessels(chest: Chest) -> Array:
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


def trunk(chest: Chest) -> Array:
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
