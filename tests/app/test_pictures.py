import numpy as np
import pytest

from harness.app.pictures import FindingBox, sized, with_boxes, with_heat


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((600, 300), (600, 300)),
        ((1536, 768), (768, 384)),
        ((64, 32), (512, 256)),
        ((3, 5000), (1, 768)),
    ],
)
def test_pictures_keep_their_proportions(shape, expected):
    assert sized(np.zeros(shape, dtype=np.uint8)).shape == expected


def test_a_map_of_the_square_lies_where_it_belongs_in_an_oblong_picture():
    heat = np.zeros((64, 64), dtype=np.float32)
    heat[48:, :16] = 1  # the lower left corner
    gray = np.full((200, 100), 100, dtype=np.uint8)
    changed = (with_heat(gray, heat, 1.0) != 100).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed[175, 10]
    assert rows.min() >= 200 * 46 / 64
    assert columns.max() <= 100 * 18 / 64


def test_opacity_zero_leaves_the_picture():
    gray = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    heat = np.ones((64, 64), dtype=np.float32)
    assert (with_heat(gray, heat, 0.0) == gray[..., None]).all()


def test_a_box_is_drawn_where_it_is_and_the_chosen_one_is_thicker():
    gray = np.full((200, 400), 128, dtype=np.uint8)
    boxes = [FindingBox("Mass", 0.5, 0.25, 0.25, 0.5), FindingBox("Nodule", 0.1, 0.1, 0.2, 0.2)]
    mass = (with_boxes(gray, boxes, chosen="Mass") == 255).all(axis=2)
    nodule = (with_boxes(gray, boxes, chosen="Nodule") == 255).all(axis=2)
    assert mass[100, 200:203].all()
    assert not mass[100, 203]
    assert nodule[100, 200]
    assert not nodule[100, 201]
    assert mass[100, 300]
    assert not mass[160:, :].any()
