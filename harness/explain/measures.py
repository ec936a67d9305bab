"""Whether a network looked at the right place: figures of each `Sight`.

`pointing` is the pointing game (Zhang et al. 2016, doi:10.1007/978-3-319-46493-0_33): the map's
highest place is in a box. Beside it two that see nothing: `chance`, a place drawn at random, and
`centre`, the centre of every image, which on chest films is hard to beat. `iobb` and `iou` are the
overlap of the map's region with the best box, over the region's area and over that of both together
(Wang et al. 2017, doi:10.1109/CVPR.2017.369); a figure is whether they reach a value.

N sights.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.explain.explanations import Box, Explanations, Sight

FloatArray = NDArray[np.float64]
POINTING, CHANCE, CENTRE = "pointing", "chance", "centre"
IOBB = {f"iobb_{percent}": percent / 100 for percent in (10, 25, 50, 75, 90)}
IOU = {f"iou_{percent}": percent / 100 for percent in (10, 20, 30, 40, 50)}
MEASURES = (POINTING, CHANCE, CENTRE, *IOBB, *IOU)


def measure(explanations: Explanations, *, tolerance_px: float = 0.0) -> dict[str, FloatArray]:
    """Each of `MEASURES` of each sight: 0 or 1, and for `chance` a probability.

    Where nothing spoke for the finding, nothing was hit.

    Args:
        tolerance_px: So far beside a box counts as in it, for `pointing` and both that see nothing,
            in pixels of the boxes' frame. Zhang et al. grant 15 px of a photograph.
    """
    sights, frame_px = explanations.sights, explanations.frame_px

    def of_each(value: Callable[[Sight], float]) -> FloatArray:
        return np.array([value(sight) for sight in sights], dtype=np.float64)

    centre = (frame_px / 2, frame_px / 2)
    found = {
        POINTING: of_each(lambda sight: is_in(sight.peak, sight.boxes, tolerance_px)),
        CENTRE: of_each(lambda sight: is_in(centre, sight.boxes, tolerance_px)),
        CHANCE: of_each(lambda sight: share_of_frame(sight.boxes, frame_px, tolerance_px)),
    }
    iobb_N, iou_N = of_each(iobb), of_each(iou)
    found |= {name: (iobb_N >= least).astype(np.float64) for name, least in IOBB.items()}
    found |= {name: (iou_N >= least).astype(np.float64) for name, least in IOU.items()}
    return {name: found[name] for name in MEASURES}


def is_in(
    place: tuple[float, float] | None, boxes: tuple[Box, ...], tolerance_px: float = 0.0
) -> bool:
    """Whether a place is within a box, or no farther from its sides than is tolerated."""
    if place is None:
        return False
    x, y = place
    return any(
        -tolerance_px <= x - box.x <= box.w + tolerance_px
        and -tolerance_px <= y - box.y <= box.h + tolerance_px
        for box in boxes
    )


def share_of_frame(boxes: tuple[Box, ...], frame_px: int, tolerance_px: float = 0.0) -> float:
    """Part of the image in which `is_in` is true: the chance that a random place is a hit."""
    edges = np.array([
        (box.x - tolerance_px, box.y - tolerance_px,
         box.x + box.w + tolerance_px, box.y + box.h + tolerance_px)
        for box in boxes
    ]).clip(0, frame_px)  # fmt: skip
    xs, ys = np.unique(edges[:, [0, 2]]), np.unique(edges[:, [1, 3]])
    is_covered = np.zeros((len(ys) - 1, len(xs) - 1), dtype=np.bool_)
    for left, top, right, bottom in edges:
        rows = slice(*np.searchsorted(ys, (top, bottom)))
        is_covered[rows, slice(*np.searchsorted(xs, (left, right)))] = True
    area = float((np.diff(ys)[:, None] * np.diff(xs) * is_covered).sum())
    return area / frame_px**2


def iobb(sight: Sight) -> float:
    """Part of the map's region that lies in the finding's box, the best of several; 0 to 1."""
    if (region := sight.region) is None:
        return 0.0
    return max(_overlap(region, box) for box in sight.boxes) / (region.w * region.h)


def iou(sight: Sight) -> float:
    """Intersection over union of the map's region and the finding's best box; 0 to 1."""
    if (region := sight.region) is None:
        return 0.0
    return max(
        shared / (region.w * region.h + box.w * box.h - shared)
        for box in sight.boxes
        for shared in (_overlap(region, box),)
    )


def _overlap(one: Box, other: Box) -> float:
    """Area that both cover."""
    width = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    height = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    return max(width, 0.0) * max(height, 0.0)
