"""What commands say when they end: readable on 80 columns, and by a program that reads a pipe."""

from pathlib import Path

import pytest

from harness.console import (
    NUM_FAILURES,
    NUM_LEADERS,
    print_table,
    progress_bar,
    say_leaderboard,
    say_status,
    show_changes,
    show_values,
)
from harness.core.recipe import Recipe
from harness.core.records import FailureReason, Outcome, Status
from harness.search.leaderboard import TrialSummary, count_outcomes
from harness.search.standing import Standing
from tests.search.made_search import make_search

LONG = "optim.lr 5e-05 → 0.00012, loss.gamma 2 → 1.31, augment.jitter 0.1 → 0.292, " * 3


def trial(number: int, status: Status, score: float | None = None, changes=None) -> TrialSummary:
    return TrialSummary(
        name=f"t{number:04}-3fa2c1",
        status=status,
        score=score,
        num_epochs=0 if score is None else 5,
        best_epoch=0 if score is None else 3,
        recipe=Recipe(),
        changes=changes or {},
        path=Path("/results") / str(number),
    )


COMPLETED = Status(outcome=Outcome.COMPLETED)
FAILED = Status(outcome=Outcome.FAILED, reason=FailureReason.DATA, message="no store\nmore of it")


def test_a_pipe_gets_a_line_for_each_row_whole_and_without_blanks_at_its_end(capsys):
    print_table(["name", "changes"], [["a", LONG], ["b", "none"]])
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "name  changes"
    assert rows == [f"a     {LONG.rstrip()}", "b     none"]


def test_eighty_columns_are_enough(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the pipe for a terminal
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    print_table(["name", "changes"], [["a", LONG]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80


def test_numbers_stand_to_the_right_and_brackets_are_text(capsys):
    print_table(["count", "[bold]"], [[3, "[red]x"], [120, ":smile: [/y]"]])
    assert capsys.readouterr().out.splitlines() == [
        "count  [bold]", "    3  [red]x", "  120  :smile: [/y]",
    ]  # fmt: skip


def test_a_table_without_rows_has_its_header(capsys):
    print_table(["search", "trial"], [])
    assert capsys.readouterr().out == "search  trial\n"


def test_progress_in_a_pipe_is_a_line_each_tenth(capsys):
    with progress_bar("images") as move:
        for done in range(1, 201):
            move(done, 200)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"images: {done} of 200" for done in range(20, 201, 20)]


def test_a_mistake_before_the_first_step_shows_no_bar(capsys):
    with pytest.raises(ValueError, match="mistake"), progress_bar("images"):
        raise ValueError("mistake")
    assert capsys.readouterr() == ("", "")


def test_the_leaderboard_names_the_best_its_changes_and_the_next_command(capsys):
    changes = {"optim.lr": (5e-05, 0.00012345), "loss.name": ("focal", "bce")}
    say_leaderboard([trial(4, COMPLETED, 0.81234, changes)], Path("/r/searches/mine"))
    out = capsys.readouterr().out
    assert "t0004-3fa2c1  completed  0.8123     3/5" in out
    assert "the best, t0004-3fa2c1, changed optim.lr 5e-05 → 0.000123, loss.name focal → bce" in out
    assert "wrote /r/searches/mine\n" in out
    assert out.splitlines()[-1].startswith("next: harness benchmark --search mine")


def test_the_default_recipe_may_be_the_best_and_need_not_be_a_published_one(capsys):
    say_leaderboard([trial(0, COMPLETED, 0.8)], Path("/r/searches/mine"))
    out = capsys.readouterr().out
    assert "changed nothing: the default recipe itself" in out
    assert out.splitlines()[0].endswith("changed against the default")
    assert "published" not in out


def test_a_long_leaderboard_is_cut_and_says_so(capsys):
    trials = [trial(number, COMPLETED, 0.8) for number in range(NUM_LEADERS + 7)]
    say_leaderboard(trials, Path("/r/searches/mine"))
    out = capsys.readouterr().out
    assert out.count("-3fa2c1  completed") == NUM_LEADERS
    assert "and 7 more\n" in out


def test_a_search_in_which_nothing_completed_says_why(capsys):
    say_leaderboard([trial(number, FAILED) for number in range(5)], Path("/r/searches/mine"))
    out = capsys.readouterr().out
    assert out.count("failed: no store\n") == NUM_FAILURES
    assert "more of it" not in out
    assert "and 2 more failed" in out
    assert "harness benchmark" not in out
    told = "mend the cause and harness retry mine t0000 t0001 t0002, or search under"
    assert out.splitlines()[-1].startswith(f"next: no trial has completed; {told}")


def test_a_search_that_was_cut_short_before_its_first_trial_goes_on(capsys):
    say_leaderboard([], Path("/r/searches/mine"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "next: no trial has completed; the same harness search command goes on"
    say_leaderboard([trial(0, Status(outcome=Outcome.CANCELLED))], Path("/r/searches/mine"))
    assert "harness retry mine --cancelled" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([COMPLETED], "harness benchmark --search toy"),
        ([COMPLETED, Status(outcome=Outcome.FAILED, reason=FailureReason.CODE)],
         "harness retry toy, then the same harness search command"),
        ([], "mend the cause and harness retry toy t0000, then the same harness search command"),
    ],
)  # fmt: skip
def test_a_trial_that_would_fail_again_is_not_to_be_retried(capsys, tmp_path, others, told):
    """As `harness retry` without names leaves it: a few diverge in most searches."""
    statuses = [Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED), *others]
    board = [trial(number, status) for number, status in enumerate(statuses)]
    plan = make_search(tmp_path / "toy", num_trials=1)
    standing = Standing(
        plan=plan.model_copy(update={"num_trials": len(board)}),
        folder=tmp_path / "toy",
        driver="",
        counts=count_outcomes(board),
        num_new=0,
        running=[],
        best=None,
        failed=[each for each in board if each.status.outcome is Outcome.FAILED],
        gpu_hours=0.0,
        num_bytes=0,
    )
    say_status(standing)
    assert capsys.readouterr().out.splitlines()[-1] == f"next: {told}"


def test_values_are_short():
    assert show_values({"optim.lr": 0.000123456, "train.epochs": 25}) == (
        "optim.lr 0.000123, train.epochs 25"
    )
    assert show_changes({"loss.gamma": (2.0, 1.314159)}) == "loss.gamma 2 → 1.31"
    assert show_changes({"optim.lr": (0.002, 0.0020034)}) == "optim.lr 0.002 → 0.0020034"
