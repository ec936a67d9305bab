"""`Chest`: a patient on a film, as layers of tissue, air, vessels and bone.

X-rays weaken along their path in proportion to what they pass, so that layers add; that makes every
sign of a disease a change of one layer or two. Arrays are float32 of shape (side, side).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
