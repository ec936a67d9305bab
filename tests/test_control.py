"""`harness status | stop | cancel | retry`: what another terminal sees and asks of a search."""

import pytest

from harness.core.locks import held
from harness.search.control import Request, receive
from tests.search.begun_search import begin_search, states

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def folder(tmp_path):
    return begin_search(tmp_path / "results" / "searches" / "toy")


def test_status_tells_all_and_what_to_do_next(harness, folder):
    code, out, err = harness("status", "toy")
    assert (code, err) == (0, "")
    assert "search toy: not running" in out
    assert "5 trials: 2 failed, 1 preempted, 2 not begun" in out
    assert "t0000-abcdef failed: code: KeyError: 'x'" in out
    assert "next: harness retry toy" in out


def test_status_names_who_drives(harness, folder):
    with held(folder / "lock"):
        assert "search toy: driven by process" in harness("status", "toy")[1]


def test_a_name_that_is_none_is_told_with_the_nearest(harness, folder):
    for command in ("status", "stop", "cancel", "retry"):
        code, out, err = harness(command, "toyy")
        assert (code, out) == (2, "")
        assert "no search 'toyy'" in err
        assert "did you mean 'toy'?" in err


def test_stop_of_what_does_not_run_is_a_mistake(harness, folder):
    code, _, err = harness("stop", "toy")
    assert code == 2
    assert "not running" in err


@pytest.mark.parametrize("word", ["stop", "cancel"])
def test_who_drives_a_search_gets_the_request(harness, folder, word):
    with held(folder / "lock"):
        assert harness(word, "toy")[0] == 0
    assert receive(folder) == [Request(what=word)]


def test_cancel_of_an_idle_search_ends_what_was_cut_short(harness, folder):
    code, out, _ = harness("cancel", "toy")
    assert (code, "cancelled 1 unfinished" in out) == (0, True)
    assert states(folder)[2] == "cancelled"


def test_retry_reopens_what_another_try_could_mend(harness, folder):
    code, out, _ = harness("retry", "toy")
    assert code == 0
    assert "t0000-abcdef" in out
    assert "t0001" not in out
    assert states(folder)[:2] == ["queued", "failed: diverged"]


def test_retry_takes_names_and_refuses_what_has_not_failed(harness, folder):
    assert harness("retry", "toy", "t0001")[0] == 0
    assert states(folder)[1] == "queued"
    code, _, err = harness("retry", "toy", "t0002")
    assert code == 2
    assert "t0002-abcdef is preempted" in err
    code, _, err = harness("retry", "toy", "t0009")
    assert code == 2
    assert "no trial 't0009'" in err
