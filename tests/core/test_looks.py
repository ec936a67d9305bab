"""The audit of the looks at a test part: complete, without doubles, in spite of crashes."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.core.errors import HarnessError
from harness.core.looks import (
    LOOKS_FILE,
    Look,
    collect_looks,
    count_looks,
    read_looks,
    record_looks,
)
from harness.core.provenance import git_state
from harness.execution.storage import Storage


def look(run: str = "dannynet-s0", **changes) -> Look:
    told = {"run_id": "a1", "thresholds_sha256": "b2", "split_sha256": "c3"}
    return Look.of_this_code(run, **told | changes)


def test_a_look_says_who_looked_at_what_by_which_code(tmp_path):
    record_looks(tmp_path, [look()])
    (line,) = [json.loads(line) for line in (tmp_path / LOOKS_FILE).read_text().splitlines()]
    commit, is_dirty = git_state()
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "run": "dannynet-s0", "run_id": "a1", "git_commit": commit, "git_dirty": is_dirty,
        "thresholds_sha256": "b2", "split_sha256": "c3",
    }  # fmt: skip
    assert [found.id for found in read_looks(tmp_path)] == [look().id]


def test_a_look_made_again_is_the_same_look(tmp_path):
    first = look()
    later = first.model_copy(update={"at": "2030-01-01T00:00:00+00:00"})
    record_looks(tmp_path, [first, first])
    record_looks(tmp_path, [later])
    assert read_looks(tmp_path) == (first,)


@pytest.mark.parametrize(
    "changes", [{"run": "x"}, {"run_id": "x"}, {"thresholds_sha256": "x"}, {"split_sha256": "x"}]
)
def test_a_look_that_differs_in_anything_is_another(tmp_path, changes):
    record_looks(tmp_path, [look(), look(**changes)])
    assert len(read_looks(tmp_path)) == 2


def test_looks_are_counted_by_test_part(tmp_path):
    assert count_looks(tmp_path, "c3") == 0
    record_looks(tmp_path, [look("a"), look("b"), look("a", split_sha256="d4")])
    assert count_looks(tmp_path, "c3") == 2
    assert count_looks(tmp_path, "d4") == 1


def test_the_looks_of_runs_are_collected_once_and_what_stands_is_never_changed(tmp_path):
    results, runs = tmp_path / "results", [tmp_path / name for name in ("a", "b", "no_look_yet")]
    for run in runs[:2]:
        record_looks(run, [look(run.name)])
    collect_looks(results, runs)
    before = (results / LOOKS_FILE).read_bytes()
    record_looks(runs[1], [look("b", thresholds_sha256="new")])
    collect_looks(results, runs)
    after = (results / LOOKS_FILE).read_bytes()
    assert after.startswith(before)
    assert [found.run for found in read_looks(results)] == ["a", "b", "b"]


def test_a_line_cut_off_by_a_crash_does_not_spoil_the_next(tmp_path):
    record_looks(tmp_path, [look("a")])
    path = tmp_path / LOOKS_FILE
    path.write_bytes(path.read_bytes() + b'{"run": "b", "run_')
    assert [found.run for found in read_looks(tmp_path)] == ["a"]
    record_looks(tmp_path, [look("c")])
    assert [found.run for found in read_looks(tmp_path)] == ["a", "c"]


@pytest.mark.parametrize("line", ["[1, 2]", "{}", "not json", '{"run": 3}'])
def test_a_file_changed_by_hand_is_named_and_nothing_is_appended(tmp_path, line):
    path = tmp_path / LOOKS_FILE
    path.write_text(line + "\n")
    with pytest.raises(HarnessError, match=rf"{LOOKS_FILE}: damaged or changed by hand"):
        record_looks(tmp_path, [look()])
    assert path.read_text() == line + "\n"


def test_looks_recorded_at_once_are_all_there(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record_looks(tmp_path, [look(f"r{n % 20}")]), range(40)))
    assert sorted(found.run for found in read_looks(tmp_path)) == sorted(f"r{n}" for n in range(20))


def test_a_look_travels_with_its_run(tmp_path):
    """Also where the driver fetches small files only."""
    storage = Storage.open(str(tmp_path / "storage"))
    record_looks(tmp_path / "node" / "run", [look("run")])
    storage.push(tmp_path / "node" / "run", "bench/run")
    storage.pull(tmp_path / "driver" / "run", "bench/run", heavy=False)
    assert read_looks(tmp_path / "driver" / "run") == read_looks(tmp_path / "node" / "run")
