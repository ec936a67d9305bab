"""Compiled networks that outlive a run: compiling DenseNet-121 takes minutes, a run of it may not.

Runs of one process whose networks are built alike share one compiled network; a new run's weights
are copied into it. Only the network is compiled: loss and optimizer stay outside, so nothing that a
search samples (rates, decay, gamma, alpha) leads to another compilation.
"""

import hashlib
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from harness.models.zoo import Network

BACKEND = "inductor"
NUM_KEPT = 2
"""Compiled networks of a process; each keeps its weights on the device."""


class Compiled:
    """A network, and the same compiled for batches of one size in training.

    Attributes:
        batch_size: Batches of another size, such as an epoch's last, are not compiled for.
        num_compilations: Graphs that were compiled so far.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.batch_size = 0
        self.num_compilations = 0
        self._call = torch.compile(network, backend=self._compile, dynamic=False)

    def __call__(self, image_B1HW: Tensor) -> Tensor:
        """Logits (B, L), as the network gives them."""
        is_usual = len(image_B1HW) == self.batch_size
        logit_BL: Tensor = self._call(image_B1HW) if is_usual else self.network(image_B1HW)
        return logit_BL

    def take_over(self, network: Network) -> None:
        """Become what another network, built alike, is now."""
        self.network.load_state_dict(network.state_dict())
        self.network.weights_note = network.weights_note
        self.network.zero_grad(set_to_none=True)

    def _compile(self, graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        self.num_compilations += 1
        return torch._dynamo.lookup_backend(BACKEND)(graph, inputs)


_KEPT: OrderedDict[str, Compiled] = OrderedDict()


def compiled(network: Network, batch_size: int) -> Compiled:
    """The compiled network of this process that is built as `network`, with its weights.

    From now on the run's network is the one that is compiled, `.network`.
    """
    key = _structure(network)
    found = _KEPT.pop(key, None)
    if found is None:
        found = Compiled(network)
    elif found.network is not network:
        found.take_over(network)
    found.batch_size = batch_size
    _KEPT[key] = found
    while len(_KEPT) > NUM_KEPT:
        _KEPT.popitem(last=False)
    return found


def find_compiled(network: Network) -> Compiled | None:
    """What `compiled` has made of this very network."""
    return next((each for each in _KEPT.values() if each.network is network), None)


def forget_compiled() -> None:
    """Let go of all compiled networks, and of the memory that they hold."""
    _KEPT.clear()


def _structure(network: Network) -> str:
    """Equal for networks with the same layers, shapes, device and preprocessing."""
    told = hashlib.sha256(repr(network).encode())
    for name, tensor in (*network.state_dict().items(), *network.named_buffers()):
        told.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} {tensor.device}".encode())
    told.update(repr((network.mean.tolist(), network.std.tolist())).encode())
    return told.hexdigest()
