"""What the GPUs of a machine mean for trials."""

import pytest
import torch

from harness.execution.gpus import Gpu, check_gpus, judge_gpus

GIB = 2**30


def gpu(free_gib, total_gib=80):
    return Gpu("H200", free_gib * GIB, total_gib * GIB)


def test_a_machine_without_gpus_is_not_asked(monkeypatch):
    monkeypatch.setattr("harness.execution.gpus.subprocess", None)
    assert check_gpus(0, 0, node="n1") is None


def test_more_gpus_in_ray_than_torch_sees():
    check = check_gpus(64, 0, node="n1")
    assert check.word == "FAIL"
    assert f"Ray counts 64 GPU, torch sees {torch.cuda.device_count()}" in check.detail


def test_a_torch_that_does_not_start_is_told_by_its_last_line(monkeypatch):
    monkeypatch.setattr("harness.execution.gpus.GPU_QUERY", "raise OSError('no libcuda')")
    check = check_gpus(1, 0, node="n1")
    assert check.word == "FAIL"
    assert check.detail == "OSError: no libcuda"


@pytest.mark.parametrize(
    ("free_gib", "trial_gib", "word"),
    [(79, 40, "ok"), (79, 0, "ok"), (70, 40, "warning"), (30, 40, "FAIL"), (80, 81, "FAIL")],
)
def test_free_memory_is_held_against_what_a_trial_takes(free_gib, trial_gib, word):
    gpus = [gpu(80), gpu(free_gib)]
    check = judge_gpus(gpus, 2, trial_gib * GIB, node="n1", processes=["process 7 (9 MiB)"])
    assert check.word == word
    assert ("process 7 (9 MiB)" in check.detail) == (free_gib < 72)
    assert f"1 H200: {free_gib}.0 GiB of 80.0 GiB free" in check.detail
