"""How mistakes are told in Python, and which folders are meant."""

from pathlib import Path

import pytest

from harness.api import calls
from harness.api.calls import called, in_keywords, named_words, place_at, results_folder
from harness.core.errors import HarnessError
from harness.execution import ray_session


def command(*, warm_start: str = "", boxes: bool | None = None, data: str, name: str, fix=False):
    """What has these keywords."""


@pytest.mark.parametrize(
    ("told", "in_python"),
    [
        ("--warm-start old: none of its trials", "warm_start old: none of its trials"),
        ("say where it lies: --data STORE", "say where it lies: data=STORE"),
        ("take another --name, or", "take another name, or"),
        ("compare with --no-boxes", "compare with boxes=False"),
        ("--fix closes them", "fix=True closes them"),
        ("see --address", "see --address"),
        ("start one with `ray start --head`", "start one with `ray start --head`"),
        ("a -- b --- c", "a -- b --- c"),
    ],
)
def test_options_are_told_as_keywords(told, in_python):
    assert in_keywords(told, command) == in_python


def test_a_mistake_keeps_its_kind_and_its_trace():
    class OtherError(HarnessError):
        pass

    @called
    def fail(*, data: str) -> None:
        """Fails."""
        raise OtherError("give --data STORE")

    assert fail.__doc__ == "Fails."
    with pytest.raises(OtherError, match="give data=STORE") as error:
        fail(data="")
    assert error.traceback[-1].name == "fail"


def test_a_notebook_shows_one_line_of_a_mistake(monkeypatch):
    monkeypatch.delenv("HARNESS_DEBUG", raising=False)
    assert HarnessError("no such file")._render_traceback_() == ["HarnessError: no such file"]
    monkeypatch.setenv("HARNESS_DEBUG", "1")
    assert len(HarnessError("no such file")._render_traceback_()[0].splitlines()) == 1


def test_the_results_folder_is_the_one_of_the_commands(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)
    assert results_folder(None) == tmp_path / "results"
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "lab"))
    assert results_folder(None) == tmp_path / "lab"
    assert results_folder("mine") == tmp_path / "mine"


def test_a_process_has_the_ray_of_one_address(monkeypatch, tmp_path):
    monkeypatch.setattr(calls, "JOINED", {})
    where = {"cpus_per_trial": 1, "gpus_per_trial": None}
    monkeypatch.setattr(ray_session, "is_connected", lambda: False)
    assert place_at(tmp_path, address="node:6379", **where).address == "node:6379"
    assert place_at(tmp_path, address=None, **where).address is None
    monkeypatch.setattr(ray_session, "is_connected", lambda: True)
    assert place_at(tmp_path, address=None, **where).results == tmp_path
    with pytest.raises(HarnessError, match="has the Ray of this machine already; restart"):
        place_at(tmp_path, address="auto", **where)


def test_files_are_named_by_keys_or_by_themselves():
    assert named_words({"theirs": Path("a/x.csv")}) == ["theirs=a/x.csv"]
    assert named_words(["x.csv", Path("y.csv")]) == ["x.csv", "y.csv"]
    assert named_words("x.csv") == ["x.csv"]
    assert named_words(None) == []
