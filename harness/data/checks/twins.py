"""Images that are the same, or nearly so: copies that were saved, resized or brightened anew.

All chest films are alike when seen as a whole, so what is compared is detail: each cell of a
thumbnail minus the mean of its four neighbours. Every image gets a hash of its detail (random
projections, Charikar 2002, doi:10.1145/509907.509965), and the few pairs with near hashes are
compared in full. In 124,000 pairs of real films of two patients the detail correlated to 0.70 at
most. A copy saved as JPEG, resized by four, lightened, with noise, or with 1 % of each side cut off
kept 0.83 or more; one that is cut by more, shifted or turned is not found.

N images, T x T cells of a thumbnail, D = T x T, W words of a hash.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.machine_code import compiled
from harness.core.seeds import derive_seed

MIN_SIMILARITY = 0.8
NUM_WORDS = 4
MAX_BITS = 66
"""Of 256. The hashes of two images whose detail correlates to r differ in arccos(r) / pi of their
bits: in 48 where it is 0.83, with a standard deviation of 8; those of strangers in 128."""
CHUNK_IMAGES = 1024
MAX_TWINS = 10_000


@dataclass(frozen=True)
class Twin:
    """Two rows whose images are the same, and the correlation of their detail in [0.8, 1]."""

    first: int
    second: int
    similarity: float


def find_twins(thumb_NTT: NDArray[np.uint8], group_N: NDArray[np.integer]) -> list[Twin]:
    """The pairs of twins from two different groups, the most similar first; 10,000 at most.

    Args:
        group_N: The group of each image; images of a negative one are left out, as those should
            be that show nothing.
    """
    hash_NW = detail_hashes(thumb_NTT)
    twins: list[Twin] = []
    for group in np.unique(group_N[group_N >= 0]):
        own_A, later_B = np.flatnonzero(group_N == group), np.flatnonzero(group_N > group)
        for start in range(0, len(own_A), CHUNK_IMAGES):
            row_A = own_A[start : start + CHUNK_IMAGES]
            pair_K2 = near_pairs(hash_NW[row_A], hash_NW[later_B], MAX_BITS)
            twins += _confirmed(thumb_NTT, row_A[pair_K2[:, 0]], later_B[pair_K2[:, 1]])
            if len(twins) >= MAX_TWINS:
                break
    twins.sort(key=lambda twin: (-twin.similarity, twin.first, twin.second))
    return twins[:MAX_TWINS]


def detail(thumb_NTT: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Detail of N thumbnails as rows of length 1, float32, N x D; zeros where there is none."""
    cell_NTT = thumb_NTT.astype(np.float32)
    wide = np.pad(cell_NTT, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
    detail_ND = (cell_NTT - around / 4).reshape(len(thumb_NTT), -1)
    # The edge of a letter or of the film must not drown the chest.
    scale_N1 = np.quantile(np.abs(detail_ND), 0.9, axis=1, keepdims=True).astype(np.float32)
    np.clip(detail_ND, -2 * scale_N1, 2 * scale_N1, out=detail_ND)
    detail_ND -= detail_ND.mean(axis=1, keepdims=True)
    norm_N1 = np.linalg.norm(detail_ND, axis=1, keepdims=True)
    return np.asarray(detail_ND / np.maximum(norm_N1, 1e-6), dtype=np.float32)


def detail_hashes(thumb_NTT: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of the detail, uint64, N x W; each bit is set for half of the images."""
    num_bits = 64 * NUM_WORDS
    rng = np.random.default_rng(derive_seed(0, "twins"))
    direction_DK = rng.standard_normal((thumb_NTT[0].size, num_bits), dtype=np.float32)
    along_NK = np.empty((len(thumb_NTT), num_bits), np.float32)
    for start in range(0, len(thumb_NTT), CHUNK_IMAGES):
        chunk = slice(start, start + CHUNK_IMAGES)
        along_NK[chunk] = detail(thumb_NTT[chunk]) @ direction_DK
    # Of one direction after the other: of all at once it would take all of it twice.
    median_K = np.array([np.median(along_N) for along_N in along_NK.T], np.float32)
    bits = np.packbits(along_NK > median_K, axis=1)
    return bits.view(np.uint64)


def _confirmed(
    thumb_NTT: NDArray[np.uint8], first_K: NDArray[np.int64], second_K: NDArray[np.int64]
) -> list[Twin]:
    """Those of the pairs of rows whose detail is in fact alike."""
    twins = []
    for start in range(0, len(first_K), CHUNK_IMAGES):
        first_C, second_C = (row_K[start : start + CHUNK_IMAGES] for row_K in (first_K, second_K))
        similarity_C = (detail(thumb_NTT[first_C]) * detail(thumb_NTT[second_C])).sum(axis=1)
        for pair in np.flatnonzero(similarity_C >= MIN_SIMILARITY):
            first, second = sorted((int(first_C[pair]), int(second_C[pair])))
            twins.append(Twin(first, second, min(1.0, float(similarity_C[pair]))))
    return twins


def near_pairs(
    hash_AW: NDArray[np.uint64], hash_BW: NDArray[np.uint64], max_bits: int
) -> NDArray[np.int64]:
    """Pairs (row of A, row of B) whose hashes differ in at most `max_bits`; int64, K x 2.

    Every pair is looked at: at a few nanoseconds each, tables of buckets would gain little.
    """
    hash_WB = np.ascontiguousarray(hash_BW.T)  # so that one instruction takes several
    pairs = [np.empty((0, 2), np.int64)]
    for a, hash_W in enumerate(hash_AW):
        near_B = np.flatnonzero(bits_apart(hash_W, hash_WB) <= max_bits)
        if len(near_B):
            pairs.append(np.column_stack((np.full_like(near_B, a), near_B)))
    return np.concatenate(pairs)


@compiled
def bits_apart(hash_W: NDArray[np.uint64], hash_WB: NDArray[np.uint64]) -> NDArray[np.int16]:
    """In how many bits each of B hashes differs from one."""
    num_bits_B = np.zeros(hash_WB.shape[1], np.int16)
    for word in range(len(hash_W)):
        for b in range(len(num_bits_B)):
            num_bits_B[b] += np.int16(_num_ones(hash_W[word] ^ hash_WB[word, b]))
    return num_bits_B


@compiled
def _num_ones(word: np.uint64) -> np.uint64:
    """Bits that are set in a uint64, in the form that compilers know for one instruction."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)
