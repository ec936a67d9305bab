import hashlib
import io
import zipfile

import numpy as np
import pytest

from harness.core.errors import DiskFullError, HarnessError
from harness.core.findings import FINDINGS
from harness.data import chestmnist
from harness.data.chestmnist import COLUMNS, NOTES, PUBLISHED, PackAddress, prepare_chestmnist
from harness.data.http_ranges import Terms
from harness.data.splits import make_split, split_table
from harness.data.store import ImageStore
from tests.data.chestmnist_pack import make_pack, write_pack
from tests.data.file_server import corrupt, cut_after, file_server, range_of, status, well

SIZES = {"train": 70, "val": 10, "test": 20}


@pytest.fixture
def made(tmp_path):
    pack = make_pack(SIZES)
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
    assert {path.name for path in tmp_path.iterdir()} == {"chestmnist.npz", "store", ".store.lock"}


def test_pieces_are_put_together(tmp_path, monkeypatch, made):
    store, _, published = made
    monkeypatch.setattr(chestmnist, "CHUNK_BYTES", 5 * 28 * 28 + 1)
    again = prepare_chestmnist(tmp_path / "chestmnist.npz", tmp_path / "again", published=published)
    assert again.fingerprint == store.fingerprint


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_file_of_another_md5_is_refused(tmp_path, name):
    write_pack(tmp_path / name, make_pack(SIZES))
    with pytest.raises(HarnessError, match="fetch it again") as caught:
        prepare_chestmnist(tmp_path / name, tmp_path / "store")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_no_file(tmp_path):
    with pytest.raises(HarnessError, match=r"no such file; give one of chestmnist\.npz, "):
        prepare_chestmnist(tmp_path / "chestmnist.npz", tmp_path / "store")


def spoiled(how: str) -> bytes:
    stream = io.BytesIO()
    pack = make_pack(SIZES)
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
    assert {item.name for item in tmp_path.iterdir()} == {"chestmnist.npz", ".store.lock"}


def test_a_member_that_is_cut_off_is_one_line(tmp_path):
    path = tmp_path / "chestmnist.npz"
    with zipfile.ZipFile(path, "w") as pack:
        for name, array in make_pack(SIZES).items():
            stream = io.BytesIO()
            np.save(stream, array)
            pack.writestr(f"{name}.npy", stream.getvalue()[: -10 if name == "val_images" else None])
    published = {path.name: hashlib.md5(path.read_bytes()).hexdigest()}
    with pytest.raises(HarnessError, match="not a pack of ChestMNIST"):
        prepare_chestmnist(path, tmp_path / "store", published=published)


# Fetching ---------------------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server that has a pack of 28 px, whose MD5 is the published one."""
    path = tmp_path / "mirror" / "chestmnist.npz"
    path.parent.mkdir()
    monkeypatch.setitem(PUBLISHED, path.name, write_pack(path, make_pack(SIZES))[path.name])
    with file_server() as server:
        server.content[path.name] = path.read_bytes()
        yield server


def command(harness, mirror, out, *words):
    return harness("data", "prepare", "chestmnist", "--base", mirror.base, "--out", out, *words)


def test_each_size_has_an_address():
    assert [PackAddress(size_px).name for size_px in chestmnist.SIZES_PX] == list(PUBLISHED)
    url = "https://zenodo.org/records/10519652/files/chestmnist_64.npz?download=1"
    assert PackAddress(64).url == url
    assert PackAddress(28, "https://a.org/packs/").url == "https://a.org/packs/chestmnist.npz"
    with pytest.raises(HarnessError, match="no images of 32 px; known: 28, 64, 128, 224"):
        _ = PackAddress(32).name


def test_the_command_fetches_makes_and_says_whose_images_they_are(mirror, tmp_path, harness):
    out = tmp_path / "stores" / "chestmnist-28"
    code, said, _ = command(harness, mirror, out)
    assert code == 0
    assert "CC BY 4.0" in said
    assert "provided by the NIH Clinical Center" in said
    assert "note: its split is a random one" in said
    assert f"fetched {out.parent / 'chestmnist.npz'}" in said
    assert len(ImageStore.open(out)) == 100
    num_asked = len(mirror.asked)
    assert command(harness, mirror, out)[0] == 0
    assert len(mirror.asked) == num_asked


def test_its_store_can_be_shown_and_checked_by_what_the_commands_say_next(
    mirror, tmp_path, harness
):
    out = tmp_path / "store"
    command(harness, mirror, out)
    code, said, err = harness("data", "show", out)
    assert (code, err) == (0, "")
    assert "patients " not in said.replace("no patients", "")
    assert "the source names no patients" in said
    assert "split as_given" in said
    assert said.splitlines()[-1].endswith("--set data.split=as_given")
    code, said, _ = harness("data", "check", out)
    assert code == 0
    assert "This source names no patients" in said


def test_a_pack_that_is_there_is_checked_and_not_fetched(mirror, tmp_path, harness):
    (tmp_path / "chestmnist.npz").write_bytes(mirror.content["chestmnist.npz"])
    assert command(harness, mirror, tmp_path / "store")[0] == 0
    assert mirror.asked == []


def test_a_pack_that_is_cut_off_on_the_way_is_continued(mirror, tmp_path):
    size = len(mirror.content["chestmnist.npz"])
    half = size // 2
    address = PackAddress(28, mirror.base, Terms(wait_s=0.01))
    mirror.answers["chestmnist.npz"] = [status(503), well, cut_after(half), status(404)]
    with pytest.raises(HarnessError, match="404"):
        prepare_chestmnist(None, tmp_path / "store", address=address)
    assert (tmp_path / "chestmnist.npz.part").stat().st_size == half
    assert len(prepare_chestmnist(None, tmp_path / "store", address=address)) == 100
    assert [told for _, told in mirror.asked] == [
        "bytes=0-0", "bytes=0-0", "bytes=0-", f"bytes={half}-", "bytes=0-0", f"bytes={half}-",
    ]  # fmt: skip


def test_a_pack_that_arrives_changed_is_refused(mirror, tmp_path, harness):
    mirror.answers["chestmnist.npz"] = [well, corrupt, corrupt]
    code, _, said = command(harness, mirror, tmp_path / "store")
    assert code == 2
    assert "wrong MD5" in said
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "chestmnist.npz").exists()


@pytest.mark.parametrize("answer", [status(404), status(200), range_of("bytes 0-0/*")])
def test_a_server_that_does_not_say_how_long_it_is(mirror, tmp_path, harness, answer):
    mirror.answers["chestmnist.npz"] = [answer]
    code, _, said = command(harness, mirror, tmp_path / "store")
    assert code == 2
    assert "chestmnist.npz could not be had" in said
    assert len(mirror.asked) == 1


def test_a_disk_that_is_too_small_is_told_before_anything_arrives(mirror, make_disk, harness):
    """112,120 images of 28 px are 88 MB."""
    disk = make_disk(50)
    code, _, said = command(harness, mirror, disk / "store")
    assert code == 2
    assert "are to be written" in said
    assert [told for _, told in mirror.asked] == ["bytes=0-0"]


def test_a_disk_that_fills_up_leaves_no_half_a_store(tmp_path, make_disk, fill_disk, monkeypatch):
    disk = make_disk(20)
    published = write_pack(tmp_path / "chestmnist.npz", make_pack(SIZES))
    monkeypatch.setattr(chestmnist, "check_space", lambda path, num_bytes: fill_disk(disk))
    with pytest.raises(DiskFullError, match="the disk or the quota is full"):
        prepare_chestmnist(tmp_path / "chestmnist.npz", disk / "store", published=published)
    assert {item.name for item in disk.iterdir()} <= {"filler", ".store.lock"}
