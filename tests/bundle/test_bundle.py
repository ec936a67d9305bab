import json
import shutil

import pytest

from harness.bundle.bundle import FILES, Bundle
from harness.core.errors import HarnessError


@pytest.fixture
def folder(bundle_dir, tmp_path):
    return shutil.copytree(bundle_dir, tmp_path / "bundle")


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_bundle_knows_what_using_it_needs(bundle_dir):
    bundle = Bundle.read(bundle_dir)
    assert bundle.name.startswith("dannynet/t0000-")
    assert bundle.title == bundle.name
    assert bundle.entitled("models:/x@champion").title == "models:/x@champion"
    assert set(bundle.thresholds) == set(bundle.findings)
    assert bundle.size_px == 64
    assert bundle.recipe.model.name == "densenet_mini"
    assert bundle.facts.is_synthetic
    assert "drawn images" in bundle.caution
    assert bundle.facts.agreement.largest_difference == 0
    assert [seen.source for seen in bundle.facts.seen] == ["phantom"]


def test_a_bundle_is_four_files(bundle_dir):
    assert sorted(path.name for path in bundle_dir.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(HarnessError, match=name):
        Bundle.read(folder)


def test_other_weights_are_refused(folder):
    weights = bytearray((folder / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(weights)
    with pytest.raises(HarnessError, match=r"weights\.safetensors is damaged"):
        Bundle.read(folder)


def test_another_recipe_is_refused(folder):
    change(folder / "recipe.json", seed=123)
    with pytest.raises(HarnessError, match=r"recipe\.json is not the one of dannynet"):
        Bundle.read(folder)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"temperature": 0}, "temperature"),
        ({"temperature": None}, "temperature"),
        ({"format": 2}, "format"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"findings": ["Mass"]}, "thresholds are not those of its findings"),
    ],
)
def test_facts_that_make_no_sense_are_refused(folder, values, told):
    change(folder / "bundle.json", **values)
    with pytest.raises(HarnessError, match=told):
        Bundle.read(folder)


def test_what_is_not_json_is_refused(folder):
    (folder / "bundle.json").write_bytes(b"\x80\x04pickle")
    with pytest.raises(HarnessError, match=r"bundle\.json: not JSON"):
        Bundle.read(folder)


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(HarnessError, match=r"no bundle\.json in it"):
            Bundle.read(path)
