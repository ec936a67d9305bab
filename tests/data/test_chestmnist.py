import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.data import chestmnist
from harness.data.chestmnist import COLUMNS, NOTES, PUBLISHED, prepare_chestmnist
from harness.data.splits import make_split, split_table

SIZES = {"train": 70, "val": 10, "test": 20}


def arrays() -> dict[str, np.ndarray]:
    """A pack as MedMNIST writes it; row r of a part has finding r mod 14 of its order."""
    rng = np.random.default_rng(0)
    pack = {}
    for part, num in SIZES.items():
        pack[f"{part}_images"] = rng.integers(0, 256, (num, 28, 28), dtype=np.uint8)
        pack[f"{part}_labels"] = np.eye(14, dtype=np.uint8)[np.arange(num) % 14]
    return pack


def write_pack(path: Path, pack: dict[str, np.ndarray]) -> dict[str, str]:
    np.savez_compressed(path, **pack)
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest()}


@pytest.fixture
def made(tmp_path):
    pack = arrays()
    published = write_pack(tmp_path / "chestmnist.npz", pack)
    store = prepare_chestmnist(tmp_path / "chestmnist.npz", tmp_path / "store", published=published)
    return store, pack, published


def test_images_and_labels_keep_their_places(made):
    store, pack, _ = made
    assert np.array_equal(store.images, np.concatenate([pack[f"{part}_images"] for part in SIZES]))
    assert store.table["image"].iloc[[0, 69, 70, 80]].to_list() == [
        "train_00000", "train_00069", "val_00000", "test_00000",
    ]  # fmt: skip
    for row in range(14):
        positive = np.flatnonzero(store.label_NL[row])
        assert [FINDINGS[column] for column in positive] == [COLUMNS[row]]


def test_the_findings_are_ours_in_medmnist_s_order():
    assert sorted(COLUMNS) == sorted(FINDINGS)
    assert COLUMNS[:3] == ("Atelectasis", "Cardiomegaly", "Effusion")
    assert COLUMNS[-2:] == ("Pleural_Thickening", "Hernia")


def test_it_says_what_it_is_not(made):
    store, _, _ = made
    manifest = store.manifest
    assert manifest.source == "chestmnist"
    assert not manifest.has_patients
    assert manifest.notes == NOTES
    assert "random one, not NIH's official" in NOTES[0]
    assert list(store.table["patient"]) == list(store.table["image"])
    assert store.table["age"].isna().all()


def test_its_split_is_the_one_given_and_not_the_official(made):
    store, _, _ = made
    split = make_split(store, "as_given")
    assert {part: len(getattr(split, part)) for part in SIZES} == SIZES
    with pytest.raises(HarnessError, match=r"set data\.split to as_given"):
        make_split(store, "official")


def test_nih_s_lists_are_not_called_given(make_table):
    table = make_table(("a", "train_val", ""), ("b", "test", ""))
    with pytest.raises(HarnessError, match=r"set data\.split to official"):
        split_table(table, "as_given")


def test_a_second_call_opens_what_is_there(made, tmp_path):
    store, _, published = made
    before = (store.path / "images.npy").stat().st_mtime_ns
    again = prepare_chestmnist(tmp_path / "chestmnist.npz", store.path, published=published)
    assert again.fingerprint == store.fingerprint
    assert (store.path / "images.npy").stat().st_mtime_ns == before
    assert {path.name for path in tmp_path.iterdir()} == {"chestmnist.npz", "store"}


def test_pieces_are_put_together(tmp_path, monkeypatch, made):
    store, _, published = made
    monkeypatch.setattr(chestmnist, "CHUNK_BYTES", 5 * 28 * 28 + 1)
    again = prepare_chestmnist(tmp_path / "chestmnist.npz", tmp_path / "again", published=published)
    assert again.fingerprint == store.fingerprint


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_file_of_another_md5_is_refused(tmp_path, name):
    write_pack(tmp_path / name, arrays())
    with pytest.raises(HarnessError, match="fetch it again") as caught:
        prepare_chestmnist(tmp_path / name, tmp_path / "store")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_no_file(tmp_path):
    with pytest.raises(HarnessError, match=r"no such file; fetch one of chestmnist\.npz, "):
        prepare_chestmnist(tmp_path / "chestmnist.npz", tmp_path / "store")


def spoiled(how: str) -> bytes:
    stream = io.BytesIO()
    pack = arrays()
    if how == "no zip":
        return b"nothing"
    if how == "no test part":
        del pack["test_labels"]
    elif how == "pickled":
        pack["val_labels"] = np.array([{}] * 10, dtype=object)
    elif how == "fractions":
        pack["val_images"] = pack["val_images"] / 255
    elif how == "other size":
        pack["test_images"] = pack["test_images"][:, :14, :14]
    np.savez_compressed(stream, **pack)
    return stream.getvalue()


@pytest.mark.parametrize("how", ["no zip", "no test part", "pickled", "fractions", "other size"])
def test_a_published_file_that_is_no_pack_is_one_line(tmp_path, how):
    path = tmp_path / "chestmnist.npz"
    path.write_bytes(spoiled(how))
    published = {path.name: hashlib.md5(path.read_bytes()).hexdigest()}
    with pytest.raises(HarnessError, match="not a pack of ChestMNIST") as caught:
        prepare_chestmnist(path, tmp_path / "store", published=published)
    assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["chestmnist.npz"]


def test_a_member_that_is_cut_off_is_one_line(tmp_path):
    path = tmp_path / "chestmnist.npz"
    with zipfile.ZipFile(path, "w") as pack:
        for name, array in arrays().items():
            stream = io.BytesIO()
            np.save(stream, array)
            pack.writestr(f"{name}.npy", stream.getvalue()[: -10 if name == "val_images" else None])
    published = {path.name: hashlib.md5(path.read_bytes()).hexdigest()}
    with pytest.raises(HarnessError, match="not a pack of ChestMNIST"):
        prepare_chestmnist(path, tmp_path / "store", published=published)
