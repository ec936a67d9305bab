"""A store of other findings than NIH's 14 goes the whole way: trained, scored, evaluated."""

import numpy as np

from harness.core.findings import FINDINGS
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.run_dir import RunDirectory
from harness.data.store import StoreOrigin, write_store
from harness.scoring import score_test
from harness.trial import run_trial

OWN = {"Fracture": "Mass", "Tube": "Nodule", "Rib 3": "Edema"}
"""Names of the user's own for findings of the toy images."""


def test_three_findings_are_trained_and_scored(toy_store, tmp_path):
    origin = StoreOrigin(
        source="own", is_synthetic=True, label_version="1", attribution="",
        box_frame_px=toy_store.manifest.box_frame_px, findings=tuple(OWN),
    )  # fmt: skip
    labels = {own: toy_store.table[name] for own, name in OWN.items()}
    store = write_store(
        tmp_path / "own", images=np.array(toy_store.images), boxes=None, origin=origin,
        table=toy_store.table.drop(columns=list(FINDINGS)).assign(**labels),
    )  # fmt: skip
    recipe = Recipe().with_values({
        "data.store": store.fingerprint, "data.resize_px": 32, "data.input_px": 32,
        "model.name": "densenet_mini", "model.weights": "none", "train.batch_size": 32,
        "train.epochs": 2,
    })  # fmt: skip
    machine = Machine(store=store.path, device="cpu")
    record = run_trial(recipe, machine, tmp_path / "run")
    assert set(record.val.findings) == set(OWN)
    test = score_test(machine, tmp_path / "run")
    assert set(test.findings) == set(OWN)
    predictions = RunDirectory(tmp_path / "run").predictions("test")
    assert predictions.findings == tuple(OWN)
    assert predictions.score_NL.shape == (test.num_images, 3)
    num_tubes = int(store.table["Tube"][store.table["fold"] == "test"].sum())
    assert test.findings["Tube"].num_positives == num_tubes
