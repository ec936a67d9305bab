import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.gray_png import SIGNATURE, gray_png, undo_filters

MAX_PIXELS = 10**6
SMOOTH = (np.indices((50, 37)).sum(axis=0) * 3).astype(np.uint8)


def png(image: Image.Image, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def filtered(gray_HW, kinds):
    """Rows under the filters of `kinds`, written after the words of the specification."""
    height, width = gray_HW.shape
    row_HX = np.empty((height, width + 1), dtype=np.uint8)
    for y, kind in enumerate(kinds):
        row_HX[y, 0] = kind
        for x in range(width):
            a = int(gray_HW[y, x - 1]) if x else 0
            b = int(gray_HW[y - 1, x]) if y else 0
            c = int(gray_HW[y - 1, x - 1]) if x and y else 0
            nearest = min((a, b, c), key=lambda value: abs(value - (a + b - c)))
            guess = (0, a, b, (a + b) // 2, nearest)[kind]
            row_HX[y, x + 1] = (int(gray_HW[y, x]) - guess) % 256
    return row_HX


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_is_undone_from_the_first_row_on(kind):
    noise = np.random.default_rng(kind).integers(0, 256, (9, 40), dtype=np.uint8)
    found = np.empty_like(noise)
    assert undo_filters(filtered(noise, [kind] * 9), found)
    assert np.array_equal(found, noise)


def test_filters_change_from_row_to_row():
    noise = np.random.default_rng(9).integers(0, 256, (60, 7), dtype=np.uint8)
    kinds = np.random.default_rng(1).integers(0, 5, 60)
    found = np.empty_like(noise)
    assert undo_filters(filtered(noise, kinds), found)
    assert np.array_equal(found, noise)


def test_an_unknown_filter_is_left_to_others():
    row_HX = np.array([[5, 1, 2]], dtype=np.uint8)
    assert not undo_filters(row_HX, np.empty((1, 2), dtype=np.uint8))


def test_pixels_are_pillows():
    assert np.array_equal(gray_png(png(Image.fromarray(SMOOTH)), max_pixels=MAX_PIXELS), SMOOTH)


def test_several_chunks_of_data_are_joined():
    whole = png(Image.fromarray(SMOOTH))
    start = whole.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", whole, start)
    data, chunks = whole[start + 8 : start + 8 + length], b""
    for place in range(0, length, 50):
        part = b"IDAT" + data[place : place + 50]
        chunks += struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
    split = whole[:start] + chunks + whole[start + 12 + length :]
    assert np.array_equal(gray_png(split, max_pixels=MAX_PIXELS), SMOOTH)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGB", "RGBA", "I;16"])
def test_other_pixels_are_left_to_others(mode):
    image = Image.new(mode, (8, 8)) if mode == "I;16" else Image.fromarray(SMOOTH).convert(mode)
    assert gray_png(png(image), max_pixels=MAX_PIXELS) is None


def test_too_many_pixels_are_left_to_others():
    whole = png(Image.fromarray(SMOOTH))
    assert gray_png(whole, max_pixels=SMOOTH.size) is not None
    assert gray_png(whole, max_pixels=SMOOTH.size - 1) is None


def test_a_file_cut_anywhere_is_left_to_others():
    whole = png(Image.fromarray(SMOOTH))
    for kept_bytes in range(len(whole) - 12):
        assert gray_png(whole[:kept_bytes], max_pixels=MAX_PIXELS) is None


def test_a_changed_byte_of_the_pixels_is_seen():
    """Stored, so that the change can be inflated and only the checksum tells."""
    whole = bytearray(png(Image.fromarray(SMOOTH), compress_level=0))
    whole[whole.index(b"IDAT") + 500] ^= 1
    assert gray_png(bytes(whole), max_pixels=MAX_PIXELS) is None


def test_a_changed_header_is_seen():
    whole = bytearray(png(Image.fromarray(SMOOTH)))
    assert whole.startswith(SIGNATURE)
    whole[19] -= 1  # one column less
    assert gray_png(bytes(whole), max_pixels=MAX_PIXELS) is None


def test_where_no_cache_can_be_written_it_is_compiled_all_the_same():
    """As in a container whose user has no home: a setting of numba's leaves it no place."""
    program = (
        "import numpy as np\n"
        "from harness.data.gray_png import undo_filters\n"
        "gray = np.empty((1, 2), dtype=np.uint8)\n"
        "undo_filters(np.array([[1, 5, 7]], dtype=np.uint8), gray)\n"
        "print(gray.tolist(), type(undo_filters._cache).__name__)\n"
    )
    places = {"NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"}
    environment = os.environ | places | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "[[5, 12]] NullCache\n", done.stderr
