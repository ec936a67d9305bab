"""One compilation for all runs of a process whose networks are built alike; the numbers stay."""

import pytest
import torch

from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.run_dir import RunDirectory
from harness.models.zoo import Network, densenet_mini
from harness.training import compiled as module
from harness.training.compiled import compiled, find_compiled, forget_compiled
from harness.trial import run_trial

TOY = {
    "data.resize_px": 32, "data.input_px": 32, "model.name": "densenet_mini",
    "model.weights": "none", "train.epochs": 1, "train.batch_size": 50,
}  # fmt: skip


@pytest.fixture(autouse=True)
def without_a_compiler(monkeypatch):
    """All but the writing of machine code."""
    monkeypatch.setattr(module, "BACKEND", "eager")
    forget_compiled()
    yield
    forget_compiled()
    torch._dynamo.reset()


def make(seed: int = 0, num_classes: int = 14) -> Network:
    torch.manual_seed(seed)
    return Network(densenet_mini(num_classes=num_classes, img_size=32), weights_note=str(seed))


def test_runs_that_differ_in_what_is_searched_share_a_compilation(toy_store, tmp_path):
    """The epoch's last batch is a short one, and validation has others again."""
    recipe = Recipe().with_values(TOY | {"data.store": toy_store.fingerprint})
    values = {"optim.lr": 3e-3, "loss.gamma": 1.0, "loss.alpha": 4.0, "optim.weight_decay": 0.1}
    for name, other in {"a": recipe, "b": recipe.with_values(values)}.items():
        for speedups in ("compile", "none"):
            machine = Machine(store=toy_store.path, device="cpu", speedups=speedups)
            run_trial(other, machine, tmp_path / name / speedups)
        fast, plain = (RunDirectory(tmp_path / name / kind) for kind in ("compile", "none"))
        assert fast.best_weights.read_bytes() == plain.best_weights.read_bytes()
        assert fast.epochs[0].metrics["val/loss"] == plain.epochs[0].metrics["val/loss"]
    (kept,) = module._KEPT.values()
    assert kept.num_compilations == 1


def test_the_kept_network_becomes_the_new_one():
    first, second = make(0), make(1)
    kept = compiled(first, 8)
    assert compiled(second, 8) is kept
    assert kept.network is first
    assert first.weights_note == "1"
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)
    assert find_compiled(first) is kept
    assert find_compiled(second) is None


def test_networks_that_are_built_otherwise_are_kept_apart_and_the_oldest_goes():
    first = compiled(make(), 8)
    assert compiled(make(num_classes=3), 8) is not first
    brighter = make()
    brighter.mean += 0.1
    assert compiled(brighter, 8) is not first
    assert first not in module._KEPT.values()
    assert len(module._KEPT) == module.NUM_KEPT
