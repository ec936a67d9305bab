"""What becomes of a run whose worker raised, died, or was told to stop; no Ray needed."""

from contextlib import contextmanager
from errno import ENOSPC

import pytest

from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.core.records import EarlyReport, EpochReport, FailureReason, Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.execution.run_book import MAX_LOSSES, RunBook, RunList, order_of
from harness.execution.worker import was_closed

DIED = "ActorDiedError: The actor died unexpectedly before finishing this task."
NODE = "ActorDiedError: The actor died because its node has died. Node Id: 12"
MEMORY = "OutOfMemoryError: Task was killed due to the node running low on memory."
RUNNING = Status(outcome=Outcome.RUNNING)


class Source(RunList):
    """One run, and what the source hears of it."""

    def __init__(self, run):
        super().__init__([run])
        self.heard, self.ending = [], None

    def end_now(self, run):
        return self.ending

    def on_start(self, run):
        self.heard.append("start")

    def on_fault(self, run, message):
        self.heard.append("fault")

    def on_end(self, run, status):
        self.heard.append(str(status))


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / "t0000-abc")
    return Run(group="toy", name="t0000-abc", kind="trial", recipe=Recipe(), directory=directory)


@pytest.fixture
def book(run, tmp_path):
    machine = Machine(store=tmp_path)
    return RunBook(Source(run), machine=machine, listeners=[], storage=None)


def begin(book, trial_id):
    """The order that a trial gets, once its worker has set to work."""
    order = book.take(trial_id)
    if order is not None:
        book.start(trial_id)
        book.open_runs[trial_id].directory.set_status(RUNNING)
    return order


@pytest.fixture
def fill(monkeypatch):
    """A function: in its context no status can be written."""

    def refuse(directory, status):
        raise OSError(ENOSPC, "No space left on device")

    @contextmanager
    def full():
        with monkeypatch.context() as patch:
            patch.setattr(RunDirectory, "set_status", refuse)
            yield

    return full


def fail(run, reason):
    run.directory.set_status(Status(outcome=Outcome.FAILED, reason=reason, message="why"))


def test_a_worker_that_was_stopped_leaves_a_pruned_run(book, run):
    begin(book, "a")
    book.end("a")
    assert run.directory.status.outcome is Outcome.PRUNED
    assert book.source.heard == ["start", "pruned"]


def test_a_fault_of_the_code_is_tried_once_more_and_then_named(book, run):
    for trial_id in "ab":
        assert begin(book, trial_id)["name"] == run.name
        fail(run, FailureReason.CODE)
        book.end(trial_id, fault="RayTaskError: ZeroDivisionError")
    assert begin(book, "c") is None
    assert book.source.heard == ["start", "fault", "start", "failed: code"]


@pytest.mark.parametrize("reason", [FailureReason.DIVERGED, FailureReason.DATA, FailureReason.DISK])
def test_what_would_fail_again_is_not_tried_again(book, run, reason):
    begin(book, "a")
    fail(run, reason)
    book.end("a")
    assert begin(book, "b") is None
    assert book.source.heard == ["start", f"failed: {reason}"]


def test_lost_workers_do_not_use_up_the_retry_of_a_fault(book, run):
    for trial_id in "ab":
        begin(book, trial_id)
        book.end(trial_id, fault=DIED)
    begin(book, "c")
    fail(run, FailureReason.CODE)
    book.end("c", fault="RayTaskError")
    assert begin(book, "d") is not None


def test_a_run_that_kills_every_worker_is_given_up(book, run):
    for number in range(MAX_LOSSES):
        begin(book, str(number))
        book.end(str(number), fault=DIED)
    assert begin(book, "x") is None
    status = run.directory.status
    assert (status.outcome, status.reason) == (Outcome.FAILED, FailureReason.CODE)
    assert "its worker process died, 3 times after epoch 0" in status.message


def test_a_run_that_gets_on_between_losses_is_not_given_up(book, run):
    for number in range(3 * MAX_LOSSES):
        assert begin(book, str(number)) is not None
        run.directory.append_epoch(EpochReport(epoch=number + 1, metrics={}))
        book.end(str(number), fault=DIED)


def test_lost_nodes_are_never_counted(book, run):
    for number in range(3 * MAX_LOSSES):
        assert begin(book, str(number)) is not None
        book.end(str(number), fault=NODE)


def test_a_worker_ended_for_memory_goes_on_at_a_lower_need(book, run):
    begin(book, "a")
    book.end("a", fault=MEMORY)
    assert run.directory.memory.level == 1
    for trial_id in "bc":
        begin(book, trial_id)
        book.end(trial_id, fault=MEMORY)
    assert run.directory.status.reason is FailureReason.HOST_MEMORY


def test_an_order_that_ray_has_dropped_goes_to_another_trial(book, run):
    book.take("a")
    book.put_back("a")
    assert book.take("b")["name"] == run.name


def test_a_cancelled_run_is_ended_and_does_not_come_back(book, run):
    begin(book, "a")
    book.source.ending = Status(outcome=Outcome.CANCELLED)
    assert book.to_end_now() == ["a"]
    assert book.to_end_now() == []
    book.end("a")
    assert run.directory.status.outcome is Outcome.CANCELLED


def test_a_run_that_comes_back_to_a_cancelled_search_is_cancelled(book, run):
    begin(book, "a")
    book.end("a", fault=DIED)
    book.source.ending = Status(outcome=Outcome.CANCELLED)
    assert book.take("b") is None
    assert run.directory.status.outcome is Outcome.CANCELLED


def test_a_report_within_an_epoch_is_for_the_source_alone(book, run, monkeypatch):
    asked, heard = [], []
    monkeypatch.setattr(book.source, "goes_on", lambda run, report: asked.append(report))
    monkeypatch.setattr(book.source, "on_epoch", lambda run, report: heard.append(report))
    begin(book, "a")
    assert not book.note("a", {"early": 0.25, "score": 0.6})
    assert asked == [EarlyReport(epoch=0.25, score=0.6)]
    assert heard == run.directory.epochs == []


def test_what_is_open_at_the_end_of_the_driver_is_preempted(book, run):
    begin(book, "a")
    book.close()
    assert run.directory.status.outcome is Outcome.PREEMPTED


def test_an_order_never_begun_stays_queued(book, run):
    book.take("a")
    book.source.ending = Status(outcome=Outcome.PREEMPTED)
    assert book.to_end_now() == ["a"]
    book.end("a")
    assert run.directory.status.outcome is Outcome.QUEUED
    assert book.source.heard == []


def test_a_run_begun_by_a_worker_before_ray_told_of_it_is_preempted_too(book, run):
    book.take("a")
    run.directory.set_status(RUNNING)
    book.close()
    assert run.directory.status.outcome is Outcome.PREEMPTED


def test_an_order_that_no_worker_has_begun_is_put_aside_and_not_begun_any_more(book, run):
    """Else the worker, which gets ready for seconds, would begin what nobody sees the end of."""
    run.directory.set_status(Status(outcome=Outcome.PREEMPTED, message="interrupted"))
    order = book.take("a")
    assert not was_closed(order, run.directory.path)
    book.close()
    assert run.directory.status.outcome is Outcome.PREEMPTED
    assert was_closed(order, run.directory.path)
    assert book.source.heard == []
    assert not was_closed(order_of(run, book.machine, None), run.directory.path)  # the next call's


def test_an_order_that_is_cancelled_before_a_worker_has_begun_it_is_not_begun(book, run):
    order = book.take("a")
    book.start("a")
    book.source.ending = Status(outcome=Outcome.CANCELLED, message="harness cancel")
    assert book.to_end_now() == ["a"]
    book.end("a")
    assert run.directory.status == book.source.ending
    assert was_closed(order, run.directory.path)
    run.directory.set_status(Status(outcome=Outcome.QUEUED, message="retry"))
    assert not was_closed(order_of(run, book.machine, None), run.directory.path)


def test_an_end_that_a_full_disk_had_no_room_for_is_written_at_the_end(book, run, fill):
    begin(book, "a")
    with fill():
        book.end("a")
    assert book.source.heard == ["start", "pruned"]
    assert run.directory.status.outcome is Outcome.RUNNING
    book.close()
    assert run.directory.status.outcome is Outcome.PRUNED


def test_a_run_that_was_made_again_keeps_its_last_end(book, run, fill):
    begin(book, "a")
    with fill():
        book.end("a")
    book.again.append(run)  # as a retry does
    begin(book, "b")
    run.directory.set_status(Status(outcome=Outcome.COMPLETED))
    book.end("b")
    book.close()
    assert run.directory.status.outcome is Outcome.COMPLETED
