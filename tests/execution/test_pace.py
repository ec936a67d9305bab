"""The pace of a recipe, from a few steps of the real trainer."""

import time
import types

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.data.batches import Batches
from harness.data.splits import make_split
from harness.execution import pace as pace_module
from harness.execution.pace import FirstBatches, measure_pace
from harness.trial import run_trial


@pytest.fixture
def recipe(toy_recipe):
    return toy_recipe.with_values({"train.epochs": 3, "train.batch_size": 4})


@pytest.fixture
def processor_time(monkeypatch):
    """Clocks that other processes of this machine do not disturb."""
    clock = types.SimpleNamespace(perf_counter=time.process_time)
    monkeypatch.setattr("harness.execution.pace.time", clock)
    monkeypatch.setattr("harness.training.trainer.time", clock)


def test_a_part_of_an_epoch_tells_of_the_whole(
    recipe, toy_store, tmp_path, monkeypatch, processor_time
):
    machine = Machine(store=toy_store.path, device="cpu")
    split = make_split(toy_store, "official")
    monkeypatch.setattr(pace_module, "TRAIN_S", 0.2)
    monkeypatch.setattr(pace_module, "VAL_S", 0.0)
    pace = measure_pace(recipe, machine)
    record = run_trial(recipe, machine, tmp_path / "run")
    assert (pace.num_train, pace.num_val) == (len(split.train), len(split.val))
    epoch_s = record.duration_s / record.num_epochs
    assert epoch_s / 1.6 < pace.epoch_s < epoch_s * 1.6
    weights = (tmp_path / "run" / "best.safetensors").stat().st_size
    predictions = (tmp_path / "run" / "predictions_val.npz").stat().st_size
    assert pace.weights_bytes == weights
    assert pace.predictions_bytes == pytest.approx(predictions, rel=0.2)
    assert pace.checkpoint_bytes > 3 * weights * 0.9, "weights and two moments"


def test_few_batches_are_taken_and_the_first_is_not_counted(toy_store, monkeypatch):
    ticks = iter([0.0, 9.0, 9.5, 10.5, 99.0])
    monkeypatch.setattr(
        "harness.execution.pace.time", types.SimpleNamespace(perf_counter=lambda: next(ticks))
    )
    batches = FirstBatches(toy_store, np.arange(200), batch_size=10, device="cpu")
    batches.limit_s = 1.2
    assert sum(len(image) for image, _ in batches.epoch(1)) == 30
    assert len(batches) == 20, "schedules are made for the whole epoch"
    assert batches.image_s == pytest.approx((0.5 + 1.0) / 20)
    assert batches.end_s == 10.5


def test_they_are_the_first_of_the_real_epoch(toy_store):
    told = {"batch_size": 10, "device": "cpu", "seed": 7}
    few = FirstBatches(toy_store, np.arange(200), **told)
    images = [image for image, _ in few.epoch(3)]
    real = Batches(toy_store, np.arange(200), **told).epoch(3)
    assert len(images) == 2, "no time was given"
    assert all(torch.equal(image, next(real)[0]) for image in images)


def test_a_recipe_that_fails_at_once_is_told_in_one_line(recipe, toy_store):
    machine = Machine(store=toy_store.path, device="cpu")
    wild = recipe.with_values({"optim.name": "sgd", "optim.lr": 1e18})
    with pytest.raises(HarnessError, match=r"first steps of the published recipe: .* not finite"):
        measure_pace(wild, machine)
