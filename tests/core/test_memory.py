from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.core.memory import MemoryLevel, MemoryShortage
from harness.core.records import FailureReason
from harness.core.run_dir import RunDirectory


def test_a_level_rises_by_one_and_remembers_why() -> None:
    first = MemoryLevel().after(MemoryShortage(why="killed"))
    second = first.after(MemoryShortage(why="2 GB asked", reason=FailureReason.OUT_OF_MEMORY))
    assert (int(MemoryLevel()), int(first), int(second)) == (0, 1, 2)
    assert [shortage.why for shortage in second.shortages] == ["killed", "2 GB asked"]
    assert second.shortages[0].reason is FailureReason.HOST_MEMORY


def test_one_back_forgets_nothing() -> None:
    second = MemoryLevel().after(MemoryShortage(why="a")).after(MemoryShortage(why="b"))
    assert int(second.one_back()) == 1
    assert second.one_back().shortages == second.shortages


def test_a_level_is_never_negative() -> None:
    with pytest.raises(ValidationError):
        MemoryLevel(level=-1)


def test_a_driver_lowers_the_memory_of_a_run_that_it_did_not_train(tmp_path: Path, caplog) -> None:
    run = RunDirectory(tmp_path / "t0001-abcdef")
    assert run.memory == MemoryLevel()
    assert int(run.lower_memory("its worker was killed")) == 1
    assert int(run.lower_memory("again", FailureReason.OUT_OF_MEMORY)) == 2
    read = RunDirectory(run.path).memory
    assert int(read) == 2
    assert read.shortages[1].reason is FailureReason.OUT_OF_MEMORY
    assert "t0001-abcdef: did not fit at memory level 1: again" in caplog.text
