"""The ledger keeps every whole line, whatever a crash has cut off."""

import pytest

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger, LedgerLine
from harness.core.records import FailureReason, Outcome, Status


def line(trial, outcome, **rest):
    return LedgerLine(trial=trial, outcome=outcome, **rest)


def test_what_was_written_is_read_again(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(line("t0000-a", Outcome.QUEUED, values={"optim.lr": 1e-4}))
    ledger.append(line("t0000-a", Outcome.RUNNING))
    ledger.append(line("t0001-b", Outcome.QUEUED, values={"optim.lr": 2e-4}))
    again = Ledger(ledger.path)
    assert again.lines == ledger.lines
    assert again.trials == ["t0000-a", "t0001-b"]
    assert again.last("t0000-a").outcome is Outcome.RUNNING
    assert again.values("t0000-a") == {"optim.lr": 1e-4}
    assert again.last("t0002-c") is None


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


def test_a_foreign_line_is_told_with_its_number(tmp_path):
    path = tmp_path / "ledger.jsonl"
    Ledger(path).append(line("t0000-a", Outcome.QUEUED))
    with path.open("a") as stream:
        stream.write('{"trial": 3}\n')
    with pytest.raises(HarnessError, match=r"ledger\.jsonl:2: not a line of a ledger"):
        Ledger(path)


def test_a_state_is_noted_once(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED, message="lr 3")
    ledger.note("t0000-a", failed)
    ledger.note("t0000-a", failed)
    assert [each.message for each in ledger.lines] == ["lr 3"]
    ledger.note("t0000-a", failed.model_copy(update={"reason": FailureReason.CODE}))
    assert len(ledger.lines) == 2


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
