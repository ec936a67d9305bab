"""Searches looked at and steered from a notebook: it needs no Ray."""

import pytest

import harness
from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.search.control import Request, receive
from tests.search.begun_search import begin_search, states
from tests.search.made_search import make_search

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def folder(tmp_path):
    return begin_search(tmp_path / "results" / "searches" / "toy")


def test_a_standing_tells_what_the_command_prints(folder):
    found = harness.status("toy")
    assert found.counts == {"failed": 2, "preempted": 1}
    assert (found.num_new, found.driver, found.best, found.folder) == (2, "", None, folder)
    lines = repr(found).splitlines()
    assert lines[:2] == [
        "search toy: not running", "5 trials: 2 failed, 1 preempted, 2 not begun",
    ]  # fmt: skip
    assert "t0000-abcdef failed: code: KeyError: 'x'" in lines
    assert not any(line.startswith("next: ") for line in lines), "no commands in a notebook"
    with held(folder / "lock"):
        assert harness.status("toy").driver.startswith("process ")


def test_what_runs_is_shown_as_text_in_a_notebook_too(folder, monkeypatch):
    RunDirectory(folder / "t0002-abcdef").set_status(Status(outcome=Outcome.RUNNING))
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    lines = repr(harness.status("toy")).splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["running", "t0002-abcdef"]
    assert "\x1b" not in "".join(lines)


def test_running_and_failed_trials_are_rows(folder):
    failed = harness.status("toy").frame().set_index("trial")
    assert failed.index.tolist() == ["t0000-abcdef", "t0001-abcdef"]
    assert failed["outcome"].tolist() == ["failed: code", "failed: diverged"]
    assert failed.loc["t0000-abcdef", "message"] == "KeyError: 'x'"
    assert (
        failed.loc["t0000-abcdef", "epochs"] == harness.status("toy").plan.space.base.train.epochs
    )


def test_of_a_sound_search_there_is_no_row_and_the_best_is_known(tmp_path):
    make_search(tmp_path / "results" / "searches" / "sound", num_trials=2)
    found = harness.status("sound")
    assert len(found.frame()) == 0
    assert "message" in found.frame().columns
    assert found.best.score == harness.open_search("sound").best.score


def test_a_board_stands_for_its_search(folder, tmp_path, monkeypatch):
    board = harness.open_search("toy")
    monkeypatch.chdir("/")
    assert harness.status(board).folder == folder
    assert harness.cancel(board) == ["t0002-abcdef"]
    make_search(tmp_path / "results" / "searches" / "other", num_trials=1)
    both = harness.open_search("other", "toy", results=tmp_path / "results")
    with pytest.raises(HarnessError, match="several searches: name one of other, toy"):
        harness.status(both)
    assert harness.status(both["toy"]).num_new == 2


def test_a_running_search_is_asked(folder):
    with held(folder / "lock"):
        harness.stop("toy")
        assert harness.cancel("toy") == ["t0002-abcdef"]
        assert harness.retry("toy", "t0001") == ["t0001-abcdef"]
    asked = [Request(what="stop"), Request(what="cancel")]
    assert receive(folder) == [*asked, Request(what="retry", trials=("t0001-abcdef",))]


def test_an_idle_search_is_changed_at_once(folder):
    with pytest.raises(HarnessError, match="not running"):
        harness.stop("toy")
    assert harness.cancel("toy") == ["t0002-abcdef"]
    assert harness.retry("toy", cancelled=True) == ["t0000-abcdef", "t0002-abcdef"]
    assert states(folder) == ["queued", "failed: diverged", "queued"]
    assert harness.retry("toy") == []
    with pytest.raises(HarnessError, match="no trial 't0009'"):
        harness.retry("toy", "t0009")


@pytest.mark.parametrize("name", ["status", "stop", "cancel", "retry"])
def test_a_name_that_is_none_is_told_with_the_nearest(folder, name):
    with pytest.raises(HarnessError, match=r"no search 'toyy' .* mean 'toy'"):
        getattr(harness, name)("toyy")
