"""The driver's side of a storage: small files come here, the best few keep weights there."""

import pytest

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.execution.storage import Storage
from harness.search.control import reopen
from harness.search.mirror import StoredWeights, fetch_trials

HEAVY = ("best.safetensors", "last.ckpt")


@pytest.fixture
def storage(tmp_path):
    return Storage.open(str(tmp_path / "storage"))


def store(storage, folder, name, outcome, files=HEAVY):
    """A run directory as a node has pushed it."""
    run = RunDirectory(folder / name)
    run.path.mkdir(parents=True)
    run.set_status(Status(outcome=outcome))
    for file in files:
        (run.path / file).write_bytes(b"weights")
    storage.push(run.path, f"toy/{name}")


def stored(tmp_path, name):
    folder = tmp_path / "storage" / "toy" / name
    return sorted(path.name for path in folder.iterdir() if path.name in HEAVY)


class Scored(RunDirectory):
    """A completed run with a score, of which no more is asked."""

    def __init__(self, path, score):
        super().__init__(path)
        self.score = score

    @property
    def record(self):
        return type("Record", (), {"metrics": {SCORE: self.score}})


def test_small_files_are_fetched_for_a_driver_that_has_lost_them(storage, tmp_path):
    store(storage, tmp_path / "node", "t0000-abc", Outcome.RUNNING)
    fetch_trials(storage, tmp_path / "toy")
    here = tmp_path / "toy" / "t0000-abc"
    assert sorted(path.name for path in here.iterdir()) == ["status.json"]


def test_a_trial_that_is_to_be_made_again_stays_so(storage, tmp_path):
    """Its storage says how it ended before, until a worker has it again."""
    search_dir, name = tmp_path / "toy", "t0000-abc"
    store(storage, tmp_path / "node", name, Outcome.FAILED)
    fetch_trials(storage, search_dir)
    run = RunDirectory(search_dir / name)
    assert run.status.outcome is Outcome.FAILED
    reopen(search_dir, Ledger(search_dir / "ledger.jsonl"), [name])
    fetch_trials(storage, search_dir)
    assert run.status.outcome is Outcome.QUEUED
    done = Status(outcome=Outcome.COMPLETED, at="2999-01-01T00:00:00+00:00")
    RunDirectory(tmp_path / "node" / name).set_status(done)
    storage.push(tmp_path / "node" / name, f"toy/{name}")
    fetch_trials(storage, search_dir)
    assert run.status == done


def test_only_the_best_keep_weights_in_the_storage(storage, tmp_path):
    weights = StoredWeights(storage, tmp_path / "toy", keep=2)
    for number, score in enumerate([0.6, 0.8, 0.7, 0.5]):
        name = f"t000{number}-abc"
        store(storage, tmp_path / "node", name, Outcome.COMPLETED)
        run = Scored(tmp_path / "node" / name, score)
        weights.ended(run)
    left = {number: stored(tmp_path, f"t000{number}-abc") for number in range(4)}
    assert left == {0: [], 1: ["best.safetensors"], 2: ["best.safetensors"], 3: []}


def test_pruned_trials_lose_theirs_and_unfinished_ones_do_not(storage, tmp_path):
    weights = StoredWeights(storage, tmp_path / "toy", keep=2)
    for name, outcome in (("t0000-a", Outcome.PRUNED), ("t0001-b", Outcome.PREEMPTED)):
        store(storage, tmp_path / "node", name, outcome)
        weights.ended(RunDirectory(tmp_path / "node" / name))
    assert stored(tmp_path, "t0000-a") == []
    assert stored(tmp_path, "t0001-b") == list(HEAVY)


def test_a_storage_that_removes_nothing_does_not_end_the_search(storage, tmp_path, monkeypatch):
    def fail(*arguments):
        raise HarnessError("storage s3://b: removing: not reachable")

    weights = StoredWeights(storage, tmp_path / "toy", keep=2)
    store(storage, tmp_path / "node", "t0000-a", Outcome.PRUNED)
    monkeypatch.setattr(storage, "remove", fail)
    weights.ended(RunDirectory(tmp_path / "node" / "t0000-a"))
    assert stored(tmp_path, "t0000-a") == list(HEAVY)
