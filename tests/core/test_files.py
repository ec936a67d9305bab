import hashlib
import os
from pathlib import Path

import pytest

from harness.core import files
from harness.core.errors import DiskFullError
from harness.core.files import (
    check_space,
    disk_full,
    free_bytes,
    overwrite_text,
    read_json,
    sha256_of_file,
    sha256_of_json,
    write_atomic,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_text(path, "old")

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_partial_file_keeps_the_suffix_and_the_folder(tmp_path: Path) -> None:
    seen: list[Path] = []

    def write(partial: Path) -> None:
        seen.append(partial)
        partial.write_text("new")

    path = tmp_path / "deep" / "er" / "x.npz"
    write_atomic(path, write)
    assert path.read_text() == "new"
    assert seen[0].suffix == ".npz"
    assert seen[0].parent == path.parent
    assert list(path.parent.iterdir()) == [path]


def test_json_round_trip_and_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    value = {"b": [1, 2.5, None, True], "a": "ü"}
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_text().endswith("\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"loss": float("nan")})
    assert read_json(path) == value


def test_the_hash_of_json_knows_no_order_of_keys() -> None:
    expected = hashlib.sha256(b'{"a":[1,2.0],"b":null}').hexdigest()
    assert sha256_of_json({"b": None, "a": [1, 2.0]}) == expected
    assert sha256_of_json({"a": [2.0, 1], "b": None}) != expected
    with pytest.raises(ValueError, match="JSON"):
        sha256_of_json(float("nan"))


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert sha256_of_file(path) == hashlib.sha256(b"abc").hexdigest()


def test_the_hash_of_a_file_that_is_written_to_changes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    sha256_of_file(path)
    write_text(path, "abd")
    assert sha256_of_file(path) == hashlib.sha256(b"abd").hexdigest()


# A disk of one megabyte --------------------------------------------------------------------------


@pytest.fixture
def small_disk(make_disk) -> Path:
    return make_disk(1)


def test_a_write_to_a_full_disk_says_where_and_what_to_do(small_disk: Path, fill_disk) -> None:
    path = small_disk / "x.json"
    write_text(path, "old")
    fill_disk(small_disk)
    assert free_bytes(small_disk) == 0
    with pytest.raises(DiskFullError, match=r"x\.json: could not be .*\(0\.0 MB left\).*gc"):
        write_text(path, "new" * 10_000)
    assert path.read_text() == "old"
    assert {item.name for item in small_disk.iterdir()} == {"x.json", "filler"}
    with pytest.raises(DiskFullError, match=r"new/x\.json"):
        write_text(small_disk / "new" / "x.json", "a")


def test_a_small_file_can_be_written_over_on_a_full_disk(small_disk: Path, fill_disk) -> None:
    path = small_disk / "status.json"
    write_json(path, {"outcome": "running", "message": "so far so good"})
    fill_disk(small_disk)
    overwrite_text(path, '{"outcome": "failed"}')
    assert read_json(path) == {"outcome": "failed"}
    overwrite_text(path, '{"outcome": "failed", "message": "' + "long " * 100 + '"}')
    assert read_json(path)["message"].startswith("long")


def test_space_is_checked_with_a_margin_before_it_is_used(small_disk: Path) -> None:
    deep = small_disk / "not" / "there" / "yet"
    assert free_bytes(deep) == free_bytes(small_disk) == 1 << 20
    with pytest.raises(DiskFullError) as caught:
        check_space(deep / "last.ckpt", 2_500_000)
    assert str(caught.value).startswith(
        f"{deep}/last.ckpt: 2.5 MB are to be written and 8.0 MB to stay free, "
        "but the disk has only 1.0 MB left; make room there with `harness gc`"
    )


def test_space_for_a_file_is_its_size_and_the_margin(tmp_path: Path) -> None:
    statistics = os.statvfs(tmp_path)
    free = statistics.f_bavail * statistics.f_frsize
    check_space(tmp_path / "x", free // 2)
    with pytest.raises(DiskFullError, match="to stay free"):
        check_space(tmp_path / "x", int(free * 0.99))


def test_a_disk_that_does_not_tell_its_space_is_told_as_full_all_the_same(monkeypatch) -> None:
    def fails(path):
        raise OSError("Input/output error")

    monkeypatch.setattr(files, "free_bytes", fails)
    told = str(disk_full(Path("/runs/last.ckpt")))
    assert told.startswith(
        "/runs/last.ckpt: could not be written, the disk or the quota is full (un"
    )
