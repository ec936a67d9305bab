"""The ledger keeps every whole line, whatever a crash has cut off."""

import os
from datetime import UTC, datetime

import pytest

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger, LedgerLine, moment, seconds_between
from harness.core.records import FailureReason, Outcome, Status


def line(trial, outcome, **rest):
    return LedgerLine(trial=trial, outcome=outcome, **rest)


def test_what_was_written_is_read_again(tmp_path):
    ledger = Ledger(tmp_path / "not" / "there" / "ledger.jsonl")
    ledger.append(line("t0000-a", Outcome.QUEUED, values={"optim.lr": 1e-4}))
    ledger.append(line("t0000-a", Outcome.RUNNING))
    ledger.append(line("t0001-b", Outcome.QUEUED, values={"optim.lr": 2e-4}))
    again = Ledger(ledger.path)
    assert again.lines == ledger.lines
    assert again.trials == ["t0000-a", "t0001-b"]
    assert again.last("t0000-a").outcome is Outcome.RUNNING
    assert again.values("t0000-a") == {"optim.lr": 1e-4}
    assert again.last("t0002-c") is None
    assert again.values("t0002-c") is None


def test_what_is_appended_is_known_at_once_as_it_is_when_read_again(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for trial in ("t0001-b", "t0000-a"):
        ledger.append(line(trial, Outcome.QUEUED, values={"optim.lr": 1e-4}))
    ledger.append(line("t0001-b", Outcome.RUNNING, gpus=0.5))
    for one in (ledger, Ledger(ledger.path)):
        assert one.trials == ["t0000-a", "t0001-b"]
        assert {each.trial: each.outcome for each in one.last_lines} == {
            "t0000-a": Outcome.QUEUED,
            "t0001-b": Outcome.RUNNING,
        }
        assert one.last("t0001-b").gpus == 0.5
        assert one.last_lines[0].trial == "t0001-b"
        assert one.values("t0001-b") == {"optim.lr": 1e-4}


def test_a_line_takes_a_line_and_names_only_what_it_holds(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(line("t0000-a", Outcome.QUEUED, at="2026-01-01T00:00:00.000+00:00"))
    assert ledger.path.read_bytes() == (
        b'{"trial":"t0000-a","outcome":"queued","message":"","at":"2026-01-01T00:00:00.000+00:00"}\n'
    )


def test_a_line_is_on_the_disk_before_anything_follows(tmp_path, monkeypatch):
    """At the one call that waits for the disk, the file holds the whole line already."""
    synced = []
    path = tmp_path / "ledger.jsonl"
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(path.read_bytes()))
    Ledger(path).append(line("t0000-a", Outcome.QUEUED))
    assert synced == [path.read_bytes()]
    assert path.read_bytes().endswith(b"\n")


def test_a_line_knows_its_moment_and_tells_it_as_a_status(tmp_path):
    before = datetime.now(UTC)
    one = line("t0000-a", Outcome.FAILED, reason=FailureReason.CODE, message="no such file")
    assert -0.001 <= (datetime.fromisoformat(one.at) - before).total_seconds() < 60
    assert one.status == Status(
        outcome=Outcome.FAILED, reason=FailureReason.CODE, message="no such file", at=one.at
    )
    assert line("t0000-a", Outcome.QUEUED).message == ""
    assert len(moment()) == len("2026-01-01T00:00:00.000+00:00")


@pytest.mark.parametrize("num_bytes", [1, 10, 30])
def test_a_line_cut_off_is_dropped_and_written_over(tmp_path, num_bytes):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append(line("t0000-a", Outcome.QUEUED))
    ledger.append(line("t0001-b", Outcome.QUEUED))
    path.write_bytes(path.read_bytes()[:-num_bytes])
    again = Ledger(path)
    assert again.trials == ["t0000-a"]
    again.append(line("t0002-c", Outcome.QUEUED))
    assert Ledger(path).trials == ["t0000-a", "t0002-c"]


@pytest.mark.parametrize("num_whole", [0, 1, 2])
@pytest.mark.parametrize("num_bytes", [1, 4095, 4096, 4097, 20_000])
def test_a_long_line_cut_off_is_written_over_by_a_short_one(tmp_path, num_whole, num_bytes):
    """However far back the last whole line ends, and though the new line is the shorter one."""
    path = tmp_path / "ledger.jsonl"
    path.touch()
    ledger = Ledger(path)
    for number in range(num_whole):
        ledger.append(line(f"t{number:04}-a", Outcome.QUEUED, message=9000 * number * "x"))
    whole = path.read_bytes()
    path.write_bytes(whole + (b'{"trial": "' + num_bytes * b"y")[:num_bytes])
    again = Ledger(path)
    assert again.lines == ledger.lines
    again.append(line("t0009-c", Outcome.QUEUED))
    assert (
        path.read_bytes()
        == whole + again.lines[-1].model_dump_json(exclude_none=True).encode() + b"\n"
    )


def test_a_foreign_line_is_told_with_its_number(tmp_path):
    path = tmp_path / "ledger.jsonl"
    Ledger(path).append(line("t0000-a", Outcome.QUEUED))
    with path.open("a") as stream:
        stream.write('{"trial": 3}\n')
    with pytest.raises(HarnessError) as told:
        Ledger(path)
    assert str(told.value) == (
        f"{path}:2: not a line of a ledger (2 validation errors for LedgerLine): take the line "
        "out; the run directories hold the rest"
    )


def test_a_state_is_noted_once(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED, message="lr 3")
    ledger.note("t0000-a", failed)
    ledger.note("t0000-a", failed)
    assert [each.message for each in ledger.lines] == ["lr 3"]
    ledger.note("t0000-a", failed.model_copy(update={"reason": FailureReason.CODE}))
    assert len(ledger.lines) == 2
    ledger.note("t0000-a", Status(outcome=Outcome.RUNNING), num_epochs=3)
    ledger.note("t0001-b", Status(outcome=Outcome.RUNNING))
    assert [(each.trial, each.num_epochs) for each in ledger.lines[2:]] == [
        ("t0000-a", 3),
        ("t0001-b", None),
    ]
    assert ledger.lines[0].status == failed


def test_gpu_seconds_are_those_between_start_and_end(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    at = "2026-01-01T00:00:{:02}+00:00".format
    ledger.append(line("a", Outcome.RUNNING, gpus=0.5, at=at(0)))
    ledger.append(line("b", Outcome.RUNNING, gpus=1, at=at(5)))
    ledger.append(line("a", Outcome.PREEMPTED, at=at(10)))
    ledger.append(line("a", Outcome.RUNNING, gpus=0.5, at=at(20)))
    ledger.append(line("a", Outcome.COMPLETED, at=at(40)))
    assert ledger.gpu_seconds(until=at(41)) == pytest.approx(5 + 10 + 36)
    ledger.append(line("b", Outcome.FAILED, at=at(6)))
    assert ledger.gpu_seconds(until=at(50)) == pytest.approx(5 + 10 + 1)


def test_without_gpus_and_where_the_clock_went_back_nothing_is_used(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    at = "2026-01-01T00:00:{:02}+00:00".format
    ledger.append(line("a", Outcome.RUNNING, at=at(0)))
    ledger.append(line("a", Outcome.COMPLETED, at=at(40)))
    ledger.append(line("b", Outcome.RUNNING, gpus=1, at=at(30)))
    assert ledger.gpu_seconds(until=at(20)) == 0
    assert seconds_between(at(20), at(50)) == 30
    assert seconds_between(at(50), at(20)) == 0


def test_a_disk_that_fails_is_told_of_and_gets_each_line_once_it_is_back(
    tmp_path, monkeypatch, caplog
):
    ledger = Ledger(tmp_path / "ledger.jsonl")

    def fails(handle):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        ledger.append(line("t0000-a", Outcome.QUEUED))
    assert caplog.messages == [f"{ledger.path} is behind: Input/output error"]
    assert ledger.last("t0000-a").outcome is Outcome.QUEUED
    ledger.append(line("t0000-a", Outcome.RUNNING))
    ledger.append(line("t0000-a", Outcome.COMPLETED))
    assert len(caplog.messages) == 1
    assert Ledger(ledger.path).lines == ledger.lines


def test_a_full_disk_gets_the_lines_that_it_missed(tmp_path, make_disk, fill_disk):
    disk = make_disk(1)
    ledger = Ledger(disk / "ledger.jsonl")
    ledger.append(line("t0000-a", Outcome.QUEUED))
    fill_disk(disk)
    for number in range(40):
        ledger.append(line("t0000-a", Outcome.RUNNING, message=f"{number} " + 200 * "x"))
    assert len(Ledger(ledger.path).lines) < 41
    (disk / "filler").unlink(missing_ok=True)
    for path in disk.iterdir():
        if path != ledger.path:
            path.unlink()
    ledger.append(line("t0000-a", Outcome.COMPLETED))
    assert Ledger(ledger.path).lines == ledger.lines
    assert len(ledger.lines) == 42
