"""Clocks that count what they should, and the memory of this process."""

import time

import pytest

from harness.speed.instruments import (
    MemorySampler,
    best_s,
    core_seconds,
    describe_hardware,
    peak_mb,
    resident_mb,
)


def test_the_quickest_repeat_counts() -> None:
    pauses_s = iter([0.2, 0.01, 0.2])
    assert 0.01 <= best_s(lambda: time.sleep(next(pauses_s)), repeats=3) < 0.2


def test_who_sleeps_has_no_core() -> None:
    assert core_seconds(lambda: time.sleep(0.2)) < 0.1


def test_the_memory_of_this_process_is_seen_to_grow():
    if resident_mb() is None:
        pytest.skip("this system does not tell the memory of a process")
    with MemorySampler() as memory:
        before = resident_mb()
        ballast = bytearray(200_000_000)
        ballast[::4096] = bytes(len(ballast[::4096]))  # touched, so it is resident
    at = memory.at_per_cents()
    assert list(at) == ["10%", "50%", "90%", "100%"]
    assert at["100%"] - before == pytest.approx(200, abs=20)


def test_the_peak_stays_when_the_memory_is_given_back():
    if peak_mb() is None:
        pytest.skip("this system does not tell the memory of a process")
    ballast = bytearray(200_000_000)
    ballast[::4096] = bytes(len(ballast[::4096]))
    held = resident_mb()
    del ballast
    assert peak_mb() >= held - 5
    assert resident_mb() < held - 150


def test_samples_are_told_at_the_right_places():
    sampler = MemorySampler([float(number) for number in range(101)])
    assert sampler.at_per_cents() == {"10%": 10.0, "50%": 50.0, "90%": 90.0, "100%": 100.0}
    assert MemorySampler().at_per_cents() == {}


def test_the_hardware_is_described():
    hardware = describe_hardware()
    assert hardware["cores"] >= 1
    assert hardware["memory_gb"] > 0
