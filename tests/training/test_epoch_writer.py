"""One piece of work at a time, nothing lost, and whose error counts."""

import threading

import pytest

from harness.training.epoch_writer import EpochWriter


class StopError(Exception):
    pass


def stop() -> None:
    raise StopError


def loop(*works, error=None) -> None:
    """A training loop that starts some work and may then fail itself."""
    with EpochWriter() as writer:
        for work in works:
            writer.start(work)
        if error is not None:
            raise error


def test_the_caller_goes_on_while_the_work_is_done():
    may_end, done = threading.Event(), []

    def work() -> None:
        may_end.wait(20)
        done.append(threading.current_thread())

    with EpochWriter() as writer:
        writer.start(work)
        writer.check()
        assert done == []
        may_end.set()
    assert done
    assert done[0] is not threading.current_thread()


def test_there_are_never_two_at_once():
    at_work, most, order = [], [], []

    def work(number: int) -> None:
        at_work.append(number)
        most.append(len(at_work))
        order.append(number)
        at_work.remove(number)

    with EpochWriter() as writer:
        for number in range(50):
            writer.start(lambda number=number: work(number))
    assert max(most) == 1
    assert order == list(range(50))


@pytest.mark.parametrize("error", [StopError(), SystemExit(0), MemoryError("no room")])
def test_what_the_work_raises_is_raised_at_the_next_look(error):
    def fail() -> None:
        raise error

    writer = EpochWriter()
    writer.start(fail)
    writer._thread.join()
    with pytest.raises(type(error)) as raised:
        writer.check()
    assert raised.value is error
    writer.check()  # told once


def test_what_the_last_work_raises_is_raised_at_the_end():
    with pytest.raises(StopError):
        loop(stop)


def test_no_work_begins_after_work_that_failed():
    begun = []
    with pytest.raises(StopError):
        loop(stop, lambda: begun.append(1))
    assert begun == []


def test_an_earlier_epochs_error_counts_more_than_that_of_the_loop():
    """A driver has stopped the run after epoch 1, and epoch 2 diverges before that is heard."""
    with pytest.raises(StopError):
        loop(stop, error=ValueError("diverged"))


def test_an_interrupt_is_not_replaced():
    with pytest.raises(KeyboardInterrupt):
        loop(stop, error=KeyboardInterrupt())


def test_the_loops_error_waits_for_the_work():
    done = []
    with pytest.raises(ValueError, match="diverged"):
        loop(lambda: done.append(1), error=ValueError("diverged"))
    assert done == [1]


def test_without_a_background_the_work_is_done_at_once():
    with EpochWriter(in_background=False) as writer:
        with pytest.raises(StopError):
            writer.start(stop)
        done = []
        writer.start(lambda: done.append(threading.current_thread()))
        assert done == [threading.current_thread()]
