"""A winner in use, in Python as on the command line."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import harness
from harness.core.errors import HarnessError
from harness.data.store import ImageStore


@pytest.fixture
def store(trained_results) -> ImageStore:
    return harness.open_store(trained_results.parent / "store")


@pytest.fixture
def chest(store, tmp_path):
    """A file of the store's first image."""
    path = tmp_path / "chest.png"
    Image.fromarray(store.images[0]).save(path)
    return path


def test_from_a_run_to_answers(lab, chest, store):
    run = harness.open_run("dannynet/t0000", results=lab)
    promotion = harness.promote(run, data=store)
    assert promotion.agreement == "bit-equal to the run's scores of 34 validation images"
    answers = harness.predict(chest, results=lab)
    by_name = harness.predict([chest], model=promotion.model.uri, results=lab)
    pd.testing.assert_frame_equal(answers, by_name)
    assert answers["finding"].tolist() == list(store.findings)


def test_answers_are_those_of_the_command(bundle_dir, chest, tmp_path, harness, alone):
    import harness as package

    model = package.open_model(bundle_dir)
    answers = package.predict(chest, model=model)
    code, _, _ = harness("predict", chest, "--model", bundle_dir, "--csv", tmp_path / "a.csv")
    assert code == 0
    written = pd.read_csv(tmp_path / "a.csv")
    assert answers.columns.tolist() == written.columns.tolist()
    for name in ("score", "probability", "score_threshold"):
        np.testing.assert_allclose(answers[name], written[name], rtol=1e-6)
    assert answers["flag"].astype(int).tolist() == written["flag"].tolist()


def test_what_cannot_be_read_is_told_and_the_rest_is_answered(bundle_dir, chest, tmp_path):
    rubbish = tmp_path / "rubbish.png"
    rubbish.write_bytes(b"not an image")
    with pytest.warns(UserWarning, match=r"not read: .*rubbish\.png") as warned:
        answers = harness.predict([chest, rubbish], model=bundle_dir)
    assert warned[0].filename == __file__, "a warning points at the call"
    assert set(answers["image"]) == {str(chest)}
    assert list(answers.attrs["failures"]) == [str(rubbish)]
    with pytest.raises(HarnessError, match="none of 1 images could be read"):
        harness.predict(rubbish, model=bundle_dir)


def test_a_run_is_exported(lab, store, tmp_path):
    bundle = harness.export("dannynet/t0000", to=tmp_path / "bundle", data=store, results=lab)
    assert bundle.folder == tmp_path / "bundle"
    with pytest.raises(HarnessError, match=r"^to .*: already exists"):
        harness.export("dannynet/t0000", to=tmp_path / "bundle", data=store, results=lab)


def test_maps_are_figures_and_a_picture(lab, store):
    looks = harness.explain("dannynet/t0000", data=store, resamples=200, results=lab)
    frame = looks.frame()
    figures = looks.found.localisation.figures
    assert frame.loc["macro", ("pointing", "value")] == figures["macro"]["pointing"].value
    chance = frame[("pointing", "value")] - frame[("chance", "value")]
    np.testing.assert_allclose(frame[("pointing - chance", "value")], chance, atol=1e-12)
    assert looks.sheet.width > 500
    assert looks._repr_png_().startswith(b"\x89PNG")
