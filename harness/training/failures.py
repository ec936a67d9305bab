"""How a run fails: errors get a reason, and the run directory gets a status."""

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from harness.core.errors import DiskFullError, DivergedError, HarnessError, first_line
from harness.core.files import FULL
from harness.core.memory import MemoryFloorError
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory

log = logging.getLogger(__name__)

GPU_MESSAGES = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
                "CUDNN_STATUS_ALLOC_FAILED")  # fmt: skip
HOST_MESSAGES = ("can't allocate memory", "not enough memory", "Cannot allocate memory",
                 "std::bad_alloc", "can't start new thread", "could not create a primitive",
                 "could not create a memory")  # fmt: skip
"""torch tells of a lack of memory on the host, or within CUDA's libraries, by RuntimeErrors.

`could not create` is what it says of oneDNN whatever the cause; of a network that it can train,
the cause is memory.
"""
PLACE_IN_TORCH = re.compile(r"^\[enforce fail at [^\]]*\][^.]*\. ")


@contextmanager
def failures_written_to(run: RunDirectory) -> Iterator[None]:
    """An error becomes the run's status, and goes on its way."""
    try:
        yield
    except Exception as error:
        reason, message = name_failure(error)
        _write(run, Status(outcome=Outcome.FAILED, reason=reason, message=message))
        raise


def _write(run: RunDirectory, status: Status) -> None:
    """Write the status, on a disk with no byte left too: what failed must not be lost to that."""
    try:
        run.set_status(status)
    except (OSError, DiskFullError):
        try:
            run.overwrite_status(status)
        except OSError as error:
            log.warning("%s: %s is not written (%s)", run.path, status, error)


def name_failure(error: Exception) -> tuple[FailureReason, str]:
    """The reason and the one-line message under which an error is recorded."""
    if isinstance(error, MemoryFloorError):
        return error.reason, str(error)
    if (lacking := memory_failure(error)) is not None:
        return lacking, cause_of(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return FailureReason.DISK, str(error)
    reasons = {
        DivergedError: FailureReason.DIVERGED,
        DiskFullError: FailureReason.DISK,
        HarnessError: FailureReason.DATA,
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason, str(error)
    return FailureReason.CODE, f"{type(error).__name__}: {error}"


def memory_failure(error: BaseException) -> FailureReason | None:
    """`OUT_OF_MEMORY` (of the GPU) or `HOST_MEMORY`; None where an error says neither."""
    if isinstance(error, torch.OutOfMemoryError):
        return FailureReason.OUT_OF_MEMORY
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    ):
        return FailureReason.HOST_MEMORY
    if isinstance(error, RuntimeError):
        if any(text in str(error) for text in GPU_MESSAGES):
            return FailureReason.OUT_OF_MEMORY
        if any(text in str(error) for text in HOST_MESSAGES):
            return FailureReason.HOST_MEMORY
        if error.__context__ is not None and "captur" in str(error):
            # A recording was broken off by what happened before, and that it ends says only so.
            return memory_failure(error.__context__)
    return None


def cause_of(error: BaseException) -> str:
    """What an error says first: torch adds places in its code and pages of advice."""
    return PLACE_IN_TORCH.sub("", first_line(error))
