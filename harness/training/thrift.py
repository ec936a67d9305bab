"""What a memory level means for a network, and how it is done."""

import ctypes
import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from harness.core.memory import MemoryFloorError, MemoryLevel, MemoryShortage
from harness.core.records import FailureReason

EVAL_BATCH_SIZE = 64
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Thrift:
    """How a network is trained so that it fits.

    Attributes:
        num_at_once: Images that go through the network at once in training.
        does_recompute: Activations are computed again in the backward pass instead of kept.
        eval_batch_size: Images that go through the network at once in evaluation.
        does_copy: An epoch's state is copied in memory, and written while the next one trains.
    """

    num_at_once: int
    does_recompute: bool = False
    eval_batch_size: int = EVAL_BATCH_SIZE
    does_copy: bool = True

    @classmethod
    def of(cls, network: nn.Module, batch_size: int, memory: MemoryLevel) -> Self:
        """What `memory` asks of a network and its batches of B images.

        Where no layer looks at the batch as a whole, level n cuts it into pieces of B / 2^n
        images and adds up their gradients. Where one does (batch normalization), pieces would
        have other statistics than the batch, and the numbers would change: level 1, the only one,
        recomputes. Either way the batches of evaluation are halved with each level, and from
        level 1 on training waits for its checkpoints, since a copy takes memory on the host.

        Raises:
            MemoryFloorError: There is no such level for this network: nothing is left to try.
        """
        is_whole = has_batch_statistics(network)
        if memory.level > (1 if is_whole else math.ceil(math.log2(batch_size))):
            raise _floor_error(memory, is_whole)
        return cls(
            num_at_once=batch_size if is_whole else math.ceil(batch_size / 2**memory.level),
            does_recompute=is_whole and memory.level > 0,
            eval_batch_size=max(1, EVAL_BATCH_SIZE >> memory.level),
            does_copy=memory.level == 0,
        )


def _floor_error(memory: MemoryLevel, is_whole: bool) -> MemoryFloorError:
    last = memory.shortages[-1] if memory.shortages else MemoryShortage(why="")
    if is_whole:
        tried = "with activations recomputed instead of kept"
        smaller = "a smaller train.batch_size, data.input_px or network"
    else:
        tried, smaller = "with one image at a time", "a smaller data.input_px or network"
    place = "GPU" if last.reason is FailureReason.OUT_OF_MEMORY else "machine"
    return MemoryFloorError(
        f"too little memory, {tried} too ({last.why}); take a {place} with more memory, fewer "
        f"runs at once on this one, or {smaller}",
        last.reason,
    )


def has_batch_statistics(network: nn.Module) -> bool:
    """True where the images of a batch influence each other in training."""
    is_batch_norm = any(isinstance(module, _BatchNorm) for module in network.modules())
    return is_batch_norm or bool(_statistics(network))


def _statistics(network: nn.Module) -> list[Tensor]:
    """Buffers that a forward pass in training moves."""
    return [
        buffer for name, buffer in network.named_buffers()
        if name.rpartition(".")[2] in STATISTICS
    ]  # fmt: skip


# Recomputing ------------------------------------------------------------------------------------


def recompute_activations(backbone: nn.Module) -> None:
    """Let a network keep few activations, and compute the others again when they are needed.

    Training in sublinear memory (Chen et al. 2016, arXiv:1604.06174), in timm's own way where a
    model has one, else block by block. Random draws are the same both times.
    """
    try:
        timm_way: Callable[..., Any] = backbone.set_grad_checkpointing  # type: ignore[assignment]
        timm_way(True)
    except (AttributeError, AssertionError):  # timm asserts where a model has no such way
        for block in repeated_blocks(backbone):
            block.forward = partial(_forward, block.forward)


def repeated_blocks(network: nn.Module) -> list[nn.Module]:
    """The outermost composite modules of a kind that their parent has more than once, in order."""
    kinds = [type(child) for child in network.children() if _is_composite(child)]
    blocks = []
    for child in network.children():
        is_repeated = kinds.count(type(child)) > 1 and _is_composite(child)
        blocks += [child] if is_repeated else repeated_blocks(child)
    return blocks


def _is_composite(module: nn.Module) -> bool:
    """A single layer would keep its input anyway."""
    return sum(any(True for _ in part.parameters(recurse=False)) for part in module.modules()) > 1


def _forward(forward: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs, **options)
    return checkpoint(forward, *inputs, use_reentrant=False, **options)


@contextmanager
def statistics_of_one_forward(network: nn.Module) -> Iterator[None]:
    """Around a backward pass that recomputes: running statistics stay as the forward left them."""
    kept = [(buffer, buffer.clone()) for buffer in _statistics(network)]
    yield
    with torch.no_grad():
        for buffer, before in kept:
            buffer.copy_(before)


def free_memory() -> None:
    """Give back what nobody refers to any more: to the system, and on the GPU to its neighbours."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # glibc alone keeps what was freed, and can be asked
        ctypes.CDLL(None).malloc_trim(0)
