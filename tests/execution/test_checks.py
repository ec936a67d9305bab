"""Each look at a machine: what it says where all is well, and where it is not."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.execution.checks import (
    COMPARED,
    Check,
    check_disk,
    check_file,
    check_results,
    check_storage,
    check_store,
    check_versions,
    own_versions,
    show_bytes,
    token_folder,
)

TIB = 2**40


def test_a_store_is_known_by_its_fingerprint(toy_store):
    check = check_store(toy_store.path, toy_store.fingerprint, node="n1")
    assert (check.word, check.node) == ("ok", "n1")
    assert check.detail == f"240 images, {toy_store.fingerprint[:12]}"
    other = check_store(toy_store.path, "0" * 64, node="n1")
    assert other.word == "FAIL"
    assert "the driver's is 000000000000" in other.detail
    assert check_store(toy_store.path, "", node="n1").is_ok, "nothing is expected of it"


def test_a_store_that_is_not_there_or_cut_off(toy_store, tmp_path):
    missing = check_store(tmp_path / "none", "", node="n1")
    assert missing.word == "FAIL"
    assert f"{tmp_path / 'none'}: no such folder" in missing.detail
    assert str(tmp_path / "none") in missing.todo
    copy = tmp_path / "copy"
    shutil.copytree(toy_store.path, copy)
    with (copy / "images.npy").open("r+b") as stream:
        stream.truncate(1000)
    assert check_store(copy, toy_store.fingerprint, node="n1").word == "FAIL"
    np.save(copy / "images.npy", np.zeros((240, 32, 32), np.uint8))
    assert check_store(copy, toy_store.fingerprint, node="n1").is_ok, "pixels are not hashed"


def test_a_results_folder_is_shared_where_the_token_of_the_driver_is(tmp_path):
    folder = token_folder(tmp_path, "secret")
    unshared = check_results(tmp_path, "secret", node="n1", name="id1")
    assert unshared.word == "FAIL"
    assert "does not hold here what the driver wrote there" in unshared.detail
    assert "--storage" in unshared.todo
    assert list(tmp_path.iterdir()) == []
    folder.mkdir()
    (folder / "driver").write_text("another")
    assert not check_results(tmp_path, "secret", node="n1", name="id1").is_ok
    (folder / "driver").write_text("secret")
    assert check_results(tmp_path, "secret", node="n1", name="id1").is_ok
    assert (folder / "id1").read_text() == "secret"


def test_a_results_folder_that_may_not_be_written(tmp_path):
    folder = token_folder(tmp_path, "secret")
    folder.mkdir()
    (folder / "driver").write_text("secret")
    (folder / "id1").mkdir()  # root may write anywhere, but not over a folder
    check = check_results(tmp_path, "secret", node="n1", name="id1")
    assert check.word == "FAIL"
    assert str(tmp_path) in check.detail


def test_a_storage_is_probed(tmp_path):
    assert check_storage(str(tmp_path), 0, node="n1").is_ok
    assert list(tmp_path.iterdir()) == []
    small = check_storage(str(tmp_path), 10**9 * TIB, node="n1")
    assert small.word == "FAIL"
    assert "needed" in small.detail
    (tmp_path / "file").write_text("")
    assert check_storage(str(tmp_path / "file" / "below"), 0, node="n1").word == "FAIL"


def test_a_disk_has_room_or_lacks_a_known_amount(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    check = check_disk("disk", tmp_path / "not" / "yet", free // 2, node="n1")
    assert check.is_ok
    lacking = check_disk("disk", tmp_path, free + TIB, node="n1")
    assert lacking.word == "FAIL"
    assert lacking.todo.startswith("free 1024.")


def test_a_nearly_full_disk_is_a_warning(tmp_path, monkeypatch):
    usage = type(shutil.disk_usage(tmp_path))(100 * TIB, 96 * TIB, 4 * TIB)
    monkeypatch.setattr("harness.execution.checks.shutil.disk_usage", lambda path: usage)
    check = check_disk("disk", tmp_path, 0, node="n1")
    assert (check.word, check.is_ok) == ("warning", True)
    assert "95%" in check.todo


def test_a_file_is_read(tmp_path):
    assert check_file(Path(__file__), node="n1").is_ok
    missing = check_file(tmp_path / "weights.safetensors", node="n1")
    assert missing.word == "FAIL"
    assert missing.detail == f"{tmp_path / 'weights.safetensors'}: No such file or directory"


def test_versions_are_found_without_an_import_and_differences_are_listed():
    found = own_versions()
    assert set(found) == set(COMPARED)
    assert not any("+" in value for value in found.values())
    assert check_versions(found, dict(found), node="n1").is_ok
    expected = found | {"torch": "1.0", "harness": "0.1.0 source 00000000"}
    lacking = {name: value for name, value in found.items() if name != "timm"}
    check = check_versions(lacking, expected, node="n1")
    assert check.word == "FAIL"
    assert f"torch is {found['torch']}, the driver's 1.0" in check.detail
    assert f"timm is not there, the driver's {found['timm']}" in check.detail
    assert "the driver's 0.1.0 source 00000000" in check.detail
    assert "ray" not in check.detail


def test_a_check_is_one_line():
    check = Check(what="disk", node="n1", is_ok=False, detail="1 B free", todo="make room")
    assert str(check) == "n1: disk: 1 B free; make room"
    assert str(Check(what="disk", node="n1", is_ok=True, detail="1 B free")) == "n1: disk: 1 B free"


@pytest.mark.parametrize(
    ("num_bytes", "shown"),
    [
        (0, "0 B"),
        (1023, "1.02e+03 B"),
        (1536, "1.5 KiB"),
        (5 * 2**20, "5 MiB"),
        (TIB, "1024.0 GiB"),
    ],
)
def test_bytes_for_people(num_bytes, shown):
    assert show_bytes(num_bytes) == shown
