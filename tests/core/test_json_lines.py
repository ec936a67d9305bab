import os
from pathlib import Path

import pytest

from harness.core import json_lines
from harness.core.errors import DiskFullError
from harness.core.json_lines import append_json_lines, read_json_lines


def test_a_line_that_a_crash_cut_off_is_left_out_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert read_json_lines(path) == []
    append_json_lines(path, [{"epoch": 1}, {"epoch": 2}])
    with path.open("a") as lines:
        lines.write('{"epo')
    assert read_json_lines(path) == [{"epoch": 1}, {"epoch": 2}]
    append_json_lines(path, [3], is_synced=True)
    assert path.read_text() == '{"epoch":1}\n{"epoch":2}\n3\n'
    path.write_text('{"epo')
    assert read_json_lines(path) == []
    append_json_lines(path, ["a"])
    assert path.read_text() == '"a"\n'


@pytest.mark.parametrize("num_cut", range(1, 9))
def test_a_torn_line_longer_than_what_is_read_at_once(
    num_cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "PIECE_BYTES", 4)
    path = tmp_path / "x.jsonl"
    path.write_text("10\n" + "1" * num_cut)
    append_json_lines(path, [7])
    assert read_json_lines(path) == [10, 7]


def test_what_is_not_finite_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    append_json_lines(path, [1])
    with pytest.raises(ValueError, match="JSON"):
        append_json_lines(path, [2, float("inf")])
    assert read_json_lines(path) == [1]


def test_a_full_disk_is_named(make_disk, fill_disk) -> None:
    disk = make_disk(1)
    append_json_lines(disk / "lines.jsonl", [1])
    fill_disk(disk)
    with pytest.raises(DiskFullError, match=r"lines\.jsonl"):
        append_json_lines(disk / "lines.jsonl", [2, "a" * 10_000])
    assert (disk / "lines.jsonl").read_text() == "1\n"


def test_a_disk_that_fails_has_none_of_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    path = tmp_path / "x.jsonl"
    append_json_lines(path, [1])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            append_json_lines(path, [2, 3], is_synced=True)
    assert read_json_lines(path) == [1]
