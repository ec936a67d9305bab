"""`GraphedStep`: a whole step of the optimizer as one launch, by a CUDA graph.

A step of DenseNet-121 launches some 1,600 kernels, and with small batches that is all that takes
time. A graph records them once and launches them together. It is recorded anew for each run, which
takes about as long as a few steps; batches of another size, such as an epoch's last, go without.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn, optim

from harness.training.listeners import Watch
from harness.training.optim import as_tensors
from harness.training.step import Step

NUM_WARMUP = 3
"""Steps before the recording, in which libraries choose their kernels and take their memory."""


class GraphedStep:
    """Does what a `Step` does, on a GPU; the first batch says which size is recorded."""

    def __init__(self, step: Step, watch: Watch) -> None:
        """`step` must not be watched itself: a recording cannot wait for the GPU."""
        self._step = step
        self._watch = watch
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, image_B1HW: Tensor, label_BL: Tensor) -> Tensor:
        """Images as shown, labels: the mean loss of the batch before the step, a scalar."""
        with self._watch("step"):
            if self._graph is None:
                self._record(image_B1HW, label_BL)
            if image_B1HW.shape != self._image_B1HW.shape:
                return self._step(image_B1HW, label_BL)
            self._image_B1HW.copy_(image_B1HW)
            self._label_BL.copy_(label_BL)
            assert self._graph is not None
            self._graph.replay()
            return self._loss.clone()

    def _record(self, image_B1HW: Tensor, label_BL: Tensor) -> None:
        """Record the step on inputs of its own, and leave everything as it was before."""
        self._image_B1HW, self._label_BL = image_B1HW.clone(), label_BL.clone()
        optimizer = self._step.optimizer
        as_tensors(optimizer, image_B1HW.device)
        graph = torch.cuda.CUDAGraph()
        with unmoved(self._step.network, optimizer):
            beside = torch.cuda.Stream()
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(NUM_WARMUP):
                    self._step(self._image_B1HW, self._label_BL)
            torch.cuda.current_stream().wait_stream(beside)
            optimizer.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph):
                self._loss = self._step(self._image_B1HW, self._label_BL)
        self._graph = graph


@contextmanager
def unmoved(network: nn.Module, optimizer: optim.Optimizer) -> Iterator[None]:
    """Within, a network may be trained; after it all is as before, in the same memory.

    That is weights, statistics, the optimizer's moments and step counts (where there were none, as
    good as none: zeros), and torch's generators.
    """
    kept = [(tensor, tensor.clone()) for tensor in network.state_dict().values()]
    had = {id(tensor): (tensor, tensor.clone()) for tensor in _moments(optimizer)}
    with torch.random.fork_rng():
        yield
    with torch.no_grad():
        for tensor, before in kept:
            tensor.copy_(before)
        for tensor in _moments(optimizer):
            if id(tensor) in had:
                tensor.copy_(had[id(tensor)][1])
            else:
                tensor.zero_()


def _moments(optimizer: optim.Optimizer) -> list[Tensor]:
    states = optimizer.state.values()
    return [value for state in states for value in state.values() if isinstance(value, Tensor)]
