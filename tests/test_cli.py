"""The commands that need no Ray, how a command ends, and that an interrupted search goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from harness.core.errors import HarnessError
from harness.core.records import EpochReport
from harness.core.run_dir import RunDirectory
from harness.core.space import shipped_spaces

SMALL = ["--set", "data.resize_px=32", "--set", "data.input_px=32"]
pytestmark = pytest.mark.usefixtures("alone")


# Spaces and data --------------------------------------------------------------------------------


def test_spaces_lists_what_is_shipped(harness):
    code, out, _ = harness("spaces")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()[1:-1]} == set(shipped_spaces())
    assert out.splitlines()[-1].startswith("next: ")


def test_spaces_shows_the_parameters_of_some(harness):
    code, out, _ = harness("spaces", "dannynet", "vit_small")
    assert code == 0
    assert "arXiv 2505.06646" in out
    assert "loss.name is focal" in out


def test_spaces_writes_the_schema(harness):
    assert harness("spaces", "--schema", "schema.json")[0] == 0
    assert json.loads(Path("schema.json").read_text())["type"] == "object"


def test_data_show_counts_and_draws(harness, toy_store):
    code, out, err = harness("data", "show", toy_store.path, "--sheet", "sheet.png")
    assert (code, err) == (0, "")
    (images,) = (line.split() for line in out.splitlines() if line.startswith("images"))
    assert sum(map(int, images[1:])) == len(toy_store)
    assert f"wrote {Path('sheet.png').resolve()}" in out
    assert Path("sheet.png").stat().st_size > 0
    assert f"--data {toy_store.path}" in out.splitlines()[-1]


def test_train_tells_each_epoch_and_goes_on(harness, toy_store):
    words = ("train", "dannynet-mini", "--data", toy_store.path, "--out", "run", *SMALL)
    code, out, err = harness(*words, "--set", "train.epochs=2", "--seed", 5)
    assert (code, err) == (0, "")
    assert [line.split()[1] for line in out.splitlines()[:2]] == ["1/2", "2/2"]
    run = RunDirectory(Path("run").resolve())
    assert run.record.recipe.seed == 5
    assert run.store == toy_store.path
    assert f"kept epoch {run.record.best_epoch}: val AUROC" in out
    code, again, _ = harness(*words, "--set", "train.epochs=2", "--seed", 5)
    assert (code, again.splitlines()) == (0, out.splitlines()[2:])


# Ends -------------------------------------------------------------------------------------------


def end_with(monkeypatch, error: BaseException) -> None:
    def fail(*args, **options):
        raise error

    monkeypatch.setattr("harness.core.space.SearchSpace.load", fail)


def test_each_line_of_a_mistake_is_marked(harness, monkeypatch):
    end_with(monkeypatch, HarnessError("a.yaml:1: one\na.yaml:2: two"))
    assert harness("spaces", "x") == (2, "", "harness: a.yaml:1: one\nharness: a.yaml:2: two\n")


def test_a_full_disk_is_one_line(harness, monkeypatch):
    end_with(monkeypatch, OSError(28, "No space left on device", "/data/x"))
    code, _, err = harness("spaces", "x")
    assert code == 2
    assert err.startswith("harness: /data/x: No space left on device (")
    assert err.count("\n") == 1


def test_an_interrupt_is_one_line_and_130(harness, monkeypatch):
    end_with(monkeypatch, KeyboardInterrupt())
    line = "harness: interrupted; the same command goes on from here\n"
    assert harness("spaces", "x") == (130, "", line)


def test_a_defect_keeps_its_trace(harness, monkeypatch):
    end_with(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        harness("spaces", "x")


# Going on ---------------------------------------------------------------------------------------


def states(search_dir: Path) -> dict[str, tuple[str, int]]:
    """Outcome and number of epochs of each trial."""
    runs = map(RunDirectory, sorted(search_dir.glob("t0*")))
    return {run.path.name: (str(run.status.outcome), len(run.epochs)) for run in runs}


def wait_for_epochs(process: subprocess.Popen[str], search_dir: Path, more: int) -> None:
    """Wait until some trial has that many epochs more than now."""
    enough = more + max((num for _, num in states(search_dir).values()), default=0)
    while not any(num >= enough for _, num in states(search_dir).values()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def epochs(search_dir: Path) -> dict[Path, list[EpochReport]]:
    return {path: RunDirectory(path).epochs for path in search_dir.glob("t0*")}


@pytest.mark.timeout(900)
def test_an_interrupted_search_goes_on_and_makes_no_trial_twice(toy_store, tmp_path):
    """Ctrl-C, which reaches every process of a terminal; then the same command, left in peace."""
    command = [
        sys.executable, "-m", "harness", "search", "dannynet-mini", "--data", str(toy_store.path),
        "--trials", "2", "--results", str(tmp_path), *SMALL, "--set", "train.epochs=40",
        "--set", "train.early_stop_epochs=40", "--cpus-per-trial", "2",
    ]  # fmt: skip
    search_dir = tmp_path / "searches" / "dannynet-mini"
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for_epochs(process, search_dir, 2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert err.splitlines()[-1] == "harness: interrupted; the same command goes on from here"
    assert "Traceback" not in err
    assert {outcome for outcome, _ in states(search_dir).values()} <= {"preempted", "queued"}
    before = epochs(search_dir)

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = states(search_dir)
    assert len(after) == 2
    assert {path.name for path in before} <= set(after)
    assert {outcome for outcome, _ in after.values()} <= {"completed", "pruned"}
    for path, reports in before.items():  # the last line may have come after the last checkpoint
        kept = reports[:-1]
        assert RunDirectory(path).epochs[: len(kept)] == kept, "times too: from its checkpoint"
    runs = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["1"])
    assert sorted(run.data.tags.get("harness.run", "") for run in runs) == ["", *sorted(after)]
    assert {run.info.status for run in runs} == {"FINISHED"}
