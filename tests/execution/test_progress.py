"""What the display of a job says of its runs, in lines and as a block."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from harness.core.recipe import Recipe
from harness.core.records import EpochReport, FailureReason, Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.execution import progress
from harness.execution.progress import ProgressDisplay


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def display(said) -> ProgressDisplay:
    """Of four trials, one of which an earlier call has made."""
    return ProgressDisplay(
        "search toy",
        total=4,
        console=Console(file=said, width=100),
        done={Outcome.COMPLETED: 1},
        best=(0.75, "toy/t0000-a"),
    )


def run_of(name, tmp_path) -> Run:
    recipe = Recipe().with_values({"train.epochs": 9})
    return Run("toy", name, "trial", recipe, RunDirectory(tmp_path / name))


def report_of(epoch, score) -> EpochReport:
    metrics = {SCORE: score, "val/auroc_macro": score, "time/epoch_s": 2.0}
    return EpochReport(epoch=epoch, metrics=metrics)


def shown(display) -> str:
    screen = io.StringIO()
    Console(file=screen, width=100).print(display.render())
    return screen.getvalue()


def test_a_pipe_gets_a_line_for_each_run_that_has_ended(display, said, tmp_path):
    first, second = run_of("t0001-b", tmp_path), run_of("t0002-c", tmp_path)
    with display:
        display.on_start(first)
        display.on_epoch(first, report_of(3, 0.7))
        display.on_end(first, Status(outcome=Outcome.PRUNED))
        failed = Status(outcome=Outcome.FAILED, reason=FailureReason.DATA, message="no labels")
        display.on_end(second, failed)
    assert said.getvalue().splitlines() == [
        "[2/4]  toy/t0001-b  pruned  val AUROC 0.7000 after 3 epochs",
        "[3/4]  toy/t0002-c  failed: data  (no labels)",
    ]


def test_a_pipe_hears_of_an_epoch_once_a_minute_has_been_quiet(
    display, said, tmp_path, monkeypatch
):
    time_s = [display.started]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time_s[0])
    for epoch in range(1, 8):
        time_s[0] += 25
        display.on_epoch(run_of("t0001-b", tmp_path), report_of(epoch, epoch / 10))
    assert said.getvalue().splitlines() == [
        "[1/4]  toy/t0001-b  epoch 3/9  val AUROC 0.3000",
        "[1/4]  toy/t0001-b  epoch 6/9  val AUROC 0.6000",
    ]


def test_an_interrupted_run_is_not_done(display, said, tmp_path):
    display.on_end(run_of("t0001-b", tmp_path), Status(outcome=Outcome.PREEMPTED))
    assert said.getvalue().splitlines() == ["[1/4]  toy/t0001-b  preempted"]


def test_runs_of_two_searches_that_have_one_name_are_two(display, tmp_path):
    first = run_of("t0001-b", tmp_path)
    for run in (first, replace(first, group="other")):
        display.on_start(run)
    assert {"toy/t0001-b", "other/t0001-b"} <= set(shown(display).split())


def test_the_block_tells_what_runs_and_the_best_so_far(display, tmp_path):
    first, second = run_of("t0001-b", tmp_path), run_of("t0002-c", tmp_path)
    display.on_start(first)
    display.on_start(second)
    assert "best so far: val AUROC 0.7500  toy/t0000-a" in shown(display)
    display.on_epoch(second, report_of(2, 0.8))
    block = shown(display)
    assert "2 running · 1 completed" in block
    assert "best so far: val AUROC 0.8000  toy/t0002-c" in block
    assert "toy/t0001-b  starting" in block
    assert "toy/t0002-c  epoch 2/9  val AUROC 0.8000  2.0 s/epoch" in block


@pytest.mark.parametrize(("took_s", "eta"), [(30, "1:00"), (3600, "2 h 00 min")])
def test_the_time_left_is_that_of_this_call_s_runs(display, tmp_path, monkeypatch, took_s, eta):
    assert "ETA -" in shown(display), "what an earlier call made says nothing of the time"
    monkeypatch.setattr(progress.time, "monotonic", lambda: display.started + took_s)
    display.on_end(run_of("t0001-b", tmp_path), Status(outcome=Outcome.COMPLETED))
    assert f"2/4 ETA {eta}" in shown(display)


def test_a_trial_that_is_retried_counts_once(display, said, tmp_path):
    runs = [run_of(f"t000{number}-b", tmp_path) for number in (1, 2, 3)]
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.CODE, message="x")
    with display:
        for run in runs:
            display.on_end(run, failed)
        display.on_start(runs[0])
        display.on_end(runs[0], Status(outcome=Outcome.COMPLETED))
    assert said.getvalue().splitlines()[-1] == "[4/4]  toy/t0001-b  completed"
    assert "2 completed · 2 failed" in shown(display)
