"""Hits, overlaps and chance of cases counted by hand."""

import numpy as np
import pytest

from harness.explain.explanations import Box, Explanations, Sight
from harness.explain.measures import MEASURES, iobb, iou, is_in, measure, share_of_frame


def sight(peak, region, *boxes: Box, finding: str = "Mass") -> Sight:
    return Sight(image="a.png", patient="a", finding=finding, boxes=boxes, peak=peak, region=region)


def explanations(*sights: Sight) -> Explanations:
    return Explanations(
        run_id="", part="val", split_sha256="", layer="", grid=(7, 7), level=0.7, frame_px=100,
        sights=sights, code="",
    )  # fmt: skip


BOX = Box(20, 40, 20, 10)


@pytest.mark.parametrize(
    ("place", "tolerance_px", "is_hit"),
    [
        ((30, 45), 0, True),
        ((20, 40), 0, True),
        ((40, 50), 0, True),
        ((41, 45), 0, False),
        ((30, 39), 0, False),
        ((45, 45), 5, True),
        ((46, 45), 5, False),
        (None, 100, False),
    ],
)
def test_a_hit_is_in_the_box_or_within_the_tolerance(place, tolerance_px, is_hit) -> None:
    assert is_in(place, (BOX,), tolerance_px) is is_hit


def test_any_of_several_boxes_may_be_hit() -> None:
    assert is_in((5, 5), (BOX, Box(0, 0, 10, 10)))


def test_chance_is_the_part_of_the_image_that_is_a_hit() -> None:
    assert share_of_frame((BOX,), 100) == pytest.approx(0.02)
    assert share_of_frame((BOX, Box(30, 40, 20, 10)), 100) == pytest.approx(0.03), "once, not twice"
    assert share_of_frame((BOX, Box(0, 0, 10, 10)), 100) == pytest.approx(0.03)
    assert share_of_frame((BOX,), 100, 5) == pytest.approx(0.06)
    assert share_of_frame((Box(90, 90, 30, 30),), 100) == pytest.approx(0.01), "within the image"


def test_chance_is_what_random_places_hit() -> None:
    rng = np.random.default_rng(0)
    boxes = (Box(3, 5, 40, 22), Box(30, 20, 30, 60))
    hits = [is_in(tuple(place), boxes, 4) for place in rng.uniform(0, 100, (4000, 2))]
    assert share_of_frame(boxes, 100, 4) == pytest.approx(np.mean(hits), abs=0.03)


def test_overlaps_of_a_region_that_is_half_in_its_box() -> None:
    half = sight((30, 45), Box(30, 40, 20, 10), BOX)
    assert iobb(half) == pytest.approx(0.5)
    assert iou(half) == pytest.approx(1 / 3)
    within = sight((30, 45), Box(25, 42, 4, 5), BOX)
    assert iobb(within) == 1
    assert iou(within) == pytest.approx(0.1)
    beside = sight((30, 45), Box(60, 60, 4, 5), BOX)
    assert (iobb(beside), iou(beside)) == (0, 0)


def test_each_measure_of_each_sight() -> None:
    central = Box(45, 45, 10, 10)
    found = measure(
        explanations(
            sight((30, 45), Box(30, 40, 20, 10), BOX),
            sight((30, 45), Box(30, 40, 20, 10), central),
            sight(None, None, central),
        )
    )
    assert tuple(found) == MEASURES
    assert found["pointing"].tolist() == [1, 0, 0]
    assert found["centre"].tolist() == [0, 1, 1]
    assert found["chance"] == pytest.approx([0.02, 0.01, 0.01])
    assert found["iobb_50"].tolist() == [1, 0, 0]
    assert found["iobb_75"].tolist() == [0, 0, 0]
    assert found["iou_30"].tolist() == [1, 0, 0]
    assert found["iou_40"].tolist() == [0, 0, 0]
