import numpy as np

from harness.explain.overlay import colour_bar, overlay


def test_where_a_map_is_0_the_image_stays_and_where_it_is_1_it_is_covered() -> None:
    pixel = np.array([[0, 100, 200, 255]], dtype=np.uint8)
    heat = np.array([[0, 0, 1, 1]], dtype=np.float32)
    found = overlay(pixel, heat, opacity=1)
    assert found.shape == (1, 4, 3)
    assert found.dtype == np.uint8
    assert found[0, :2].tolist() == [[0, 0, 0], [100, 100, 100]]
    assert found[0, 2].tolist() == found[0, 3].tolist() == colour_bar(2, 1)[0, 1].tolist()


def test_an_opacity_of_0_shows_the_image_alone() -> None:
    pixel = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = overlay(pixel, np.ones((16, 16), dtype=np.float32), opacity=0)
    np.testing.assert_array_equal(found, np.repeat(pixel[..., None], 3, axis=2))


def test_the_colours_grow_lighter_all_the_way() -> None:
    """So that a map can be read without its hues."""
    luminance = colour_bar(256, 1)[0] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > -0.5).all()
    assert luminance[-1] - luminance[0] > 200
