import io

import numpy as np
import pytest
from PIL import Image

from harness.data.checks.pictures import measure
from harness.data.checks.twins import (
    MAX_BITS,
    MIN_SIMILARITY,
    bits_apart,
    detail_hashes,
    find_twins,
    near_pairs,
)
from harness.data.nih import prepare_nih

NUM = 60
RNG = np.random.default_rng(0)


def as_jpeg(image: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=30)
    return np.asarray(Image.open(stream))


def resized(image: np.ndarray, box: tuple[int, ...] | None = None, px: int = 128) -> np.ndarray:
    small = Image.fromarray(image).resize((px, px), Image.Resampling.BILINEAR, box=box)
    return np.asarray(small.resize(image.shape[::-1], Image.Resampling.BILINEAR))


COPIES = {
    "itself": lambda image: image,
    "jpeg": as_jpeg,
    "smaller": lambda image: resized(image, px=image.shape[0] // 4),
    "lighter": lambda image: np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8),
    "noise": lambda image: np.clip(image + RNG.normal(0, 10, image.shape), 0, 255).astype(np.uint8),
    "cut": lambda image: resized(
        image, (2, 2, image.shape[0] - 2, image.shape[0] - 2), image.shape[0]
    ),
}


@pytest.fixture(scope="module")
def films(nih_sample, tmp_path_factory):
    """The 499 real films, of as many patients."""
    store = prepare_nih(
        nih_sample, tmp_path_factory.mktemp("films") / "store", size_px=256, num_workers=1
    )
    return np.array(store.images)


@pytest.fixture(scope="module")
def thumbs(films):
    return measure(films).thumb_NTT


def test_no_two_real_patients_are_twins(thumbs):
    assert find_twins(thumbs, np.arange(len(thumbs)) % 3) == []


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_real_films_are_found_and_nothing_else(films, thumbs, how):
    copies = measure(np.stack([COPIES[how](image) for image in films[:NUM]])).thumb_NTT
    group_N = np.repeat([0, 1], [len(films), NUM])
    twins = find_twins(np.concatenate([thumbs, copies]), group_N)
    assert sorted((twin.first, twin.second) for twin in twins) == [
        (row, len(films) + row) for row in range(NUM)
    ]
    assert all(MIN_SIMILARITY <= twin.similarity <= 1 for twin in twins)
    if how == "itself":
        assert [twin.similarity for twin in twins] == pytest.approx([1] * NUM, abs=1e-6)


def test_twins_of_one_group_or_of_none_are_not_named(thumbs):
    both = np.concatenate([thumbs[:9], thumbs[:9]])
    assert find_twins(both, np.zeros(18, int)) == []
    assert find_twins(both, np.repeat([0, -1], 9)) == []
    assert len(find_twins(both, np.repeat([5, 2], 9))) == 9


def test_the_most_alike_come_first(thumbs):
    noisy = np.clip(thumbs[:9] + RNG.normal(0, 2, (9, 32, 32)), 0, 255).astype(np.uint8)
    both = np.concatenate([thumbs[:9], thumbs[:1], noisy[1:]])
    twins = find_twins(both, np.repeat([0, 1], 9))
    assert (twins[0].first, twins[0].second) == (0, 9)
    values = [twin.similarity for twin in twins]
    assert values == sorted(values, reverse=True)


def test_bits_are_counted():
    hash_NW = RNG.integers(0, 2**64, (50, 4), dtype=np.uint64)
    hash_NW[7] = ~hash_NW[0]
    expected = [
        sum(int(a ^ b).bit_count() for a, b in zip(hash_NW[0], row, strict=True)) for row in hash_NW
    ]
    assert bits_apart(hash_NW[0], np.ascontiguousarray(hash_NW.T)).tolist() == expected
    assert (expected[0], expected[7]) == (0, 256)


def test_near_pairs_are_those_of_a_plain_loop():
    hash_AW, hash_BW = (RNG.integers(0, 2**64, (30, 4), dtype=np.uint64) for _ in "ab")
    expected = [
        [a, b]
        for a in range(30)
        for b in range(30)
        if sum(int(x).bit_count() for x in hash_AW[a] ^ hash_BW[b]) <= 124
    ]
    assert near_pairs(hash_AW, hash_BW, 124).tolist() == expected
    assert near_pairs(hash_AW, hash_BW, 0).shape == (0, 2)


def test_hashes_of_strangers_differ_in_half_of_their_bits(thumbs):
    hash_NW = detail_hashes(thumbs)
    apart = np.concatenate([
        bits_apart(hash_NW[row], np.ascontiguousarray(hash_NW[row + 1 :].T)) for row in range(498)
    ])  # fmt: skip
    assert apart.mean() == pytest.approx(128, abs=2)
    assert (apart <= MAX_BITS).mean() < 1e-4
