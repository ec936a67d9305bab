"""Stores in Python: made once, then opened."""

from html import escape

import pytest

import harness
from harness.core.errors import HarnessError
from harness.core.files import read_json
from harness.data.chestmnist import PUBLISHED
from tests.data.chestmnist_pack import make_pack, write_pack
from tests.data.leaky_store import leaky_copy


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
    with pytest.raises(HarnessError, match=r"ChestMNIST is harness\.prepare_chestmnist"):
        harness.prepare("chestmnist", root=root, out=tmp_path / "other")


def test_chestmnist_is_taken_as_it_was_published(tmp_path, monkeypatch):
    file = tmp_path / "chestmnist.npz"
    published = write_pack(file, make_pack({"train": 4, "val": 2, "test": 2}))
    with pytest.raises(HarnessError, match="its MD5"):
        harness.prepare_chestmnist(tmp_path / "store", file=file)
    monkeypatch.setitem(PUBLISHED, file.name, published[file.name])
    monkeypatch.chdir(tmp_path)
    store = harness.prepare_chestmnist("store", file="chestmnist.npz")
    assert (len(store), store.path) == (8, tmp_path / "store")
    assert "not NIH's official" in store.manifest.notes[0]
    with pytest.raises(HarnessError, match="no images of 32 px"):
        harness.prepare_chestmnist("other", size=32)
    with pytest.raises(HarnessError, match="allow_http=True"):
        harness.prepare_chestmnist("other", size=64, base="http://mirror.example/packs")


def test_the_checks_of_a_store_are_rows_and_a_page(toy_store, tmp_path):
    checked = harness.check_store(toy_store, out=tmp_path / "report")
    assert checked.page == tmp_path / "report" / "check.html"
    assert not checked.has_leak
    told = read_json(tmp_path / "report" / "check.json")["checks"]
    frame = checked.frame()
    assert frame["verdict"].to_dict() == {name: each["verdict"] for name, each in told.items()}
    assert frame.loc["patients", "verdict"] == "good"
    shown = checked._repr_html_()
    assert shown.count("<tr") == 1 + len(frame)
    assert all(escape(text, quote=False) in shown for text in frame["found"])
    with pytest.raises(HarnessError, match=r"no check 'twinz' \(did you mean 'twins'\?\)"):
        checked.rows("twinz")
    with pytest.raises(HarnessError, match="oficial"):
        harness.check_store(toy_store, split="oficial", out=tmp_path)


def test_a_leak_is_a_verdict_with_its_rows(toy_store, tmp_path):
    leaky = leaky_copy(toy_store, tmp_path / "leaky")
    checked = harness.check_store(leaky.path)
    assert checked.has_leak
    assert checked.page == leaky.path / "check.html"
    assert checked.frame().loc["patients", "verdict"] == "leak"
    leaks = checked.rows("patients")
    assert leaks.iloc[0].tolist() == list(checked.found.checks["patients"].rows[0])
    assert "p0000" in leaks.to_string()
