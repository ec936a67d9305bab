"""What a worker does with an order, without Ray."""

import os
import subprocess
import sys

import pytest

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.machine import Machine
from harness.core.records import Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.execution import worker
from harness.execution.run_book import RunBook, RunList
from harness.execution.storage import Storage


@pytest.fixture
def storage(tmp_path) -> Storage:
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def book(toy_recipe, toy_store, storage, tmp_path) -> RunBook:
    """The driver's, with one run."""
    directory = RunDirectory(tmp_path / "results" / "t0000-abc")
    run = Run(group="toy", name="t0000-abc", kind="trial", recipe=toy_recipe, directory=directory)
    machine = Machine(store=toy_store.path, device="cpu")
    return RunBook(RunList([run]), machine=machine, listeners=[], storage=storage)


@pytest.fixture
def made(monkeypatch, tmp_path) -> list[object]:
    """The folders that `run_trial` is asked to train in; nothing is trained."""
    folders: list[object] = []

    def run_trial(recipe, machine, run_dir, report, **options):
        folders.append(run_dir)
        RunDirectory(run_dir).write_recipe(recipe)
        RunDirectory(run_dir).set_status(Status(outcome=Outcome.COMPLETED))

    monkeypatch.setattr("harness.trial.run_trial", run_trial)
    monkeypatch.setattr(worker, "_local_folder", lambda storage: tmp_path / "node")
    return folders


def test_what_a_run_leaves_on_its_node_is_in_the_storage(book, made, storage, tmp_path):
    worker.work(book.take("ray-1"))
    assert made == [tmp_path / "node" / "toy" / "t0000-abc"]
    assert storage.pull(tmp_path / "elsewhere", "toy/t0000-abc")
    assert RunDirectory(tmp_path / "elsewhere").status.outcome is Outcome.COMPLETED


def test_a_node_is_left_as_empty_as_it_was(book, made, tmp_path):
    """Weights of every trial of a long search would fill its disk."""
    worker.work(book.take("ray-1"))
    assert list((tmp_path / "node" / "toy").iterdir()) == []


def test_the_folder_of_a_process_that_is_at_work_there_is_left_to_it(book, made, tmp_path):
    run = RunDirectory(tmp_path / "node" / "toy" / "t0000-abc")
    with held(run.lock_file):
        worker.work(book.take("ray-1"))
        assert run.lock_file.exists()
        assert run.recipe is not None


def test_what_did_not_reach_the_storage_stays_on_the_node(book, made, monkeypatch, tmp_path):
    def fail(*arguments):
        raise HarnessError("storage: not reachable")

    order = book.take("ray-1")
    monkeypatch.setattr(Storage, "push", fail)
    with pytest.raises(HarnessError, match="not reachable"):
        worker.work(order)
    assert (tmp_path / "node" / "toy" / "t0000-abc" / "recipe.json").exists()


def test_a_run_that_is_put_aside_while_its_worker_gets_ready_is_not_begun(
    book, made, storage, monkeypatch, tmp_path
):
    order = book.take("ray-1")
    monkeypatch.setattr(worker, "_warm_up", book.close)  # the driver ends meanwhile
    worker.work(order)
    assert made == []
    assert storage.pull(tmp_path / "elsewhere", "toy/t0000-abc")
    assert RunDirectory(tmp_path / "elsewhere").status.outcome is Outcome.PREEMPTED


def test_what_a_worker_imports_is_no_garbage_and_does_not_trouble_its_end():
    code = (
        "import gc\n"
        "from harness.execution import worker\n"
        "worker._warm_up()\n"
        "num_frozen = gc.get_freeze_count()\n"
        "worker._warm_up()\n"
        "print(gc.isenabled(), num_frozen > 100_000, gc.get_freeze_count() <= num_frozen)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "True"]
    assert "leaked" not in done.stderr


def test_a_user_without_a_name_has_a_folder_too(storage, monkeypatch):
    """Containers run as any number, which no list of users has."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert str(os.getuid()) in str(worker._local_folder(storage))
