from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness.data.batches import Batches

NUM_IMAGES = 23


@dataclass
class Store:
    images: NDArray[np.uint8]
    label_NL: NDArray[np.bool_]
    is_known_NL: NDArray[np.bool_]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Image n holds the number n everywhere, and its labels are the bits of n."""
    number_N = np.arange(NUM_IMAGES, dtype=np.uint8)
    np.save(tmp_path / "images.npy", np.broadcast_to(number_N[:, None, None], (NUM_IMAGES, 6, 5)))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    label_NL = (number_N[:, None] >> np.arange(14) & 1).astype(np.bool_)
    return Store(images, label_NL, np.ones_like(label_NL))


def numbers(batches: Batches, epoch: int = 0) -> list[int]:
    """The numbers of the images as they come, checked against their labels."""
    seen = []
    for image_B1HW, label_BL in batches.epoch(epoch):
        assert image_B1HW.dtype == torch.uint8
        assert image_B1HW.shape[1:] == (1, 6, 5)
        assert label_BL.dtype == torch.float32
        assert label_BL.shape == (len(image_B1HW), 14)
        for image, label_L in zip(image_B1HW, label_BL, strict=True):
            number = int(image[0, 0, 0])
            assert (image == number).all()
            assert label_L.tolist() == [number >> bit & 1 for bit in range(14)]
            seen.append(number)
    return seen


def test_without_a_seed_the_order_is_that_of_the_index(store: Store) -> None:
    index_N = np.array([7, 3, 22, 0, 3])
    batches = Batches(store, index_N, batch_size=2, device="cpu")
    assert numbers(batches) == [7, 3, 22, 0, 3]
    assert numbers(batches, epoch=5) == [7, 3, 22, 0, 3]
    assert batches.num_images == 5


def test_each_epoch_has_every_image_once_in_an_order_of_its_own(store: Store) -> None:
    index_N = np.arange(1, 20)
    batches = Batches(store, index_N, batch_size=4, device="cpu", seed=0)
    first, second = numbers(batches, 1), numbers(batches, 2)
    assert sorted(first) == sorted(second) == index_N.tolist()
    assert first != second
    assert first != sorted(first)


def test_an_epoch_can_be_repeated_without_those_before_it(store: Store) -> None:
    index_N = np.arange(NUM_IMAGES)
    batches = Batches(store, index_N, batch_size=4, device="cpu", seed=3)
    numbers(batches, 1)
    resumed = Batches(store, index_N, batch_size=4, device="cpu", seed=3)
    assert numbers(resumed, 2) == numbers(batches, 2)
    other = Batches(store, index_N, batch_size=4, device="cpu", seed=4)
    assert numbers(other, 2) != numbers(batches, 2)


@pytest.mark.parametrize(("num_images", "sizes"), [(8, [4, 4]), (9, [4, 4, 1]), (3, [3]), (0, [])])
def test_the_last_batch_may_be_short(store: Store, num_images: int, sizes: list[int]) -> None:
    batches = Batches(store, np.arange(num_images), batch_size=4, device="cpu", seed=0)
    assert len(batches) == len(sizes)
    assert [len(image) for image, _ in batches.epoch(0)] == sizes


def test_a_batch_is_a_copy(store: Store) -> None:
    batches = Batches(store, np.arange(4), batch_size=4, device="cpu")
    image, label = next(batches.epoch())
    image.fill_(99)
    label.fill_(9)
    assert numbers(batches) == [0, 1, 2, 3]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("is_resident", [True, False])
def test_a_gpu_gets_the_same(
    store: Store, is_resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_resident:
        monkeypatch.setattr(Batches, "_do_images_fit", lambda self: False)
    index_N = np.arange(NUM_IMAGES)[::-1]
    on_gpu = Batches(store, index_N, batch_size=4, device="cuda", seed=1)
    assert next(on_gpu.epoch())[0].device.type == "cuda"
    assert numbers(on_gpu) == numbers(Batches(store, index_N, batch_size=4, device="cpu", seed=1))


def test_a_label_that_is_not_known_is_nan(store: Store) -> None:
    store.is_known_NL[5, 2] = store.is_known_NL[6, 0] = False
    batches = Batches(store, np.array([4, 5, 6]), batch_size=3, device="cpu")
    ((_, label_BL),) = batches.epoch()
    assert label_BL.isnan().nonzero().tolist() == [[1, 2], [2, 0]]
    assert label_BL[1, :3].nan_to_num(-1).tolist() == [1, 0, -1]
