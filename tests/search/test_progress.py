"""What a search tells while it runs: by whole names, since several run side by side."""

import io

import pytest
from rich.console import Console

from harness.core.recipe import Recipe
from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.search import progress
from harness.search.progress import ProgressDisplay


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    time_s = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time_s[0])
    return time_s


@pytest.fixture
def run(tmp_path):
    """A run named t0000-abc of a given search."""

    def make(group):
        directory = RunDirectory(tmp_path / group)
        recipe = Recipe().with_values({"train.epochs": 9})
        return Run(group=group, name="t0000-abc", kind="trial", recipe=recipe, directory=directory)

    return make


def report(epoch, *, auroc, best):
    metrics = {"val/auroc_macro": auroc, "best/auroc_macro": best, "time/epoch_s": 2.0}
    return EpochReport(epoch=epoch, metrics=metrics)


def piped(total=2):
    console = Console(file=io.StringIO(), width=40)
    return ProgressDisplay("search a, b", total=total, console=console)


def lines(display):
    return display.console.file.getvalue().splitlines()


def test_a_pipe_gets_a_line_for_each_end_that_names_the_search(run):
    with piped() as display:
        for group, score in (("dannynet", 0.71), ("chexnet", 0.69)):
            display.on_start(run(group))
            display.on_epoch(run(group), report(3, auroc=0.5, best=score))
        for group in ("dannynet", "chexnet"):
            display.on_end(run(group), Status(outcome=Outcome.COMPLETED))
    assert lines(display) == [
        "[1/2]  dannynet/t0000-abc  completed  val AUROC 0.7100 after 3 epochs",
        "[2/2]  chexnet/t0000-abc  completed  val AUROC 0.6900 after 3 epochs",
    ]
    assert display.best == (0.71, "dannynet/t0000-abc")


def test_a_pipe_hears_of_an_epoch_once_a_minute_has_been_quiet(run, clock):
    with piped() as display:
        for epoch in range(1, 10):
            clock[0] += 25
            display.on_epoch(run("dannynet"), report(epoch, auroc=epoch / 10, best=0.9))
    assert lines(display) == [
        "[0/2]  dannynet/t0000-abc  epoch 3/9  val AUROC 0.3000",
        "[0/2]  dannynet/t0000-abc  epoch 6/9  val AUROC 0.6000",
        "[0/2]  dannynet/t0000-abc  epoch 9/9  val AUROC 0.9000",
    ]


def test_a_terminal_shows_what_runs_and_how_far(run, clock):
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    display = ProgressDisplay("search a, b", total=2, console=console)
    display.on_start(run("chexnet"))
    display.on_epoch(run("dannynet"), report(3, auroc=0.5, best=0.71))
    with console.capture() as shown:
        console.print(display.render())
    text = shown.get()
    told = (
        "best so far: val AUROC 0.7100  dannynet/t0000-abc",
        "chexnet/t0000-abc",
        "starting",
        "epoch 3/9",
        "val AUROC 0.5000",
        "2.0 s/epoch",
    )
    assert [words for words in told if words not in text] == []


def test_an_interrupted_run_is_not_done(run):
    with piped() as display:
        display.on_start(run("dannynet"))
        display.on_end(run("dannynet"), Status(outcome=Outcome.PREEMPTED))
    assert lines(display) == ["[0/2]  dannynet/t0000-abc  preempted"]


def test_a_failure_says_why(run):
    display = piped(total=1)
    display.on_start(run("dannynet"))
    display.on_end(run("dannynet"), Status(outcome=Outcome.FAILED, message="no room on the disk"))
    assert lines(display) == ["[1/1]  dannynet/t0000-abc  failed  (no room on the disk)"]
