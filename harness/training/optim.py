"""Optimizers and learning-rate schedules of a recipe."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from timm.optim import param_groups_layer_decay
from torch import Tensor, nn, optim

from harness.core.errors import HarnessError
from harness.core.recipe import OptimRecipe, ScheduleRecipe

Groups = list[dict[str, Any]]
"""Of parameters, each with its `lr`."""


# Optimizers ---------------------------------------------------------------------------------


def adam(groups: Groups, recipe: OptimRecipe) -> optim.Optimizer:
    return optim.Adam(groups, weight_decay=recipe.weight_decay, fused=True)


def adamw(groups: Groups, recipe: OptimRecipe) -> optim.Optimizer:
    return optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)


def sgd(groups: Groups, recipe: OptimRecipe) -> optim.Optimizer:
    return optim.SGD(groups, weight_decay=recipe.weight_decay, momentum=recipe.momentum, fused=True)


class Kind(NamedTuple):
    """A kind of optimizer.

    Attributes:
        build: From the groups of parameters and the recipe to the optimizer.
        num_moments: Tensors of a parameter's size that it keeps beside the parameter, at most.
    """

    build: Callable[[Groups, OptimRecipe], optim.Optimizer]
    num_moments: int = 2


OPTIMIZERS: dict[str, Kind] = {
    "adam": Kind(adam),
    "adamw": Kind(adamw),
    "sgd": Kind(sgd, num_moments=1),
}


def build_optimizer(backbone: nn.Module, recipe: OptimRecipe) -> optim.Optimizer:
    """The optimizer over all parameters, each group with its `base_lr`.

    With `layer_decay` 1 there is one group and weight decay acts on all of it, as in the
    published recipes. Below 1, earlier layers learn more slowly and weight decay spares biases
    and norms, as in the ViT fine-tuning recipes that layer decay comes from (BEiT, MAE).

    Raises:
        HarnessError: The model cannot tell its layers apart.
    """
    if recipe.layer_decay == 1:
        groups: Groups = [{"params": list(backbone.parameters()), "lr_scale": 1.0}]
    elif not hasattr(backbone, "group_matcher"):
        raise HarnessError(
            f"optim.layer_decay {recipe.layer_decay}: {type(backbone).__name__} has no layers "
            "that timm can order; set it to 1"
        )
    else:
        groups = param_groups_layer_decay(
            backbone, weight_decay=recipe.weight_decay, layer_decay=recipe.layer_decay
        )
    for group in groups:
        group["base_lr"] = group["lr"] = recipe.lr * group["lr_scale"]
    return OPTIMIZERS[recipe.name].build(groups, recipe)


def as_tensors(optimizer: optim.Optimizer, device: torch.device) -> None:
    """Let a CUDA graph hold the optimizer's step: rates are read from tensors at each replay."""
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
        group["lr_now"] = float(group["lr"])
        if "capturable" in group:
            group["capturable"] = True


def as_numbers(optimizer: optim.Optimizer) -> None:
    """Undo `as_tensors`, which a checkpoint may have kept."""
    for group in optimizer.param_groups:
        group["lr"] = float(group["lr"])
        group.pop("lr_now", None)
        if "capturable" in group:
            group["capturable"] = False


def lay_out_as_weights(optimizer: optim.Optimizer) -> None:
    """Moments that another device has laid out otherwise are laid out as their weights are here."""
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            is_moment = isinstance(value, Tensor) and value.shape == weight.shape
            if is_moment and value.stride() != weight.stride():
                state[name] = torch.empty_like(weight, requires_grad=False).copy_(value)


def _set_lr(group: dict[str, Any], lr: float) -> None:
    if not isinstance(group["lr"], Tensor):
        group["lr"] = lr
    elif group["lr_now"] != lr:  # each fill is a launch
        group["lr"].fill_(lr)
        group["lr_now"] = lr


# Schedules ----------------------------------------------------------------------------------


def flat(done: float, floor: float) -> float:
    """1 from first to last."""
    return 1.0


def cosine(done: float, floor: float) -> float:
    """From 1 to `floor` along half a cosine (Loshchilov & Hutter 2017, without restarts)."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "plateau": flat,  # between the drops, which follow the validation loss
    "cosine": cosine,
    "constant": flat,
}
"""(done, floor) -> factor of the learning rate.

`done` goes from 0, where the warm-up ends, to 1, where training does; `floor` is `min_lr / lr`.
"""


class Schedule:
    """The learning rate as a factor of each group's `base_lr`: warm-up x `SCHEDULES` x plateau.

    `plateau` follows `torch.optim.lr_scheduler.ReduceLROnPlateau` with its defaults (relative
    threshold 1e-4, no cool-down), on the validation loss.
    """

    THRESHOLD = 1e-4
    SMALLEST_CHANGE = 1e-8

    def __init__(
        self, optimizer: optim.Optimizer, recipe: ScheduleRecipe, *, steps: int, epochs: int
    ) -> None:
        """`steps` is the number of optimizer steps in an epoch."""
        self.optimizer = optimizer
        self.recipe = recipe
        self.num_warmup_steps = round(recipe.warmup_epochs * steps)
        self.num_steps = steps * epochs
        self.top_lr = max(group["base_lr"] for group in optimizer.param_groups)
        self.floor = min(recipe.min_lr / self.top_lr, 1.0)
        self.lr = 0.0
        """The highest learning rate of the latest step."""
        self.factor = 1.0
        self.best_loss = math.inf
        self.num_bad_epochs = 0

    def before_step(self, step: int) -> float:
        """Set the learning rates of optimizer step `step` (from 0); returns the highest."""
        warmup = min(1.0, (step + 1) / self.num_warmup_steps) if self.num_warmup_steps else 1.0
        factor = warmup * (SCHEDULES[self.recipe.name](self._done(step), self.floor) * self.factor)
        for group in self.optimizer.param_groups:
            _set_lr(group, group["base_lr"] * factor)
        self.lr = self.top_lr * factor
        return self.lr

    def after_epoch(self, val_loss: float) -> None:
        """Note the validation loss of an epoch that has ended."""
        if self.recipe.name != "plateau":
            return
        if val_loss < self.best_loss * (1 - self.THRESHOLD):
            self.best_loss, self.num_bad_epochs = val_loss, 0
        else:
            self.num_bad_epochs += 1
        if self.num_bad_epochs > self.recipe.patience:
            lowered = max(self.factor * self.recipe.factor, self.floor)
            if self.top_lr * (self.factor - lowered) > self.SMALLEST_CHANGE:
                self.factor = lowered
            self.num_bad_epochs = 0

    def _done(self, step: int) -> float:
        """How much of the training after the warm-up is over: 0 to 1."""
        span = max(1, self.num_steps - self.num_warmup_steps)
        return min(1.0, max(0, step - self.num_warmup_steps) / span)

    def state_dict(self) -> dict[str, float]:
        return {
            "factor": self.factor,
            "best_loss": self.best_loss,
            "num_bad_epochs": self.num_bad_epochs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.factor = float(state["factor"])
        self.best_loss = float(state["best_loss"])
        self.num_bad_epochs = int(state["num_bad_epochs"])
