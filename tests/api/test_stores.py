"""Stores in Python: made once, then opened."""

import pytest

import harness
from harness.core.errors import HarnessError


def test_a_phantom_is_drawn_once(tmp_path, monkeypatch):
    store = harness.make_phantom(tmp_path / "phantom", images=50, size=32)
    written = (store.path / "images.npy").stat().st_mtime_ns
    again = harness.make_phantom(tmp_path / "phantom", images=50, size=32)
    assert again.fingerprint == store.fingerprint
    assert (store.path / "images.npy").stat().st_mtime_ns == written
    with pytest.raises(HarnessError, match="already exists"):
        harness.make_phantom(tmp_path / "phantom", images=50, size=32, seed=1)
    monkeypatch.chdir(tmp_path)
    assert harness.open_store("phantom").path == store.path


def test_a_folder_of_images_is_prepared_and_a_strange_source_is_told(tmp_path, toy_store):
    from PIL import Image

    root = tmp_path / "ours"
    root.mkdir()
    for number in range(3):
        Image.fromarray(toy_store.images[number]).save(root / f"{number}.png")
    (root / "labels.csv").write_text("image,patient,Mass\n0.png,a,1\n1.png,b,0\n2.png,c,\n")
    store = harness.prepare("folder", root=root, out=tmp_path / "store", size=32)
    assert store.findings == ("Mass",)
    assert len(store) == 3
    with pytest.raises(HarnessError, match=r"source 'foldr': give one of .* mean 'folder'"):
        harness.prepare("foldr", root=root, out=tmp_path / "other")
