"""A search on a real Ray: its folder, its outcomes, and going on after every kind of end."""

import shutil

import pytest

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.space import SearchSpace
from harness.execution.ray_session import Resources, fit_resources, start_ray
from harness.execution.ray_tune import execute
from harness.search.leaderboard import count_outcomes, leaderboard
from harness.search.plan import SearchPlan, check_plan, write_plan
from harness.search.trial_source import TrialSource

FAST = {"data.resize_px": 32, "data.input_px": 32, "train.epochs": 5}


class Follower:
    """A listener that remembers."""

    def __init__(self):
        self.started, self.epochs, self.ended = [], [], {}

    def on_start(self, run):
        self.started.append(run.name)

    def on_epoch(self, run, report):
        self.epochs.append((run.name, report.epoch))

    def on_end(self, run, status):
        self.ended[run.name] = status


def plan_of(store, *, num_trials, space="dannynet-mini", values=FAST):
    return SearchPlan(
        name="toy",
        space=SearchSpace.load(space).with_base(values),
        store=store.path,
        store_fingerprint=store.fingerprint,
        num_trials=num_trials,
        seed=0,
    )


def run_all(plan, search_dir, store, *, cpus=2):
    start_ray(None)
    resources = fit_resources(Resources(cpus=cpus, gpus=0))
    write_plan(plan, search_dir)
    follower = Follower()
    execute(
        TrialSource(plan, search_dir),
        machine=Machine(store=store.path, device="cpu"),
        resources=resources,
        scratch=search_dir / "ray",
        listeners=[follower],
    )
    return follower


@pytest.fixture(scope="module")
def searched(toy_store, tmp_path_factory):
    """A search of five trials, one of which must diverge, and what its listener saw."""
    search_dir = tmp_path_factory.mktemp("search") / "toy"
    plan = plan_of(toy_store, num_trials=5)
    return plan, search_dir, run_all(plan, search_dir, toy_store, cpus=1)


def test_trials_end_completed_or_pruned_everywhere_alike(searched):
    plan, search_dir, follower = searched
    board = leaderboard(search_dir, plan.default_recipe)
    assert [trial.name[:5] for trial in sorted(board, key=lambda t: t.name)] == [
        "t0000", "t0001", "t0002", "t0003", "t0004",
    ]  # fmt: skip
    assert set(count_outcomes(board)) <= {Outcome.COMPLETED, Outcome.PRUNED}
    for trial in board:
        assert follower.ended[trial.name].outcome is trial.status.outcome
        seen = [epoch for name, epoch in follower.epochs if name == trial.name]
        assert seen == list(range(1, trial.num_epochs + 1))
        is_whole = trial.num_epochs == plan.space.base.train.epochs
        assert is_whole == (trial.status.outcome is Outcome.COMPLETED)


def test_trial_0_is_the_published_recipe(searched):
    plan, search_dir, _ = searched
    first = next(
        t for t in leaderboard(search_dir, plan.default_recipe) if t.name.startswith("t0000")
    )
    assert first.recipe == plan.default_recipe
    assert first.changes == {}


def test_a_pruned_trial_had_its_grace(searched):
    plan, search_dir, _ = searched
    for trial in leaderboard(search_dir, plan.default_recipe):
        if trial.status.outcome is Outcome.PRUNED:
            assert trial.num_epochs >= plan.space.search.grace_epochs


def test_the_leaderboard_puts_completed_trials_first_by_score(searched):
    plan, search_dir, _ = searched
    board = leaderboard(search_dir, plan.default_recipe)
    completed = [trial for trial in board if trial.status.outcome is Outcome.COMPLETED]
    assert board[: len(completed)] == completed
    scores = [trial.score for trial in completed]
    assert scores == sorted(scores, reverse=True)


def test_nothing_of_the_test_part_is_written(searched):
    _, search_dir, _ = searched
    assert not list(search_dir.rglob("*test*"))


def test_a_finished_search_has_nothing_to_run(searched):
    plan, search_dir, _ = searched
    source = TrialSource(plan, search_dir)
    assert source.num_to_run == 0
    assert source.next_run() is None
    assert len(source.ended) == 5


def test_extending_runs_the_new_trials_alone(searched, toy_store, tmp_path):
    plan, search_dir, _ = searched
    shutil.copytree(search_dir, tmp_path / "toy")
    longer = plan.model_copy(update={"num_trials": 7})
    check_plan(longer, tmp_path / "toy")
    follower = run_all(longer, tmp_path / "toy", toy_store)
    assert sorted(name[:5] for name in follower.started) == ["t0005", "t0006"]
    names = [run.path.name for run in map(RunDirectory, (tmp_path / "toy").glob("t0*"))]
    assert len(names) == len(set(names)) == 7


def test_an_unfinished_trial_goes_on_from_its_checkpoint(searched, toy_store, tmp_path):
    """A driver killed while two trials ran: their folders say running, one has a checkpoint."""
    from harness.trial import run_trial

    plan, search_dir, _ = searched
    shutil.copytree(search_dir, tmp_path / "toy")
    first, second = sorted((tmp_path / "toy").glob("t000[01]*"))
    whole = [report.metrics["val/loss"] for report in RunDirectory(first).epochs]
    recipe = RunDirectory(first).recipe
    shutil.rmtree(first)

    class DeathError(Exception):
        pass

    def die(report):
        if report.epoch == 2:
            raise DeathError

    with pytest.raises(DeathError):
        run_trial(recipe, Machine(store=toy_store.path, device="cpu"), first, die)
    for path in (first, second):
        RunDirectory(path).set_status(Status(outcome=Outcome.RUNNING))
    (second / "record.json").unlink(missing_ok=True)
    RunDirectory(second).keep_epochs(1)
    follower = run_all(plan, tmp_path / "toy", toy_store)
    assert sorted(follower.started) == [first.name, second.name]
    assert (first.name, 1) not in follower.epochs
    assert (first.name, 3) in follower.epochs
    resumed = [report.metrics["val/loss"] for report in RunDirectory(first).epochs]
    assert resumed == whole[: len(resumed)]


def test_a_diverged_trial_is_named_and_the_search_goes_on(toy_store, tmp_path):
    plan = plan_of(toy_store, num_trials=2, values=FAST | {"optim.name": "sgd", "optim.lr": 1e18})
    follower = run_all(plan, tmp_path / "toy", toy_store)
    assert len(follower.ended) == 2
    for status in follower.ended.values():
        assert (status.outcome, status.reason) == (Outcome.FAILED, FailureReason.DIVERGED)
    assert TrialSource(plan, tmp_path / "toy").num_to_run == 0


def test_files_of_ray_that_a_full_disk_has_cut_off_end_no_search(toy_store, tmp_path, monkeypatch):
    """It reads them back when all is done, for a result that nobody needs."""

    def read(analysis):
        raise EOFError("Ran out of input")

    monkeypatch.setattr("ray.tune.impl.tuner_internal.ResultGrid", read)
    follower = run_all(plan_of(toy_store, num_trials=1), tmp_path / "toy", toy_store)
    assert [status.outcome for status in follower.ended.values()] == [Outcome.COMPLETED]


def test_a_fault_while_runs_are_given_out_is_told(toy_store, tmp_path, monkeypatch):
    def fail(source):
        raise HarnessError("no more points")

    monkeypatch.setattr(TrialSource, "next_run", fail)
    with pytest.raises(HarnessError, match="no more points"):
        run_all(plan_of(toy_store, num_trials=1), tmp_path / "toy", toy_store)


def test_resources_that_no_node_has_are_refused_before_ray_waits():
    start_ray(None)
    with pytest.raises(HarnessError, match=r"asks for 1 CPU and 1 GPU.*largest of 1 Ray nodes"):
        fit_resources(Resources(cpus=1, gpus=1))
    with pytest.raises(HarnessError, match="asks for 512 CPU"):
        fit_resources(Resources(cpus=512))
    assert fit_resources(Resources(cpus=1)).gpus == 0
