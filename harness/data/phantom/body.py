"""Who is drawn and how the film was taken: the numbers of one patient and of one exposure.

Lengths are in cm. x runs from the midline to the patient's left, which is the right of the film; y
runs down from the tops of the lungs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

View = Literal["PA", "AP"]


@dataclass(frozen=True)
class Body:
    """One patient's chest; it stays the same over all of the patient's images.

    Attributes:
        age: Years.
        sex: `M` or `F`.
        half_width: Largest distance from the midline to the inner chest wall.
        depth: Thickness of the trunk from front to back.
        fat: 0 (lean) to 1 (obese).
        dome_right: y of the top of the right half of the diaphragm.
        dome_left: y of the top of the left half.
        dome_height: How far the costophrenic angle lies below the dome.
        aeration: Factor on the air in the lungs.
        perfusion: Factor on the vascular markings.
        heart_ratio: Width of the heart divided by the inner width of the chest.
        aorta: Radius of the aortic knob.
        rib_spacing: Distance between two ribs at mid-height.
        rib_density: Factor on the bones.
        vessel_seed: Seed of the vascular tree.
    """

    age: int
    sex: Literal["M", "F"]
    half_width: float
    depth: float
    fat: float
    dome_right: float
    dome_left: float
    dome_height: float
    aeration: float
    perfusion: float
    heart_ratio: float
    aorta: float
    rib_spacing: float
    rib_density: float
    vessel_seed: int


@dataclass(frozen=True)
class Pose:
    """One exposure.

    Attributes:
        view: `PA` (standing, from behind) or `AP` (in bed: larger heart, higher diaphragm, turned).
        field_cm: Side of the square film.
        shift_x: cm from the middle of the film to the midline.
        shift_y: cm by which the patient lies lower than usual.
        tilt: Rotation in the plane of the film, radians.
        breath: Factor on the height of the lungs; 1 is a full inspiration.
        exposure: Attenuation that comes out mid-gray.
        contrast: Steepness of the film curve at mid-gray.
        noise: Standard deviation of the quantum noise at mid-gray, 1 being white.
    """

    view: View
    field_cm: float
    shift_x: float
    shift_y: float
    tilt: float
    breath: float
    exposure: float
    contrast: float
    noise: float


def draw_body(rng: np.random.Generator, *, age: int, sex: Literal["M", "F"]) -> Body:
    """A random adult of this age and sex."""
    is_male = sex == "M"
    old = (age - 47) / 17
    half_width = (13.7 if is_male else 12.3) + rng.normal(0, 0.5)
    dome_right = (20.6 if is_male else 18.8) + rng.normal(0, 0.9)
    return Body(
        age=age,
        sex=sex,
        half_width=half_width,
        depth=(21.0 if is_male else 19.5) + rng.normal(0, 0.8),
        fat=float(np.clip(rng.normal(0.35, 0.2), 0, 1)),
        dome_right=dome_right,
        dome_left=dome_right + rng.normal(1.1, 0.4),
        dome_height=rng.uniform(3.6, 5.0),
        aeration=rng.normal(1.0, 0.04),
        perfusion=rng.normal(1.0, 0.12),
        heart_ratio=float(np.clip(rng.normal(0.43 + 0.006 * old, 0.02), 0.37, 0.475)),
        aorta=float(np.clip(1.55 + 0.18 * old + rng.normal(0, 0.1), 1.2, 2.3)),
        rib_spacing=rng.uniform(2.3, 2.65),
        rib_density=float(np.clip(1.0 - 0.1 * old + rng.normal(0, 0.1), 0.6, 1.4)),
        vessel_seed=int(rng.integers(2**62)),
    )


def draw_pose(rng: np.random.Generator, *, body: Body, view: View) -> Pose:
    """A random exposure of `body`: PA films are centred and clear, AP films less so."""
    is_ap = view == "AP"
    spread = 1.8 if is_ap else 1.0
    return Pose(
        view=view,
        field_cm=2 * body.half_width + rng.uniform(5.0, 8.5),
        shift_x=rng.normal(0, 0.5 * spread),
        shift_y=rng.normal(0, 0.7 * spread),
        tilt=float(np.radians(rng.normal(0, 1.0 * spread))),
        breath=float(np.clip(rng.normal(0.92 if is_ap else 1.0, 0.025), 0.8, 1.05)),
        exposure=rng.normal(2.55, 0.10 * spread),
        contrast=rng.normal(1.3 if is_ap else 1.45, 0.08),
        noise=rng.uniform(0.014, 0.026) if is_ap else rng.uniform(0.008, 0.016),
    )
