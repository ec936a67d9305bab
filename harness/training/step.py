"""`Step`: one step of the optimizer by one batch.

Shapes: B images of a batch, L findings.
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, optim

from harness.models.zoo import Network
from harness.training.listeners import Watch, unwatched
from harness.training.losses import Loss
from harness.training.runtime import autocast
from harness.training.thrift import Thrift, statistics_of_one_forward

StepCall = Callable[[Tensor, Tensor], Tensor]
"""(image_B1HW, label_BL) -> the mean loss of the batch, a scalar on its device."""


class Step:
    """Moves a network by the mean loss of a batch, however the batch is cut to fit."""

    def __init__(
        self,
        network: Network,
        optimizer: optim.Optimizer,
        loss: Loss,
        thrift: Thrift,
        *,
        watch: Watch = unwatched,
        forward: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """`forward` computes what `network` does, by other means; None is the network itself."""
        self.network = network
        self.optimizer = optimizer
        self.loss = loss
        self.thrift = thrift
        self.watch = watch
        self.forward = forward or network

    def __call__(self, image_B1HW: Tensor, label_BL: Tensor) -> Tensor:
        """Images as shown, labels: the mean loss of the batch before the step, a scalar."""
        self.optimizer.zero_grad(set_to_none=True)
        num_at_once, num_images = self.thrift.num_at_once, len(image_B1HW)
        if num_at_once >= num_images:
            loss = self._add_gradients(image_B1HW, label_BL)
        else:
            loss = torch.zeros((), device=image_B1HW.device)
            for image, label in zip(
                image_B1HW.split(num_at_once), label_BL.split(num_at_once), strict=True
            ):
                loss += self._add_gradients(image, label, part=len(image) / num_images)
        with self.watch("optimizer"):
            self.optimizer.step()
        return loss

    def _add_gradients(self, image_B1HW: Tensor, label_BL: Tensor, *, part: float = 1.0) -> Tensor:
        """The mean loss of some images times their part of the batch, and its gradients added.

        Cut in pieces, a batch draws other dropout masks and drops other paths than as a whole:
        as many, from the same generator, so in distribution it is the same.
        """
        with self.watch("forward"):
            with autocast(image_B1HW.device):
                logit_BL = self.forward(image_B1HW)
            loss = self.loss(logit_BL, label_BL)
            if part != 1:
                loss = loss * part
        does_recompute = self.thrift.does_recompute
        with (
            self.watch("backward"),
            statistics_of_one_forward(self.network) if does_recompute else nullcontext(),
        ):
            loss.backward()
        return loss.detach()
