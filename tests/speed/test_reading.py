"""Batches and peers on small images; the direction of the ratio at full size."""

import numpy as np
import pytest
import torch
from PIL import Image

from harness.speed import reading
from harness.speed.reading import PEERS, check, reading_rows, stored_batches


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for number in range(3):
        made.append(tmp_path / f"{number}.png")
        coarse = Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8))
        coarse.resize((512, 512)).save(made[-1])
    return made


def test_the_harness_reads_many_times_as_fast_as_its_peers(files, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "NUM_STORED", 256)
    monkeypatch.setattr(reading, "NUM_PASSES", 1)
    num_threads = torch.get_num_threads()
    *rows, plain = reading_rows(files, tmp_path, tell=lambda line: None)
    assert torch.get_num_threads() == num_threads
    assert [row.peer_name for row in rows] == [name for name, *_ in PEERS] * 2
    assert [row.goal for row in rows[:3]] == [300, 800, None]
    assert all(row.ratio > 5 for row in rows if row.peer is not None)
    assert plain.ours > rows[0].ours


def test_crops_that_differ_from_torchvision_are_not_timed(files, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "NUM_STORED", 16)
    batches = stored_batches(files, tmp_path / "images.npy")
    check(batches)
    monkeypatch.setattr(reading, "apply_parameters", lambda image, *_, **__: image[..., :224, :224])
    with pytest.raises(AssertionError):
        check(batches)


def test_a_store_holds_each_file_again_and_again(files, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "NUM_STORED", 7)
    (image_B1HW, _), *_ = stored_batches(files, tmp_path / "images.npy").epoch()
    assert len({image.numpy().tobytes() for image in image_B1HW}) == 7


def test_a_peer_that_is_not_installed_is_named(files, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert PEERS[0][2](files, tmp_path) is None


def test_peers_give_what_they_are_said_to(files, tmp_path):
    shapes = [tuple(make(files, tmp_path)(0).shape) for _, _, make in PEERS]
    assert shapes == [(1, 224, 224), (1, 224, 224), (3, 224, 224)]
