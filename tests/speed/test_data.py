"""The figures of the way of an image, on a few small ones."""

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import HarnessError
from harness.data.decoding import CHUNK_IMAGES, decode_all
from harness.speed import data
from harness.speed.data import decoding_rows, draw_files, find_files, measure_data
from harness.speed.report import Row


@pytest.fixture
def few(monkeypatch):
    """Small images, and a small store."""
    monkeypatch.setattr(data, "ORIGINAL_PX", 64)
    monkeypatch.setattr(data, "SIZE_PX", 16)


def test_pixels_are_compared_and_all_ways_timed(few, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "num_cpus", lambda: 2)
    monkeypatch.setattr(data, "decode_all", in_this_process)
    files = draw_files(tmp_path, 9)
    gray, decoded, stored = decoding_rows(files, tmp_path, tell=lambda line: None)
    assert (gray.ours, gray.holds) == (0, True)
    assert (decoded.goal, stored.goal) == (1.25, 1.8)
    assert min(decoded.ours, decoded.peer, stored.ours, stored.peer) > 0


def in_this_process(sources, target, *, num_workers, is_over):
    return decode_all(sources, target, num_workers=1, is_over=is_over)


def test_what_is_stored_is_what_is_decoded(few, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64), dtype=np.uint8)
    files = []
    for row in range(9):
        files.append(tmp_path / f"{row}.png")
        Image.fromarray(pixels[row]).save(files[-1])
    assert data.stored(files, tmp_path, 1) > 0
    expected = np.stack([data.decode_with_pillow(file) for file in files])
    found = np.load(tmp_path / "pixels.npy")
    assert len(found) == data.PIECES_EACH[1] * CHUNK_IMAGES
    assert np.array_equal(found, expected[np.arange(len(found)) % 9])
    assert np.load(tmp_path / "marks.npy").all()


def test_the_page_says_what_each_side_did(few, monkeypatch):
    row = Row(what="x", unit="s", ours=1)
    monkeypatch.setattr(data, "decoding_rows", lambda *_: [row])
    monkeypatch.setattr(data, "reading_rows", lambda *_: [row])
    speed = measure_data(8, root=None, tell=lambda line: None)
    assert len(speed.rows) == 2
    assert speed.figures["num_images"] == 8
    for words in ("8 PNG files of 64 x 64", "XRayResizer(16)", "RandomResizedCrop(224)", "drawn"):
        assert words in speed.notes


def test_files_of_another_size_are_not_taken(few, tmp_path):
    for number, size_px in enumerate((64, 32, 64, 64)):
        Image.new("L", (size_px, size_px)).save(tmp_path / f"{number}.png")
    assert [file.name for file in find_files(tmp_path, 2)] == ["0.png", "2.png"]
    with pytest.raises(HarnessError, match="no PNG files of 64 x 64 pixels"):
        find_files(tmp_path / "absent", 2)
