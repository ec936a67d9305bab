"""`Snapshot`: tensors as they are now, in host memory, so that training may go on moving them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Snapshot:
    """Copies a tree of tensors and plain values, each time into the same buffers.

    A copy is good until the next one is taken. Buffers are pinned where they are filled from a
    GPU, and are made anew only where a tensor has another shape or type than last time.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[Any, ...], Tensor] = {}
        self._is_from_gpu = False

    def take(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The tree with all tensors on the host; its mappings and sequences are new ones."""
        used: dict[tuple[Any, ...], Tensor] = {}
        copy: dict[str, Any] = self._copy(state, (), used)
        self._buffers = used
        if self._is_from_gpu:
            torch.cuda.synchronize()
        return copy

    def _copy(self, value: Any, place: tuple[Any, ...], used: dict[tuple[Any, ...], Tensor]) -> Any:
        if isinstance(value, Tensor):
            self._is_from_gpu |= value.is_cuda
            used[place] = self._buffer(value, place)
            return used[place].copy_(value.detach(), non_blocking=value.is_cuda)
        if isinstance(value, Mapping):
            return {key: self._copy(item, (*place, key), used) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = (self._copy(item, (*place, i), used) for i, item in enumerate(value))
            return type(value)(items)
        return value

    def _buffer(self, tensor: Tensor, place: tuple[Any, ...]) -> Tensor:
        buffer = self._buffers.get(place)
        if buffer is not None and (buffer.shape, buffer.dtype) == (tensor.shape, tensor.dtype):
            return buffer
        return torch.empty_like(
            tensor, device="cpu", pin_memory=tensor.is_cuda, requires_grad=False
        )
