import logging
import threading
import time
from collections.abc import Callable

import pytest

from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.tracking import writer as writer_module
from harness.tracking.writer import News, Writer

MakeRun = Callable[..., Run]
RUNNING = Status(outcome=Outcome.RUNNING)
COMPLETED = Status(outcome=Outcome.COMPLETED)


class Notebook:
    """Takes news down; the runs in `broken` make it fail, after `delay_s`."""

    def __init__(self) -> None:
        self.taken: list[News] = []
        self.tried: list[str] = []
        self.broken: set[str] = set()
        self.delay_s = 0.0

    def write(self, news: News) -> None:
        self.tried.append(news.run.name)
        if news.run.name in self.broken:
            time.sleep(self.delay_s)
            raise OSError(5, "Input/output error")
        self.taken.append(news)


def report(epoch: int) -> EpochReport:
    return EpochReport(epoch=epoch, metrics={"train/loss": 1.0})


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def writer(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Its thread comes only after the test."""
    monkeypatch.setattr(writer_module, "INTERVAL_S", 60.0)
    return Writer(notebook.write, shown="here")


def test_a_short_run_is_one_write_and_nobody_waits_for_it(
    writer: Writer, notebook: Notebook, make_run: MakeRun
) -> None:
    run = make_run()
    writer.tell(News(run, RUNNING))
    for epoch in (1, 2, 3):
        writer.tell(News(run, RUNNING, (report(epoch),)))
    writer.tell(News(run, COMPLETED))
    assert notebook.taken == []
    assert writer.waiting == [run]
    assert writer.flush()
    [news] = notebook.taken
    assert news.status == COMPLETED
    assert [one.epoch for one in news.reports] == [1, 2, 3]
    assert writer.waiting == []


def test_the_thread_writes_by_itself_and_ends_when_there_is_no_more(
    notebook: Notebook, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "INTERVAL_S", 0.02)
    writer, before = Writer(notebook.write, shown="here"), set(threading.enumerate())
    for name in ("a", "b"):
        writer.tell(News(make_run(name), COMPLETED))
        end_s = time.monotonic() + 10
        while set(threading.enumerate()) - before:  # other tests' threads may end meanwhile
            assert time.monotonic() < end_s
            time.sleep(0.01)
    assert [news.run.name for news in notebook.taken] == ["a", "b"]


def test_a_bad_run_holds_up_no_other_and_is_told_once(
    writer: Writer, notebook: Notebook, make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    notebook.broken = {"bad"}
    for name in ("bad", "a", "b"):
        writer.tell(News(make_run(name), RUNNING, (report(1),)))
    for _ in range(3):
        assert not writer.flush()
    assert [news.run.name for news in notebook.taken] == ["a", "b"]
    assert caplog.messages == ["MLflow at here: Input/output error; the runs go on"]
    writer.tell(News(make_run("bad"), COMPLETED, (report(2),)))
    notebook.broken = set()
    assert writer.flush()
    assert [one.epoch for one in notebook.taken[-1].reports] == [1, 2]
    assert notebook.taken[-1].status == COMPLETED


def test_a_later_outage_is_told_anew(
    writer: Writer, notebook: Notebook, make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        notebook.broken = {"a"}
        writer.tell(News(make_run("a"), RUNNING))
        writer.flush()
        notebook.broken = set()
        assert writer.flush()
    assert len(caplog.messages) == 2


def test_after_a_slow_failure_nothing_else_is_tried(
    writer: Writer, notebook: Notebook, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "SLOW_S", 0.05)
    notebook.broken, notebook.delay_s = {"a", "b"}, 0.1
    for name in ("a", "b", "c"):
        writer.tell(News(make_run(name), RUNNING))
    writer.flush()
    assert notebook.tried == ["a"]
    assert [run.name for run in writer.waiting] == ["b", "c", "a"]


def test_a_store_that_fails_is_left_alone_for_longer_and_longer(
    notebook: Notebook,
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses: list[float] = []

    def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 3:
            notebook.broken = set()

    monkeypatch.setattr(notebook, "write", failing_after(notebook, 0.15))
    monkeypatch.setattr(writer_module.time, "sleep", sleep)
    notebook.broken = {"a"}
    with caplog.at_level(logging.WARNING):
        writer = Writer(notebook.write, shown="here")
        writer.tell(News(make_run("a"), RUNNING))
        thread = writer._thread
        assert thread is not None
        thread.join(timeout=10)
    assert pauses[0] == writer_module.INTERVAL_S
    assert all(1.5 <= pause_s <= writer_module.LONGEST_PAUSE_S for pause_s in pauses[1:])
    assert len(pauses) == 3
    assert len(caplog.messages) == 1


def failing_after(notebook: Notebook, seconds: float) -> Callable[[News], None]:
    """As its `write`, but each failure takes a while by the clock."""

    def write(news: News) -> None:
        if news.run.name in notebook.broken:
            threading.Event().wait(seconds)
            raise OSError(5, "Input/output error")
        notebook.taken.append(news)

    return write
