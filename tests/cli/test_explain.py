"""`harness explain`, as somebody types it."""

import pytest
from PIL import Image

from harness.core.looks import read_looks
from harness.core.machine import Machine
from harness.core.space import SearchSpace
from harness.data.phantom import make_phantom
from harness.trial import run_trial


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A phantom of 100 images, and a run on it."""
    folder = tmp_path_factory.mktemp("explain")
    store = make_phantom(folder / "phantom", num_images=100, size_px=32, seed=0, num_workers=1)
    space = SearchSpace.load("dannynet-mini")
    changes = {"data.resize_px": 32, "data.input_px": 32, "train.epochs": 1}
    recipe = space.recipe(space.default_values()).with_values(changes)
    recipe = recipe.with_values({"data.store": store.fingerprint})
    run_trial(recipe, Machine(store=store.path, device="cpu"), folder / "run")
    return folder


def test_a_table_and_a_sheet_and_the_look_is_recorded(made, harness, tmp_path) -> None:
    words = ("explain", made / "run", "--data", made / "phantom", "--results", tmp_path)
    code, out, _ = harness(*words, "--part", "test", "--resamples", "200")
    assert code == 0
    assert "SYNTHETIC, test part): Grad-CAM at features.norm5, 2 × 2 cells" in out
    assert "mean of findings" in out
    for name in ("explanations_test.json", "explanations_test.png"):
        assert f"wrote {made / 'run' / name}" in out
    with Image.open(made / "run" / "explanations_test.png") as sheet:
        assert sheet.width > 500
    assert [look.run for look in read_looks(tmp_path)] == ["run"]
    assert harness(*words, "--part", "test", "--resamples", "200")[1] == out
    assert len(read_looks(tmp_path)) == 1


def test_mistakes_are_one_line(made, harness, tmp_path, toy_store) -> None:
    words = ("--data", made / "phantom", "--results", tmp_path)
    code, _, err = harness("explain", "nobody", *words)
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = harness("explain", made / "run", *words, "--layer", "features.norm6")
    assert (code, err.count("\n")) == (2, 1)
    assert "did you mean 'features.norm5'?" in err
    code, _, err = harness("explain", made / "run", "--data", toy_store.path, "--results", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
