"""Schedules against torch's own, and the learning rate of each group."""

import math
from itertools import pairwise

import pytest
import timm
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from harness.core.errors import HarnessError
from harness.core.recipe import OptimRecipe, ScheduleRecipe
from harness.training.optim import OPTIMIZERS, Schedule, build_optimizer, lay_out_as_weights

VAL_LOSSES = [1.0, 0.8, 0.79999, 0.85, 0.7, 0.7, 0.7, 0.7, 0.9, 0.6, 0.61, 0.62, 0.63, 0.64]


def make_schedule(recipe, *, lr=0.01, steps=10, epochs=5):
    optimizer = build_optimizer(nn.Linear(3, 2), OptimRecipe(lr=lr))
    return Schedule(optimizer, recipe, steps=steps, epochs=epochs)


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_plateau_moves_as_torchs(patience):
    schedule = make_schedule(ScheduleRecipe(patience=patience, factor=0.5, min_lr=0.001))
    theirs = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.01)
    reference = ReduceLROnPlateau(theirs, patience=patience, factor=0.5, min_lr=0.001)
    for step, loss in enumerate(VAL_LOSSES):
        assert schedule.before_step(step) == pytest.approx(theirs.param_groups[0]["lr"])
        schedule.after_epoch(loss)
        reference.step(loss)
    assert schedule.factor < 1


def test_a_restored_plateau_goes_on_as_it_was():
    recipe = ScheduleRecipe(patience=1)
    whole, first = make_schedule(recipe), make_schedule(recipe)
    for loss in VAL_LOSSES:
        whole.after_epoch(loss)
    for loss in VAL_LOSSES[:6]:
        first.after_epoch(loss)
    second = make_schedule(recipe)
    second.load_state_dict(first.state_dict())
    for loss in VAL_LOSSES[6:]:
        second.after_epoch(loss)
    assert second.state_dict() == whole.state_dict()


def test_warm_up_is_linear_and_cosine_ends_at_min_lr():
    schedule = make_schedule(
        ScheduleRecipe(name="cosine", warmup_epochs=1, min_lr=0.001), lr=0.01, steps=10, epochs=5
    )
    lrs = [schedule.before_step(step) for step in range(51)]
    assert lrs[:10] == pytest.approx([0.001 * k for k in range(1, 11)])
    assert lrs[30] == pytest.approx(0.001 + 0.009 * 0.5)  # half-way through the 40 steps
    assert lrs[50] == pytest.approx(0.001)
    assert all(a >= b for a, b in pairwise(lrs[10:]))


def test_constant_stays_and_heeds_no_loss():
    schedule = make_schedule(ScheduleRecipe(name="constant"))
    for step, loss in enumerate(VAL_LOSSES):
        assert schedule.before_step(step) == 0.01
        schedule.after_epoch(loss)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_take_lr_and_decay_from_the_recipe(name):
    optimizer = build_optimizer(
        nn.Linear(3, 2), OptimRecipe(name=name, lr=0.02, weight_decay=0.3, momentum=0.8)
    )
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.02, 0.3)
    assert name != "sgd" or group["momentum"] == 0.8


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_goes_downhill(name):
    layer = nn.Linear(3, 1)
    optimizer = build_optimizer(layer, OptimRecipe(name=name, lr=1e-3, weight_decay=0))
    before = layer(torch.ones(1, 3)).square().sum()
    before.backward()
    optimizer.step()
    assert layer(torch.ones(1, 3)).square().sum() < before


def test_layer_decay_slows_earlier_layers_by_the_factor():
    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, depth=3, num_classes=14, pretrained=False
    )
    optimizer = build_optimizer(vit, OptimRecipe(lr=0.01, layer_decay=0.5, weight_decay=0.05))
    scale_of = {
        id(p): group["lr"] / 0.01 for group in optimizer.param_groups for p in group["params"]
    }
    assert len(scale_of) == len(list(vit.parameters()))
    assert scale_of[id(vit.head.weight)] == 1
    first, last = (scale_of[id(vit.blocks[i].mlp.fc1.weight)] for i in (0, 2))
    assert math.isclose(last / first, 4)
    assert scale_of[id(vit.patch_embed.proj.weight)] < first
    decay_of = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decay_of[id(vit.head.bias)] == 0
    assert decay_of[id(vit.head.weight)] == 0.05


def test_layer_decay_needs_layers_in_order():
    with pytest.raises(HarnessError, match=r"optim.layer_decay 0.5: Linear"):
        build_optimizer(nn.Linear(3, 2), OptimRecipe(layer_decay=0.5))


def test_moments_from_another_device_are_laid_out_as_the_weights():
    """A checkpoint of the CPU goes on where convolutions lie with their channels last."""
    layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(layer, OptimRecipe())
    layer(torch.rand(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    state = optimizer.state[layer.weight]
    before = state["exp_avg"].clone()
    state["exp_avg"] = state["exp_avg"].contiguous()
    assert state["exp_avg"].stride() != layer.weight.stride()
    lay_out_as_weights(optimizer)
    assert state["exp_avg"].stride() == layer.weight.stride()
    assert torch.equal(state["exp_avg"], before)
