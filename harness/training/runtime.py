"""The device of a run: which one, its numbers' precision, its threads."""

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from harness.core.errors import HarnessError
from harness.core.machine import Machine, Speedups


def resolve_device(machine: Machine) -> torch.device:
    """The device to train on; `auto` takes the first visible GPU, else the CPU.

    Raises:
        HarnessError: A GPU was asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if machine.device == "cuda" and not has_gpu:
        raise HarnessError("device cuda: torch sees no GPU here; take --device cpu")
    return torch.device("cuda" if has_gpu and machine.device != "cpu" else "cpu")


def resolve_speedups(machine: Machine, memory_level: int = 0) -> Speedups:
    """What of `torch.compile` and CUDA graphs is used; above memory level 0 nothing.

    `auto` is `graphs` on a GPU: of what was measured there (results/speed/gpu.md) it alone was
    never slower, and it costs a few steps to begin with. `compile` gains more with large batches,
    and may take minutes before the first step. Each takes memory of its own.

    Raises:
        HarnessError: CUDA graphs were asked for and the device is no GPU.
    """
    has_gpu = resolve_device(machine).type == "cuda"
    if machine.speedups in ("graphs", "both") and not has_gpu:
        raise HarnessError(f"speedups {machine.speedups}: CUDA graphs need a GPU; take none")
    if memory_level > 0:
        return "none"
    if machine.speedups == "auto":
        return "graphs" if has_gpu else "none"
    return machine.speedups


def describe_device(device: torch.device) -> str:
    """The hardware's own name, such as `NVIDIA H200`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}, {torch.get_num_threads()} threads"


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where it is safe and quick on a GPU; float32 on the CPU."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def num_threads(count: int) -> Iterator[None]:
    """Give torch `count` CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's global generators seeded for a while, then as they were.

    For dropout and stochastic depth, which know no generator of their own.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
