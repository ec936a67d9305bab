import errno
import logging

import numpy as np
import pytest
import torch

from harness.core.errors import DiskFullError, DivergedError, HarnessError
from harness.core.memory import MemoryFloorError
from harness.core.recipe import Recipe
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.training.failures import failures_written_to, memory_failure, name_failure


def error_of(action) -> Exception:
    """What an action that cannot succeed really raises."""
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("it succeeded")


def ended_by(error: Exception, message: str) -> Exception:
    """What is raised where a recording ends because of `error`, as `torch.cuda.graph` does."""

    def record() -> None:
        try:
            raise error
        finally:
            raise RuntimeError(message)

    return error_of(record)


FULL_GPU = torch.OutOfMemoryError("CUDA out of memory")
BROKEN_OFF = "CUDA error: operation failed due to a previous error during capture"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (error_of(lambda: torch.empty(1 << 60)), FailureReason.HOST_MEMORY),
        (error_of(lambda: np.empty(1 << 55, np.uint8)), FailureReason.HOST_MEMORY),
        (error_of(lambda: bytearray(1 << 60)), FailureReason.HOST_MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), FailureReason.HOST_MEMORY),
        (RuntimeError("std::bad_alloc"), FailureReason.HOST_MEMORY),
        (RuntimeError("could not create a primitive"), FailureReason.HOST_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory"), FailureReason.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: out of memory\nhint"), FailureReason.OUT_OF_MEMORY),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"), FailureReason.OUT_OF_MEMORY),
        (ended_by(FULL_GPU, BROKEN_OFF), FailureReason.OUT_OF_MEMORY),
        (ended_by(FULL_GPU, "Invalid capture."), FailureReason.OUT_OF_MEMORY),
        (ended_by(ValueError("x"), BROKEN_OFF), None),
        (ended_by(FULL_GPU, "a fault while it was told"), None),
        (RuntimeError(BROKEN_OFF), None),
        (error_of(lambda: torch.ones(2) @ torch.ones(3)), None),
        (OSError(errno.ENOSPC, "No space left"), None),
        (ValueError("not enough memory"), None),
    ],
)
def test_a_lack_of_memory_is_recognised(error, reason) -> None:
    assert memory_failure(error) is reason


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (DivergedError("at epoch 1"), FailureReason.DIVERGED, "at epoch 1"),
        (DiskFullError("x: no space"), FailureReason.DISK, "x: no space"),
        (OSError(errno.ENOSPC, "No space left"), FailureReason.DISK, "No space left"),
        (OSError(errno.EDQUOT, "Quota exceeded"), FailureReason.DISK, "Quota exceeded"),
        (HarnessError("wrong"), FailureReason.DATA, "wrong"),
        (MemoryFloorError("no", FailureReason.OUT_OF_MEMORY), FailureReason.OUT_OF_MEMORY, "no"),
        (MemoryError(), FailureReason.HOST_MEMORY, "MemoryError"),
        (torch.OutOfMemoryError("CUDA out\nsee"), FailureReason.OUT_OF_MEMORY, "CUDA out"),
        (KeyError("x"), FailureReason.CODE, "KeyError: 'x'"),
        (OSError(errno.EACCES, "Denied"), FailureReason.CODE, "Denied"),
    ],
)
def test_every_failure_has_a_reason(error, reason, message) -> None:
    named, told = name_failure(error)
    assert named is reason
    assert message in told
    assert "\n" not in told


def test_torchs_own_place_in_its_code_is_left_out() -> None:
    _, told = name_failure(error_of(lambda: torch.empty(1 << 50)))
    assert told.startswith("DefaultCPUAllocator: can't allocate memory")


def test_a_failure_becomes_the_status_and_goes_on(tmp_path) -> None:
    run = RunDirectory(tmp_path)
    with pytest.raises(HarnessError, match="wrong"), failures_written_to(run):
        raise HarnessError("wrong")
    assert (run.status.outcome, run.status.message) == (Outcome.FAILED, "wrong")


def test_a_status_that_cannot_be_written_does_not_hide_the_failure(tmp_path, caplog) -> None:
    """Where not even its folder is any more."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DivergedError), failures_written_to(RunDirectory(tmp_path / "file" / "run")):
        raise DivergedError("at epoch 1")
    assert "failed: diverged is not written" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING


def test_a_full_disk_still_gets_the_failure(make_disk, fill_disk) -> None:
    run = RunDirectory(make_disk(1))
    run.set_status(Status(outcome=Outcome.RUNNING))
    fill_disk(run.path)
    with pytest.raises(DiskFullError), failures_written_to(run):
        run.write_recipe(Recipe())
    assert (run.status.outcome, run.status.reason) == (Outcome.FAILED, FailureReason.DISK)
    assert "could not be written" in run.status.message
