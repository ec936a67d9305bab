"""Around a recording nothing moves; with a GPU, a recorded step does what a step does."""

import pytest
import torch

from harness.core.machine import Machine
from harness.core.recipe import OptimRecipe, Recipe, ScheduleRecipe
from harness.core.run_dir import RunDirectory
from harness.models.zoo import Network, vit_mini
from harness.training.graphs import unmoved
from harness.training.losses import build_loss
from harness.training.optim import Schedule, as_numbers, as_tensors, build_optimizer
from harness.training.step import Step
from harness.training.thrift import Thrift
from harness.trial import run_trial

NAMES = ("adam", "adamw", "sgd")


def make(name: str) -> tuple[Network, torch.optim.Optimizer, Step]:
    """With dropped paths and batch normalization: generators and statistics move."""
    torch.manual_seed(0)
    backbone = vit_mini(num_classes=14, img_size=32, drop_path_rate=0.5)
    network = Network(backbone, weights_note="").train()
    optimizer = build_optimizer(backbone, OptimRecipe(name=name, lr=0.01))
    loss = build_loss(Recipe().loss)
    return network, optimizer, Step(network, optimizer, loss, Thrift(8))


@pytest.mark.parametrize("num_before", [0, 2])
@pytest.mark.parametrize("name", NAMES)
def test_steps_within_leave_no_trace(name, num_before):
    images = torch.rand(6, 8, 1, 32, 32)
    labels = (torch.rand(6, 8, 14) < 0.3).float()
    losses = []
    for does_interrupt in (False, True):
        network, optimizer, step = make(name)
        torch.manual_seed(1)
        losses.append([step(*pair) for pair in zip(images[:num_before], labels, strict=False)])
        if does_interrupt:
            with unmoved(network, optimizer):
                for _ in range(3):
                    step(images[5], labels[5])
        losses[-1] += [step(*pair) for pair in zip(images[2:5], labels[2:5], strict=True)]
    assert torch.equal(torch.stack(losses[0]), torch.stack(losses[1]))


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_rates_in_tensors_follow_the_schedule_and_go_back(name):
    _, optimizer, _ = make(name)
    recipe = ScheduleRecipe(name="cosine", warmup_epochs=1)
    schedule = Schedule(optimizer, recipe, steps=4, epochs=5)
    as_tensors(optimizer, torch.device("cpu"))
    (group,) = optimizer.param_groups
    tensor = group["lr"]
    rates = []
    for step in range(8):
        rates.append(schedule.before_step(step))
        assert group["lr"] is tensor
        assert float(tensor) == pytest.approx(rates[-1])
    assert len(set(rates)) > 5
    assert group["capturable"]
    as_numbers(optimizer)
    assert isinstance(group["lr"], float)
    assert not group["capturable"]
    assert "lr_now" not in group


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_run_equals_the_eager_one(name, toy_store, tmp_path):
    values = {
        "data.resize_px": 32, "data.input_px": 32, "model.name": "vit_mini",
        "model.weights": "none", "train.epochs": 2, "train.batch_size": 50, "optim.name": name,
        "data.store": toy_store.fingerprint, "schedule.name": "cosine",
    }  # fmt: skip
    recipe = Recipe().with_values(values)
    for speedups in ("none", "graphs"):
        machine = Machine(store=toy_store.path, device="cuda", speedups=speedups)
        run_trial(recipe, machine, tmp_path / speedups)
    eager, recorded = (RunDirectory(tmp_path / kind).epochs for kind in ("none", "graphs"))
    for ours, theirs in zip(recorded, eager, strict=True):
        assert ours.metrics["train/loss"] == pytest.approx(theirs.metrics["train/loss"], rel=0.02)
