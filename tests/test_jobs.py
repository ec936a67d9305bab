"""Search and benchmark as whole jobs on a toy store: folders, MLflow and tables agree."""

import json
import shutil
from contextlib import ExitStack
from io import StringIO

import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from harness import tracking
from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.locks import held
from harness.core.records import FailureReason, Outcome, Status
from harness.core.space import SearchSpace
from harness.execution.ray_session import Resources
from harness.execution.storage import Storage
from harness.jobs import benchmark as benchmark_job
from harness.jobs import search as search_job
from harness.jobs.place import Place
from harness.jobs.search import SearchOrder, _Job
from harness.search.budget import Budget
from harness.search.control import LOCK_FILE, Request, is_running, send
from harness.search.leaderboard import trial_dirs
from harness.search.plan import find_search, write_plan
from tests.search.made_search import SPACE, make_search

FAST = {"data.resize_px": 32, "data.input_px": 32, "train.epochs": 5}


def place_at(results):
    return Place(results=results, resources=Resources(cpus=2, gpus=0), console=Console(quiet=True))


def search(store, results, num_trials):
    boards = search_job.search(
        {"toy": SearchSpace.load("dannynet-mini").with_base(FAST)},
        store=store.path,
        order=SearchOrder(num_trials=num_trials),
        place=place_at(results),
    )
    return boards["toy"]


def benchmark(results):
    plan = BenchmarkPlan.of_searches(["toy"], name="final", seeds=1)
    return benchmark_job.benchmark(plan, place=place_at(results))


def mlflow_runs(results):
    client = MlflowClient(f"sqlite:///{results}/mlflow.db")
    runs = client.search_runs(["1"], max_results=1000)
    return {run.data.tags.get("harness.run") or run.data.tags["harness.group"]: run for run in runs}


@pytest.fixture(scope="module")
def done(toy_store, tmp_path_factory):
    """A results folder with a search of four trials and a benchmark of it."""
    results = tmp_path_factory.mktemp("jobs") / "results"
    board = search(toy_store, results, 4)
    return results, board, benchmark(results)


def test_mlflow_has_each_trial_once_with_its_true_end(done):
    results, board, _ = done
    runs = mlflow_runs(results)
    trials = {name: run for name, run in runs.items() if run.data.tags["harness.kind"] == "trial"}
    assert set(trials) == {trial.name for trial in board}
    for trial in board:
        run = trials[trial.name]
        assert run.info.status == "FINISHED"
        assert run.data.tags["harness.outcome"] == str(trial.status.outcome)
        assert run.data.params["optim.lr"] == str(trial.recipe.optim.lr)
        assert run.data.metrics["best/auroc_macro"] == trial.score
        assert run.data.tags["mlflow.parentRunId"] == runs["toy"].info.run_id


def test_one_filter_finds_the_trials_of_a_search(done):
    results, board, _ = done
    client = MlflowClient(f"sqlite:///{results}/mlflow.db")
    found = client.search_runs(["1"], tracking.filter_string("toy"))
    assert len(found) == len(board)


def test_the_benchmark_has_the_winner_and_the_default_point(done):
    results, board, table = done
    winner = next(row for row in table.rows if row.is_winner)
    assert winner.trial == board[0].name
    assert any(row.is_default for row in table.rows)
    assert not table.is_partial
    assert (results / "final" / "table.md").exists()
    assert json.loads((results / "final" / "results.json").read_text())["name"] == "final"


def test_final_runs_have_a_seed_of_their_own_and_scored_test_once(done):
    results, board, _ = done
    for path in (results / "final" / "runs").glob("toy-*"):
        recipe = json.loads((path / "recipe.json").read_text())
        assert recipe["seed"] != board[0].recipe.seed
        assert (path / "predictions_test.npz").exists()
    assert not list((results / "searches").rglob("*test*"))


def test_a_second_call_runs_nothing_and_moves_nothing_in_mlflow(done, toy_store, tmp_path):
    results, board, table = done
    before = mlflow_runs(results)
    assert search(toy_store, results, 4) == board
    assert benchmark(results) == table
    after = mlflow_runs(results)
    assert {name: run.info.end_time for name, run in after.items()} == {
        name: run.info.end_time for name, run in before.items()
    }
    assert {run.info.run_id for run in after.values()} == {
        run.info.run_id for run in before.values()
    }


def test_mlflow_is_rebuilt_from_the_folders(done, toy_store, tmp_path):
    results, board, _ = done
    shutil.copytree(results, tmp_path / "results")
    (tmp_path / "results" / "mlflow.db").unlink()
    search(toy_store, tmp_path / "results", 4)
    rebuilt, original = mlflow_runs(tmp_path / "results"), mlflow_runs(results)
    for trial in board:
        assert rebuilt[trial.name].data.metrics == original[trial.name].data.metrics
        assert rebuilt[trial.name].info.status == original[trial.name].info.status


def test_a_failed_final_run_is_a_gap_with_its_reason(done, toy_store, tmp_path):
    """A final run that diverged stays failed, and its cell says so."""
    from harness.core.run_dir import RunDirectory

    results, _, _ = done
    shutil.copytree(results, tmp_path / "results")
    path = next((tmp_path / "results" / "final" / "runs").glob("toy-default-*"))
    for name in ("record.json", "test.json"):
        (path / name).unlink()
    status = Status(
        outcome=Outcome.FAILED, reason=FailureReason.DIVERGED, message="not finite at epoch 1"
    )
    RunDirectory(path).set_status(status)
    partial = benchmark(tmp_path / "results")
    assert partial.is_partial
    assert [problem.where for problem in partial.problems] == [path.name]
    assert "diverged" in partial.problems[0].reason
    assert "not finite at epoch 1" in (tmp_path / "results" / "final" / "table.md").read_text()


def test_a_search_that_cannot_start_leaves_no_search(toy_store, tmp_path):
    place = Place(
        results=tmp_path / "results",
        resources=Resources(cpus=1, gpus=1),
        console=Console(quiet=True),
    )
    space = SearchSpace.load("dannynet-mini").with_base(FAST)
    with pytest.raises(HarnessError, match="1 GPU"):
        search_job.search(
            {"toy": space},
            store=toy_store.path,
            order=SearchOrder(num_trials=2),
            place=place,
        )
    assert not (tmp_path / "results" / "searches").exists()


# Whose a search is ----------------------------------------------------------------------------


def job_of(store, results, *, storage=None):
    place = Place(
        results=results,
        resources=Resources(cpus=2, gpus=0),
        console=Console(quiet=True),
        storage=storage and str(storage),
    )
    return _Job({"toy": SPACE}, store.path, SearchOrder(num_trials=2), place)


@pytest.mark.parametrize(
    ("is_over", "told"), [(False, "in use by process"), (True, "begun by another process")]
)
def test_of_two_calls_that_begin_a_search_at_once_one_goes_on(
    toy_store, tmp_path, monkeypatch, is_over, told
):
    job, other = job_of(toy_store, tmp_path), ExitStack()
    folder = tmp_path / "searches" / "toy"

    def get_ready(*arguments, **options):
        """Takes seconds, in which the other call has come further."""
        other.enter_context(held(folder / LOCK_FILE))
        write_plan(job.plans[0], folder)
        if is_over:
            other.close()
        return Resources(cpus=2, gpus=0)

    monkeypatch.setattr(search_job, "get_ready", get_ready)
    with other, ExitStack() as stack, pytest.raises(HarnessError, match=told):
        job.get_ready([job.begin(job.plans[0], stack)], stack)


def test_a_budget_that_ends_nothing_is_told(toy_store, tmp_path, monkeypatch):
    console = Console(record=True, quiet=False, file=StringIO(), width=200)
    place = Place(results=tmp_path, resources=Resources(cpus=2, gpus=0), console=console)
    order = SearchOrder(num_trials=2, budget=Budget(gpu_hours=3))
    job = _Job({"toy": SPACE}, toy_store.path, order, place)
    monkeypatch.setattr(search_job, "get_ready", lambda *_, **__: place.resources)
    with ExitStack() as stack:
        job.get_ready([job.begin(job.plans[0], stack)], stack)
    assert "--gpu-hours ends nothing here" in console.export_text()


def test_a_search_that_only_the_storage_has_is_held_while_it_goes_on(toy_store, tmp_path):
    make_search(tmp_path / "node" / "toy", num_trials=1, store=toy_store.fingerprint)
    storage = Storage.open(str(tmp_path / "storage"))
    (trial,) = trial_dirs(tmp_path / "node" / "toy")
    storage.push(trial.path, f"toy/{trial.path.name}")
    job = job_of(toy_store, tmp_path / "results", storage=tmp_path / "storage")
    with ExitStack() as stack:
        assert job.begin(job.plans[0], stack).source.num_to_run == 1
        assert is_running(tmp_path / "results" / "searches" / "toy")
        assert find_search("toy", tmp_path / "results")  # though no trial may be left to be made
    assert not is_running(tmp_path / "results" / "searches" / "toy")


def test_a_retry_that_came_when_the_driver_ended_is_taken_up_by_the_next(toy_store, tmp_path):
    folder = tmp_path / "searches" / "toy"
    make_search(folder, num_trials=2, store=toy_store.fingerprint)
    failed = trial_dirs(folder)[1]
    failed.set_status(Status(outcome=Outcome.FAILED, reason=FailureReason.CODE))
    send(folder, Request(what="retry", trials=(failed.path.name,)))
    job = job_of(toy_store, tmp_path)
    with ExitStack() as stack:
        assert job.begin(job.plans[0], stack).source.num_to_run == 1


def test_each_network_that_a_space_may_take_is_looked_at_before_the_first_trial(
    toy_store, tmp_path
):
    names = {"kind": "choice", "choices": ["densenet_mini", "densnet121"]}
    tree = SPACE.model_dump(mode="json")
    tree["space"]["model.name"] = names | {"default": "densenet_mini"}
    spaces = {"toy": SearchSpace.model_validate(tree)}
    order = SearchOrder(num_trials=2)
    with pytest.raises(HarnessError, match="unknown network 'densnet121'"):
        search_job.search(spaces, store=toy_store.path, order=order, place=place_at(tmp_path))
    assert not (tmp_path / "searches").exists()


def num_trials_of(results, store, order):
    """The trials in all that an order comes to, beside what there is."""
    spaces = {"toy": SearchSpace.load("dannynet-mini").with_base(FAST)}
    (plan,) = _Job(spaces, store.path, order, place_at(results)).plans
    return plan.num_trials


def test_a_warm_start_is_copied_into_the_plan_and_outlives_its_search(toy_store, tmp_path):
    make_search(tmp_path / "searches" / "old", num_trials=6, store=toy_store.fingerprint)

    def plan(*names):
        order = SearchOrder(num_trials=3, warm_start=names)
        return _Job({"new": SPACE}, toy_store.path, order, place_at(tmp_path)).plans[0]

    begun = plan("old")
    assert all(point.origin.startswith("old/t0") for point in begun.warm_start.points)
    assert len(begun.first_points) == 3
    write_plan(begun, tmp_path / "searches" / "new")
    shutil.rmtree(tmp_path / "searches" / "old")
    assert plan("old") == begun
    with pytest.raises(HarnessError, match=r"warm_start\.searches was \['old'\], is \[\]"):
        plan()
    with pytest.raises(HarnessError, match="no search 'old'"):
        plan("old", "other")
    with pytest.raises(HarnessError, match="cannot start from itself"):
        plan("new")


def test_points_of_a_warm_start_follow_a_space_that_is_changed_since(toy_store, tmp_path):
    make_search(tmp_path / "searches" / "old", num_trials=6, store=toy_store.fingerprint)

    def plan(space):
        order = SearchOrder(num_trials=3, warm_start=("old",), accept_changes=True)
        return _Job({"new": space}, toy_store.path, order, place_at(tmp_path)).plans[0]

    write_plan(plan(SPACE), tmp_path / "searches" / "new")
    tree = SPACE.model_dump(mode="json")
    tree["space"]["optim.lr"] |= {"low": 1.9e-3, "high": 2.1e-3}
    narrow = plan(SearchSpace.model_validate(tree))
    assert len(narrow.first_points) == 3
    for values in narrow.first_points:
        assert 1.9e-3 <= narrow.recipe(values).optim.lr <= 2.1e-3


def test_an_extension_is_on_top_and_goes_on_where_it_was_cut_short(done, toy_store, tmp_path):
    results, _, _ = done
    order = SearchOrder(num_trials=3, is_extension=True)
    assert num_trials_of(tmp_path / "none", toy_store, order) == 3
    assert num_trials_of(results, toy_store, order) == 4 + 3
    shutil.copytree(results, tmp_path / "results")
    ledger = Ledger(tmp_path / "results" / "searches" / "toy" / "ledger.jsonl")
    ledger.note(ledger.trials[-1], Status(outcome=Outcome.PREEMPTED))
    assert num_trials_of(tmp_path / "results", toy_store, order) == 4


def test_only_the_best_trials_keep_weights(done, toy_store, tmp_path):
    results, board, _ = done
    shutil.copytree(results, tmp_path / "results")
    order = SearchOrder(num_trials=5, keep=1)
    spaces = {"toy": SearchSpace.load("dannynet-mini").with_base(FAST)}
    board = search_job.search(
        spaces, store=toy_store.path, order=order, place=place_at(tmp_path / "results")
    )["toy"]
    kept = [trial.name for trial in board if (trial.path / "best.safetensors").exists()]
    assert kept == [board[0].name]
    assert all((trial.path / "predictions_val.npz").exists() for trial in board)
    assert not any((trial.path / "last.ckpt").exists() for trial in board)


# Pictures of a search that others have made: it needs no Ray ----------------------------------


@pytest.fixture
def made(toy_store, tmp_path):
    """A results folder with a search of two completed trials, and a call that finishes it."""
    results = tmp_path / "results"
    make_search(results / "searches" / "toy", num_trials=2, store=toy_store.fingerprint)

    def finish():
        order = SearchOrder(num_trials=2)
        place = place_at(results)
        return search_job.search({"toy": SPACE}, store=toy_store.path, order=order, place=place)[
            "toy"
        ]

    return results, finish


def test_a_search_ends_with_its_pictures_in_its_folder_and_on_its_page(made):
    results, finish = made
    assert len(finish()) == 2
    drawn = {path.name for path in (results / "searches" / "toy" / "figures").iterdir()}
    assert {"learning.png", "history.svg", "parallel.pdf"} <= drawn
    client = MlflowClient(f"sqlite:///{results}/mlflow.db")
    logged = client.list_artifacts(mlflow_runs(results)["toy"].info.run_id, "figures")
    assert {artifact.path for artifact in logged} == {f"figures/{name}" for name in drawn}


def test_no_picture_is_worth_a_search(made, caplog):
    results, finish = made
    (results / "searches" / "toy" / "figures").write_text("in the way")
    assert len(finish()) == 2
    assert "its pictures are not drawn" in caplog.text
    assert mlflow_runs(results)["toy"].info.status == "FINISHED"
