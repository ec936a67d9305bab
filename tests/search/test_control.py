"""What is asked of a search: done at once, or left to whoever drives it."""

import pytest

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.locks import held
from harness.search.control import Request, cancel, receive, retry, stop
from tests.search.begun_search import begin_search, states


@pytest.fixture
def folder(tmp_path):
    return begin_search(tmp_path / "toy")


def test_only_a_running_search_can_be_stopped(folder):
    with pytest.raises(HarnessError, match="'toy' is not running, so there is nothing to stop"):
        stop(folder)
    assert receive(folder) == []
    with held(folder / "lock"):
        stop(folder)
    assert receive(folder) == [Request(what="stop")]


def test_cancel_is_done_where_nobody_drives(folder):
    assert cancel(folder) == (["t0002-abcdef"], False)
    assert states(folder) == ["failed: code", "failed: diverged", "cancelled"]
    assert Ledger(folder / "ledger.jsonl").last("t0002-abcdef").outcome == "cancelled"
    assert cancel(folder) == ([], False)


def test_cancel_is_left_to_the_driver(folder):
    before = states(folder)
    with held(folder / "lock"):
        assert cancel(folder) == (["t0002-abcdef"], True)
    assert states(folder) == before
    assert receive(folder) == [Request(what="cancel")]


def test_retry_is_done_where_nobody_drives(folder):
    assert retry(folder) == (["t0000-abcdef"], False)
    assert states(folder) == ["queued", "failed: diverged", "preempted"]
    assert retry(folder) == ([], False)
    assert receive(folder) == []


def test_retry_is_left_to_the_driver_unless_there_is_none_to_retry(folder):
    with held(folder / "lock"):
        assert retry(folder, ("t0001", "t0000")) == (["t0001-abcdef", "t0000-abcdef"], True)
    request = Request(what="retry", trials=("t0001-abcdef", "t0000-abcdef"))
    assert receive(folder) == [request]
    assert states(folder)[:2] == ["failed: code", "failed: diverged"]
    retry(folder)
    with held(folder / "lock"):
        assert retry(folder) == ([], False)
    assert receive(folder) == []


def test_cancelled_trials_are_retried_where_they_are_asked_for(folder):
    cancel(folder)
    assert retry(folder, with_cancelled=True).trials == ["t0000-abcdef", "t0002-abcdef"]
