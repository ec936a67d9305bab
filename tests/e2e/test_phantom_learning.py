"""The phantom can be learned, is not learned to the end, and has easy and hard findings."""

import pytest

from harness.core.machine import Machine
from harness.core.space import SearchSpace
from harness.data.phantom import make_phantom
from harness.scoring import score_test
from harness.trial import run_trial


@pytest.mark.timeout(600)
def test_a_trained_network_lies_between_chance_and_perfection(tmp_path):
    store = make_phantom(tmp_path / "phantom", num_images=2000, size_px=64, seed=1)
    space = SearchSpace.load("dannynet-mini").with_base({"optim.lr": 4e-3, "train.epochs": 10})
    recipe = space.recipe(space.default_values())
    recipe = recipe.with_values({"data.store": store.fingerprint})
    machine = Machine(store=store.path, device="cpu")
    run_trial(recipe, machine, tmp_path / "run")
    test = score_test(machine, tmp_path / "run")
    assert 0.75 < test.macro["auroc"] < 0.97
    by_finding = [metrics.auroc for metrics in test.findings.values() if metrics.auroc is not None]
    assert max(by_finding) - min(by_finding) > 0.15
