"""Weights and training states on disk: whole or absent, and never unpickled code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from harness.core.errors import HarnessError, first_line
from harness.core.files import FULL, check_space, disk_full, write_atomic
from harness.core.run_dir import RunDirectory
from harness.training.failures import memory_failure


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a tree of tensors and plain values.

    Raises:
        DiskFullError: There is too little space; what was at `path` is still there.
    """

    def write(partial: Path) -> None:
        # Through a file of Python's, whose error says what torch's own does not.
        with _naming_a_full_disk(path), partial.open("wb") as stream:
            torch.save(state, stream)

    check_space(path, num_bytes(state))
    write_atomic(path, write)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None where there is none.

    Raises:
        HarnessError: The file cannot be read as such.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises a dozen kinds, nearly all of which mean the same
        if memory_failure(error):
            raise
        raise HarnessError(
            f"{path}: not a checkpoint of this harness ({first_line(error)})"
        ) from None
    return state


def save_weights(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a module's state dict as safetensors, and what is told of it in the file's header.

    Raises:
        DiskFullError: There is too little space; what was at `path` is still there.
    """

    def write(partial: Path) -> None:
        with _naming_a_full_disk(path):
            save_file(weights, partial, metadata=dict(metadata or {}))

    weights = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    check_space(path, num_bytes(weights))
    write_atomic(path, write)


def load_weights(path: Path, module: nn.Module) -> None:
    """Load weights that `save_weights` wrote into the same kind of module, strictly.

    Raises:
        HarnessError: The file is absent, damaged or of another network.
    """
    try:
        weights: dict[str, Tensor] = load_file(path)
        module.load_state_dict(weights, strict=True)
    except Exception as error:  # safetensors' own error is not an OSError
        if memory_failure(error):
            raise
        raise HarnessError(f"{path}: these weights do not load ({first_line(error)})") from None


def check_run_space(run: RunDirectory, backbone: nn.Module, num_moments: int) -> None:
    """Refuse a disk on which a run could not end, before any time is spent.

    The most that lies there at once: the last checkpoint, the next beside it, the weights.

    Args:
        num_moments: Tensors of a weight's size that the optimizer keeps beside each.

    Raises:
        DiskFullError: There is too little space.
    """
    weights = num_bytes(backbone.state_dict())
    moments = num_moments * num_bytes(list(backbone.parameters()))
    there = (run.checkpoint, run.best_weights)
    lies = sum(path.stat().st_size for path in there if path.exists())
    check_space(run.checkpoint, max(0, 2 * (weights + moments) + weights - lies))


def num_bytes(state: Any) -> int:
    """Bytes of all tensors in a tree of dictionaries and sequences."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(num_bytes(value) for value in state.values())
    if isinstance(state, list | tuple):
        return sum(num_bytes(value) for value in state)
    return 0


@contextmanager
def _naming_a_full_disk(path: Path) -> Iterator[None]:
    """torch and safetensors wrap the system's error in ones of their own."""
    try:
        yield
    except Exception as error:
        cause = error.__context__
        is_full = isinstance(cause, OSError) and cause.errno in FULL
        if is_full or any(f"(os error {number})" in str(error) for number in FULL):
            raise disk_full(path) from error
        raise
