"""Weights and training states on disk: whole or absent, and never unpickled code."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.core.files import write_atomic


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a tree of tensors and plain values."""
    write_atomic(path, lambda partial: torch.save(state, partial))


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None where there is none.

    Raises:
        HarnessError: The file cannot be read as such.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises a dozen kinds, all of which mean the same here
        first_line = str(error).partition("\n")[0]
        raise HarnessError(f"{path}: not a checkpoint of this harness ({first_line})") from None
    return state


def save_weights(path: Path, module: nn.Module) -> None:
    """Write a module's weights as safetensors."""
    weights = {name: tensor.detach().contiguous() for name, tensor in module.state_dict().items()}
    write_atomic(path, lambda partial: save_file(weights, partial))


def load_weights(path: Path, module: nn.Module) -> None:
    """Load weights that `save_weights` wrote into the same kind of module, strictly.

    Raises:
        HarnessError: The file is absent, damaged or of another network.
    """
    try:
        weights: dict[str, Tensor] = load_file(path)
        module.load_state_dict(weights, strict=True)
    except Exception as error:  # safetensors' own error is not an OSError
        first_line = str(error).partition("\n")[0]
        raise HarnessError(f"{path}: these weights do not load ({first_line})") from None
