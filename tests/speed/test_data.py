"""The figures of the way of an image, on a few small ones."""

import json

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import HarnessError
from harness.data.decode import num_cpus
from harness.data.decoding import CHUNK_IMAGES
from harness.speed import data
from harness.speed.data import DataSpeed, find_files, measure_data, rows_of, write_data_report

HARDWARE = {"cores": 2, "cpu": "some CPU", "memory_gb": 25.0, "load_before": 0.1}
SPEED = DataSpeed(
    source="drawn", num_images=64, kilobytes=419.4, pillow_per_s=80, harness_per_s=160,
    gray_difference=0.0, stored_per_s={1: 150, 2: 290}, batches_per_s=123456,
)  # fmt: skip


@pytest.fixture
def few(monkeypatch):
    """Small images, and a small store."""
    monkeypatch.setattr(data, "ORIGINAL_PX", 64)
    monkeypatch.setattr(data, "SIZE_PX", 16)
    monkeypatch.setattr(data, "NUM_STORED", 130)


def test_everything_is_measured_on_drawn_images(few, monkeypatch):
    monkeypatch.setattr(data, "num_cpus", lambda: 1)
    told = []
    speed = measure_data(50, root=None, tell=told.append)
    assert (speed.source, speed.num_images) == ("drawn", 50)
    assert speed.gray_difference == 0.0
    assert list(speed.stored_per_s) == [1]
    assert min(speed.pillow_per_s, speed.harness_per_s, speed.stored_per_s[1]) > 0
    assert speed.batches_per_s > 0
    assert len(told) == 4


def test_what_is_stored_is_what_is_decoded(few, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64), dtype=np.uint8)
    files = []
    for row in range(9):
        files.append(tmp_path / f"{row}.png")
        Image.fromarray(pixels[row]).save(files[-1])
    assert data.stored(files, tmp_path, num_cpus()) > 0
    expected = np.stack([data.decode_with_pillow(file) for file in files])
    found = np.load(tmp_path / "pixels.npy")
    assert len(found) == data.JOBS_EACH * num_cpus() * CHUNK_IMAGES
    assert np.array_equal(found, expected[np.arange(len(found)) % 9])
    assert np.load(tmp_path / "marks.npy").all()


def test_files_of_another_size_are_not_taken(few, tmp_path):
    for number, size_px in enumerate((64, 32, 64, 64)):
        Image.new("L", (size_px, size_px)).save(tmp_path / f"{number}.png")
    assert [file.name for file in find_files(tmp_path, 2)] == ["0.png", "2.png"]
    with pytest.raises(HarnessError, match="no PNG files of 64 x 64 pixels"):
        find_files(tmp_path / "absent", 2)


def test_rows_and_report_say_the_same(tmp_path):
    assert rows_of(SPEED) == [
        ["decoded by Pillow, one process", "80", "1.00"],
        ["decoded by the harness, one process", "160", "2.00"],
        ["decoded and stored, processes: 1", "150", "1.88"],
        ["decoded and stored, processes: 2", "290", "3.62"],
        ["read in random batches, one process", "123,456", "-"],
    ]
    path, page = write_data_report(SPEED, HARDWARE, tmp_path)
    told = json.loads(path.read_text())
    assert (told["ratio"], told["stored_per_s"]) == (2.0, {"1": 150, "2": 290})
    text = " ".join(page.read_text().split())
    for words in ("| 2.00 |", "64 PNG files", "419 kB", "pillow ", "isal ", "`harness speed data`"):
        assert words in text
