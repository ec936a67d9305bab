"""`harness gc`: what it says, what it frees, and that a dry run changes nothing."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness.cli.gc import gc, show_size
from harness.core.locks import held
from harness.core.recipe import Recipe
from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory


def make_trial(search_dir: Path, number: int) -> None:
    run = RunDirectory(search_dir / f"t{number:04}-abcdef")
    run.path.mkdir(parents=True)
    run.write_recipe(Recipe())
    record = {"metrics": {"best/auroc_macro": 0.5 + number / 100}}
    (run.path / "record.json").write_text(json.dumps(record))
    run.best_weights.write_bytes(bytes(2_000_000))
    run.set_status(Status(outcome=Outcome.COMPLETED))


@pytest.fixture
def results(tmp_path) -> Path:
    """Two searches, of seven and of two trials of 2 MB each."""
    for number in range(7):
        make_trial(tmp_path / "results" / "searches" / "long", number)
    for number in range(2):
        make_trial(tmp_path / "results" / "searches" / "short", number)
    return tmp_path / "results"


@pytest.fixture
def harness_gc(results):
    """Runs the command on the results; gives what it said, a list of lines."""
    app = typer.Typer()
    app.command()(gc)

    def run(*words: str) -> list[str]:
        end = CliRunner().invoke(app, ["--results", str(results), *words])
        assert end.exit_code == 0, end.output
        return [" ".join(line.split()) for line in end.stdout.splitlines()]

    return run


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    found = {str(path): path.lstat() for path in folder.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def test_a_dry_run_says_what_would_go_and_changes_nothing(results, harness_gc):
    before = contents(results)
    said = harness_gc("--dry-run")
    assert contents(results) == before
    assert "weights of completed trials beyond the best 5 2 4.0 MB" in said
    assert "the best trials of each search 7 14.0 MB" in said
    assert said.count("in all 2 4.0 MB") == 1
    assert said[-1].startswith("nothing was changed")


def test_it_frees_what_the_dry_run_has_listed_and_a_second_time_nothing(results, harness_gc):
    table = harness_gc("--dry-run")
    said = harness_gc()
    assert said[0] == "freed number size"
    assert said[1:3] == table[1:3]
    assert len(list(results.rglob("*.safetensors"))) == 7
    assert harness_gc()[0] == "nothing freed"


def test_keep_and_search(results, harness_gc):
    said = harness_gc("--keep", "1", "--search", "short")
    assert "weights of completed trials beyond the best 1 1 2.0 MB" in said
    assert len(list((results / "searches" / "long").rglob("*.safetensors"))) == 7
    kept = list((results / "searches" / "short").rglob("*.safetensors"))
    assert [path.parent.name for path in kept] == ["t0001-abcdef"]


def test_a_running_search_is_left_alone_and_named(results, harness_gc):
    with held(results / "searches" / "long" / "lock"):
        for words in (["--dry-run"], []):
            said = harness_gc("--keep", "1", *words)
            assert "left alone, since it is running: search long" in said
    assert len(list((results / "searches" / "long").rglob("*.safetensors"))) == 7
    assert len(list((results / "searches" / "short").rglob("*.safetensors"))) == 1


def test_an_empty_results_folder_has_nothing_to_free(tmp_path):
    app = typer.Typer()
    app.command()(gc)
    end = CliRunner().invoke(app, ["--results", str(tmp_path)])
    assert (end.exit_code, end.stdout) == (0, "nothing freed\nnothing kept\n")


@pytest.mark.parametrize(
    ("num_bytes", "shown"),
    [(0, "0.0 MB"), (84_000_000, "84.0 MB"), (999_900_000, "999.9 MB"), (1_234_000_000, "1.23 GB")],
)
def test_sizes(num_bytes, shown):
    assert show_size(num_bytes) == shown
