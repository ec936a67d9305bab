"""A network trained on the phantom looks where the signs are drawn, and not at the centre."""

import numpy as np
import pytest

from harness.benchmark.localisation import localisation_of
from harness.benchmark.plan import StatisticsPlan
from harness.core.machine import Machine
from harness.core.run_dir import RunDirectory
from harness.core.space import SearchSpace
from harness.data.phantom import make_phantom
from harness.explain.cam import grad_cams
from harness.explain.sights import explain_run
from harness.scoring import finished, trained_network
from harness.trial import run_trial

LOCAL = (
    "Atelectasis", "Consolidation", "Effusion", "Hernia", "Infiltration", "Mass", "Nodule",
    "Pleural_Thickening", "Pneumonia", "Pneumothorax",
)  # fmt: skip
"""Findings whose signs have a place of their own; the boxes of the others hold the centre."""
INPUT_PX = 128
"""At the 64 px of the phantom's spaces the map has 4 x 4 cells, larger than most signs."""


@pytest.mark.drill
@pytest.mark.timeout(3600)
def test_it_points_at_what_was_drawn_more_often_than_who_sees_nothing(tmp_path):
    store = make_phantom(tmp_path / "phantom", num_images=3000, size_px=INPUT_PX, seed=1)
    space = SearchSpace.load("dannynet-mini").with_base(
        {
            "optim.lr": 3e-3, "train.epochs": 25,
            "data.resize_px": INPUT_PX, "data.input_px": INPUT_PX,
        }
    )  # fmt: skip
    recipe = space.recipe(space.default_values())
    recipe = recipe.with_values({"data.store": store.fingerprint, "seed": 1})
    machine, run = Machine(store=store.path, device="cpu"), RunDirectory(tmp_path / "run")
    run_trial(recipe, machine, run.path)
    explanations = explain_run(run, machine, "test")
    assert explanations.grid == (8, 8)
    found = localisation_of([explanations], StatisticsPlan())
    for finding, figures in found.figures.items():
        told = {name: round(figures[name].value, 3) for name in ("pointing", "chance", "centre")}
        print(finding, found.num_sights.get(finding, ""), told)
    better = [
        finding for finding in LOCAL
        if all(found.gains[finding][blind].value > 0 for blind in ("chance", "centre"))
    ]  # fmt: skip
    assert len(better) >= 8, better
    assert found.gains["macro"]["chance"].low > 0
    assert found.gains["macro"]["centre"].low > 0

    network = trained_network(run, finished(run), machine)
    square = np.stack([store.images[row] for row in range(8)])
    effusion, mass = (
        grad_cams(network, square, [store.findings.index(name)] * 8, recipe).heat_BHW
        for name in ("Effusion", "Mass")
    )
    assert np.abs(effusion - mass).mean() > 0.05
