import hashlib
from pathlib import Path

import pytest

from harness.core.files import (
    append_json_line,
    read_json,
    read_json_lines,
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


def test_json_lines_leave_out_a_line_that_a_crash_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert read_json_lines(path) == []
    append_json_line(path, {"epoch": 1})
    append_json_line(path, {"epoch": 2})
    with path.open("a") as lines:
        lines.write('{"epo')
    assert read_json_lines(path) == [{"epoch": 1}, {"epoch": 2}]
    path.write_text('{"epo')
    assert read_json_lines(path) == []


def test_json_lines_refuse_what_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    append_json_line(path, 1)
    with pytest.raises(ValueError, match="JSON"):
        append_json_line(path, float("inf"))
    assert read_json_lines(path) == [1]


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
