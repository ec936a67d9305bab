import io

import numpy as np
import pytest
from PIL import Image

from harness.data.decode import BROKEN_FILE, decode_gray

GRAY = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)


def png(image: Image.Image) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    stream.seek(0)
    return stream


def test_gray_is_taken_as_it_is():
    assert np.array_equal(decode_gray(png(Image.fromarray(GRAY)), 40), GRAY)


def test_rgba_of_equal_channels_is_its_gray_whatever_the_alpha():
    alpha = np.random.default_rng(1).integers(0, 256, (40, 40), dtype=np.uint8)
    rgba = Image.fromarray(np.dstack([GRAY, GRAY, GRAY, alpha]))
    assert rgba.mode == "RGBA"
    assert np.array_equal(decode_gray(png(rgba), 40), GRAY)


def test_gray_with_alpha_is_its_gray():
    image = Image.merge("LA", [Image.fromarray(GRAY), Image.new("L", (40, 40), 7)])
    assert np.array_equal(decode_gray(png(image), 40), GRAY)


@pytest.mark.parametrize(
    ("colour", "luminance"),
    [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((255, 255, 255), 255)],
)
def test_colours_become_their_luminance(colour, luminance):
    """0.299 R + 0.587 G + 0.114 B, ITU-R BT.601."""
    assert (decode_gray(png(Image.new("RGB", (8, 8), colour)), 8) == luminance).all()


def test_a_palette_is_looked_up():
    image = Image.new("P", (2, 2))
    image.putpalette([10, 10, 10, 200, 200, 200])
    image.putpixel((0, 1), 1)
    assert decode_gray(png(image), 2).tolist() == [[10, 10], [200, 10]]


def test_16_bits_are_divided_by_257():
    value = np.arange(0, 65536, 41, dtype=np.uint16)[:1521].reshape(39, 39)
    value[0, 0], value[0, 1] = 65535, 128
    decoded = decode_gray(png(Image.fromarray(value)), 39)
    assert np.array_equal(decoded, np.rint(value / 257).astype(np.uint8))
    assert decoded[0, 0] == 255


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(("photometric", "expected"), [(0, 255 - GRAY), (1, GRAY)])
def test_a_tiff_of_16_bits_whose_0_is_white_is_inverted(photometric, expected, compression):
    """Photometric interpretation 0, WhiteIsZero: film, as it lets light through."""
    stream = io.BytesIO()
    Image.fromarray(GRAY.astype(np.uint16) * 257).save(
        stream, "TIFF", tiffinfo={262: photometric}, compression=compression
    )
    stream.seek(0)
    assert np.array_equal(decode_gray(stream, 40), expected)


def test_a_bitmap_is_black_and_white():
    image = Image.fromarray(GRAY > 127)
    assert image.mode == "1"
    assert np.array_equal(decode_gray(png(image), 40), np.where(GRAY > 127, 255, 0))


def test_making_smaller_is_antialiased():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = decode_gray(png(Image.fromarray(board.astype(np.uint8))), 16)
    assert np.abs(small.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("size_px", [224, 256, 320, 512, 1024, 1100])
def test_every_size_has_pillows_pixels(size_px):
    noise = np.random.default_rng(2).integers(0, 256, (128, 128), dtype=np.uint8)
    image = Image.fromarray(noise).resize((1024, 1024), Image.Resampling.BICUBIC)
    expected = image.resize((size_px, size_px), Image.Resampling.BILINEAR)
    assert np.array_equal(decode_gray(png(image), size_px), np.asarray(expected))


def test_an_image_that_is_not_square_is_squeezed():
    wide = np.hstack([np.zeros((10, 20), np.uint8), np.full((10, 20), 255, np.uint8)])
    square = decode_gray(png(Image.fromarray(wide)), 10)
    assert square.shape == (10, 10)
    assert square[:, 0].max() == 0
    assert square[:, -1].min() == 255


@pytest.mark.parametrize("kept_bytes", [0, 4, 20, 60, 700])
def test_a_file_that_is_cut_off_is_an_error(kept_bytes):
    whole = png(Image.fromarray(GRAY)).getvalue()
    with pytest.raises(BROKEN_FILE):
        decode_gray(io.BytesIO(whole[:kept_bytes]), 40)


def test_gray_of_32_bits_beyond_16_is_refused():
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 4), 70000, dtype=np.int32)).save(stream, "TIFF")
    stream.seek(0)
    with pytest.raises(ValueError, match="70000"):
        decode_gray(stream, 4)
