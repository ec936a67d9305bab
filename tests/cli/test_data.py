"""`harness data` on stores of toy images."""

import numpy as np
import pytest
from PIL import Image

from harness.core.files import read_json
from harness.data.checks import Check, Verdict, check_store
from harness.data.chestmnist import PUBLISHED
from harness.data.splits import make_split
from tests.data.chestmnist_pack import make_pack, write_pack
from tests.data.leaky_store import leaky_copy


def test_a_sound_store_is_checked(harness, alone, toy_store, tmp_path):
    code, out, _ = harness("data", "check", toy_store.path, "--out", tmp_path / "report")
    assert code == 0
    assert f"harness data show {toy_store.path}" in out
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"check.html", "check.json"}


@pytest.mark.parametrize("verdict", [Verdict.NOTE, Verdict.DOUBT])
def test_after_a_doubt_the_page_comes_first(
    harness, alone, toy_store, tmp_path, monkeypatch, verdict
):
    found = Check(title="Odd", verdict=verdict, summary="one is odd")
    report = check_store(toy_store, split="official")
    report = report.model_copy(update={"checks": {"odd": found}})
    monkeypatch.setattr("harness.data.checks.check_store", lambda *_, **__: report)
    code, out, _ = harness("data", "check", toy_store.path, "--out", tmp_path)
    assert code == 0
    page = f"look at the doubts in {tmp_path / 'check.html'}, then "
    first = page if verdict is Verdict.DOUBT else ""
    assert f"next: {first}harness data show {toy_store.path}" in out.splitlines()


def test_a_leak_ends_with_exit_code_2(harness, alone, toy_store, tmp_path):
    leaky = leaky_copy(toy_store, tmp_path / "leaky")
    code, out, _ = harness("data", "check", leaky.path)
    assert code == 2
    line = next(line for line in out.splitlines() if "leak" in line)
    assert line.startswith("Patients in two parts of the split")
    assert read_json(leaky.path / "check.json")["checks"]["patients"]["verdict"] == "leak"


def test_show_names_the_split_by_its_hash(harness, alone, toy_store, tmp_path):
    split = make_split(toy_store, "official")
    code, out, _ = harness("data", "show", toy_store.path, "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert f"split official {split.sha256[:12]}" in out


def test_a_sheet_of_no_known_kind_is_refused_before_anything_is_drawn(
    harness, alone, toy_store, tmp_path
):
    code, out, err = harness("data", "show", toy_store.path, "--sheet", tmp_path / "sheet.txt")
    assert (code, out) == (2, "")
    assert "sheet.txt: its name must end in .png" in err
    code, _, _ = harness("data", "show", toy_store.path, "--sheet", tmp_path / "new" / "sheet.JPG")
    assert code == 0
    assert Image.open(tmp_path / "new" / "sheet.JPG").format == "JPEG"


def test_chestmnist_says_that_its_split_is_not_the_official(harness, alone, tmp_path, monkeypatch):
    file = tmp_path / "chestmnist.npz"
    published = write_pack(file, make_pack({"train": 4, "val": 2, "test": 2}))
    words = ("data", "prepare", "chestmnist", "--file", file, "--out", tmp_path / "store")
    code, _, err = harness(*words)
    assert code == 2
    assert "its MD5" in err
    monkeypatch.setitem(PUBLISHED, file.name, published[file.name])
    code, out, _ = harness(*words)
    assert code == 0
    assert "note: its split is a random one, not NIH's official" in out
    assert "8 images of 28 px, source chestmnist" in out


def test_a_folder_of_one_s_own_is_prepared(harness, alone, tmp_path):
    folder = tmp_path / "ours"
    folder.mkdir()
    Image.fromarray(np.full((16, 16), 90, np.uint8)).save(folder / "a.png")
    (folder / "labels.csv").write_text("image,Fracture\na.png,1\n")
    words = ("data", "prepare", "folder", "--root", folder, "--out", tmp_path / "s", "--size", 16)
    code, out, _ = harness(*words)
    assert code == 0
    assert "note: no patients are named" in out
    assert "1 images of 16 px, source folder" in out
    (folder / "labels.csv").write_text("image,Fracture\na.png,maybe\n")
    code, _, err = harness(*words)
    assert code == 2
    assert "labels.csv:2: 'maybe' in the column 'Fracture'" in err


def test_chexpert_without_its_tables_is_told(harness, alone, tmp_path):
    code, _, err = harness("data", "prepare", "chexpert", "--root", tmp_path, "--out", "s")
    assert code == 2
    assert "CheXpert has train.csv and valid.csv" in err
