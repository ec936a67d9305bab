"""A search that is cut off at any moment goes on as if it had not been: no Ray, invented curves.

A `Clerk` makes trials as a worker would: it writes run directories, epoch by epoch, with scores
that follow from the recipe.
"""

import json

import pytest

from harness.core.ledger import Ledger
from harness.core.records import EarlyReport, EpochReport, FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.search.budget import Budget
from harness.search.control import (
    Request,
    cancel_unfinished,
    choose_for_retry,
    receive,
    reopen,
    send,
)
from harness.search.search import SearchPlan, check_plan, write_plan
from harness.search.trial_source import TrialSource, scores_of
from harness.search.trial_sources import TrialSources

NUM_TRIALS, NUM_EPOCHS = 14, 9


class CutError(Exception):
    """The driver is killed."""


def plan_of(tmp_path, *, num_trials=NUM_TRIALS, name="toy", **changes):
    space = SearchSpace.load("dannynet-mini").with_base({"train.epochs": NUM_EPOCHS})
    return SearchPlan(
        name=name,
        space=space.with_search({"num_startup_trials": 4}),
        store=tmp_path,
        store_fingerprint="f" * 64,
        num_trials=num_trials,
        seed=3,
    ).model_copy(update=changes)


def score_of(recipe, epoch):
    """Between 0.5 and 1, rising, and decided by the recipe."""
    height = derive_seed(0, recipe.run_id) % 1000 / 2000
    return 0.5 + height * (1 - 0.7**epoch)


class Clerk:
    """Makes the runs of a source one after the other; dies after `cut` steps."""

    def __init__(self, source, cut=None):
        self.source, self.left = source, cut

    def step(self):
        if self.left is not None:
            if self.left == 0:
                raise CutError
            self.left -= 1

    def work(self):
        while run := self.source.next_run():
            self.step()
            run.directory.path.mkdir(parents=True, exist_ok=True)
            run.directory.write_recipe(run.recipe)
            self.step()
            self.source.on_start(run)
            self.step()
            self.source.on_end(run, self.make(run))

    def make(self, run):
        run.directory.set_status(Status(outcome=Outcome.RUNNING))
        if derive_seed(1, run.name) % 5 == 0:
            return self.end(run, Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED))
        while (epoch := len(run.directory.epochs) + 1) <= run.recipe.train.epochs:
            for part in range(1, run.reports_per_epoch):
                now = epoch - 1 + part / run.reports_per_epoch
                early = EarlyReport(epoch=now, score=score_of(run.recipe, now))
                run.directory.add_early(early)
                self.step()
                if not self.source.goes_on(run, early):
                    return self.end(run, Status(outcome=Outcome.PRUNED))
                self.step()
            report = EpochReport(epoch=epoch, metrics={SCORE: score_of(run.recipe, epoch)})
            run.directory.append_epoch(report)
            self.step()
            if not self.source.goes_on(run, report):
                return self.end(run, Status(outcome=Outcome.PRUNED))
            self.step()
        return self.end(run, Status(outcome=Outcome.COMPLETED))

    def end(self, run, status):
        run.directory.set_status(status)
        self.step()
        return status


def picture(search_dir):
    """Name, outcome and curve of every trial."""
    return {
        path.name: (str(run.status), list(scores_of(run).items()))
        for path in sorted(search_dir.glob("t*"))
        for run in [RunDirectory(path)]
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    Clerk(TrialSource(plan_of(folder), folder)).work()
    return picture(folder)


def test_an_undisturbed_search_has_every_outcome(undisturbed):
    assert len(undisturbed) == NUM_TRIALS
    outcomes = {outcome for outcome, _ in undisturbed.values()}
    assert outcomes == {"completed", "pruned", "failed: diverged"}


@pytest.mark.parametrize("cut", [0, 1, 3, 8, 17, 32, 57])
def test_a_search_cut_off_again_and_again_is_the_undisturbed_one(undisturbed, tmp_path, cut):
    """Killed after `cut` steps, then after `cut` + 1 more, and so on, until it is through."""
    for _ in range(200):
        try:
            Clerk(TrialSource(plan_of(tmp_path), tmp_path), cut).work()
            break
        except CutError:
            cut += 1
    assert picture(tmp_path) == undisturbed


def early_plan_of(tmp_path):
    """Two long epochs, of which the first rungs are quarters."""
    tree = SearchSpace.load("dannynet-mini").model_dump(mode="json")
    tree["base"]["train"]["epochs"] = 2
    tree["base"]["schedule"]["name"] = "cosine"
    tree["search"] |= {"grace_epochs": 0.25, "reports_per_epoch": 4, "num_startup_trials": 4}
    return plan_of(tmp_path, space=SearchSpace.model_validate(tree))


@pytest.fixture(scope="module")
def undisturbed_early(tmp_path_factory):
    folder = tmp_path_factory.mktemp("early")
    Clerk(TrialSource(early_plan_of(folder), folder)).work()
    return picture(folder)


@pytest.mark.parametrize("cut", [3, 17, 40])
def test_a_search_that_ends_trials_within_epochs_goes_on_alike(undisturbed_early, tmp_path, cut):
    last = {max(dict(curve), default=0) for state, curve in undisturbed_early.values()
            if state == "pruned"}  # fmt: skip
    assert last & {0.25, 0.75}, "some end within the first epoch"
    for _ in range(200):
        try:
            Clerk(TrialSource(early_plan_of(tmp_path), tmp_path), cut).work()
            break
        except CutError:
            cut += 1
    assert picture(tmp_path) == undisturbed_early
    ledger = Ledger(tmp_path / "ledger.jsonl")
    told = {name: str(ledger.last(name).status) for name in ledger.trials}
    assert told == {name: outcome for name, (outcome, _) in undisturbed_early.items()}


def test_the_ledger_tells_the_same_as_the_folders(undisturbed, tmp_path):
    with pytest.raises(CutError):
        Clerk(TrialSource(plan_of(tmp_path), tmp_path), cut=25).work()
    Clerk(TrialSource(plan_of(tmp_path), tmp_path)).work()
    ledger = Ledger(tmp_path / "ledger.jsonl")
    told = {name: str(ledger.last(name).status) for name in ledger.trials}
    assert told == {name: outcome for name, (outcome, _) in undisturbed.items()}
    first_lines = [line for line in ledger.lines if line.values is not None]
    assert len(first_lines) == len({line.trial for line in first_lines}) == NUM_TRIALS


def test_a_trial_whose_folder_is_gone_is_not_made_again(tmp_path):
    Clerk(TrialSource(plan_of(tmp_path, num_trials=3), tmp_path)).work()
    for path in next(tmp_path.glob("t0001*")).iterdir():
        path.unlink()
    next(tmp_path.glob("t0001*")).rmdir()
    assert TrialSource(plan_of(tmp_path, num_trials=3), tmp_path).num_to_run == 0


def test_a_folder_without_a_ledger_goes_on(undisturbed, tmp_path):
    with pytest.raises(CutError):
        Clerk(TrialSource(plan_of(tmp_path), tmp_path), cut=60).work()
    (tmp_path / "ledger.jsonl").unlink()
    Clerk(TrialSource(plan_of(tmp_path), tmp_path)).work()
    assert picture(tmp_path) == undisturbed


def test_equal_points_are_never_made_twice(tmp_path):
    tree = SearchSpace.load("dannynet-mini").model_dump(mode="json")
    tree["space"] = {
        "optim.lr": {"kind": "choice", "choices": [1e-3, 2e-3], "default": 2e-3},
        "loss.gamma": {"kind": "int", "low": 0, "high": 2, "default": 2},
    } | {}
    tree["space"]["loss.gamma"] = {"kind": "choice", "choices": [0.0, 1.0, 2.0], "default": 2.0}
    space = SearchSpace.model_validate(tree)
    plan = plan_of(tmp_path, num_trials=6, space=space)
    Clerk(TrialSource(plan, tmp_path)).work()
    points = {
        tuple(line.values.items())
        for line in Ledger(tmp_path / "ledger.jsonl").lines
        if line.values is not None
    }
    assert len(points) == 6


def test_seeds_differ_by_point_and_follow_from_the_seed_of_the_search(tmp_path):
    plan = plan_of(tmp_path, num_trials=5)
    Clerk(TrialSource(plan, tmp_path)).work()
    seeds = [RunDirectory(path).recipe.seed for path in sorted(tmp_path.glob("t0*"))]
    assert len(set(seeds)) == 5
    other = plan.model_copy(update={"seed": 4})
    assert other.default_recipe.seed != plan.default_recipe.seed == seeds[0]


# Steering ---------------------------------------------------------------------------------------


def test_stop_lets_the_running_trial_end_and_begins_none(tmp_path):
    source = TrialSource(plan_of(tmp_path), tmp_path)
    run = source.next_run()
    send(tmp_path, Request(what="stop"))
    assert source.end_now(run) is None
    assert source.next_run() is None
    assert receive(tmp_path) == []


def test_cancel_ends_the_running_trial_for_good(tmp_path):
    source = TrialSource(plan_of(tmp_path, num_trials=3), tmp_path)
    run = source.next_run()
    send(tmp_path, Request(what="cancel"))
    assert source.end_now(run).outcome is Outcome.CANCELLED
    assert source.next_run() is None


def test_retry_makes_a_failed_trial_again_from_its_epochs(tmp_path):
    plan = plan_of(tmp_path)
    Clerk(TrialSource(plan, tmp_path)).work()
    failed = [name for name, (outcome, _) in picture(tmp_path).items() if "diverged" in outcome]
    assert choose_for_retry(tmp_path) == []  # these would diverge again
    assert choose_for_retry(tmp_path, (failed[0][:5],)) == [failed[0]]
    reopen(tmp_path, Ledger(tmp_path / "ledger.jsonl"), [failed[0]])
    source = TrialSource(plan, tmp_path)
    assert source.num_to_run == 1
    assert source.next_run().name == failed[0]


def test_cancel_of_a_search_that_nobody_drives(tmp_path):
    with pytest.raises(CutError):
        Clerk(TrialSource(plan_of(tmp_path), tmp_path), cut=30).work()
    (name,) = cancel_unfinished(tmp_path, Ledger(tmp_path / "ledger.jsonl"))
    assert RunDirectory(tmp_path / name).status.outcome is Outcome.CANCELLED
    source = TrialSource(plan_of(tmp_path), tmp_path)
    assert name in [run.name for run in source.ended]


def test_searches_side_by_side_get_on_alike(tmp_path):
    sources = [
        TrialSource(plan_of(tmp_path, name="a", num_trials=4), tmp_path / "a"),
        TrialSource(plan_of(tmp_path, name="b", num_trials=2), tmp_path / "b"),
    ]
    both = TrialSources(sources, Budget())
    order = []
    while run := both.next_run():
        order.append(run.group)
    assert order == ["a", "b", "a", "a", "b", "a"]


@pytest.mark.parametrize("budget", [Budget(hours=0.0), Budget(gpu_hours=0.0)])
def test_a_spent_budget_cuts_short_what_runs_and_begins_nothing(tmp_path, budget):
    source = TrialSource(plan_of(tmp_path), tmp_path)
    run = source.next_run()
    sources = TrialSources([source], budget)
    assert sources.next_run() is None
    assert sources.end_now(run).outcome is Outcome.PREEMPTED


# Changes ----------------------------------------------------------------------------------------


def test_a_changed_search_is_refused_with_what_changed_unless_accepted(tmp_path):
    plan = plan_of(tmp_path, code={"torch": "2.15.0", "sources": "abc"})
    write_plan(plan, tmp_path)
    other = plan.model_copy(
        update={
            "code": {"torch": "2.16.0", "sources": "abc"},
            "store_fingerprint": "0" * 64,
            "space": plan.space.with_search({"sampler": "random"}),
        }
    )
    with pytest.raises(Exception, match="--accept-changes") as caught:
        check_plan(other, tmp_path)
    for told in ("code.torch was '2.15.0', is '2.16.0'", "sampler was 'gp'", "store_fingerprint"):
        assert told in str(caught.value)
    assert len(check_plan(other, tmp_path, accept_changes=True)) == 3
    free = plan.model_copy(update={"num_trials": 99, "keep": 1})
    assert check_plan(free, tmp_path) == []


def test_a_plan_from_before_a_key_was_written_goes_on(tmp_path):
    plan = plan_of(tmp_path, code={"torch": "2.15.0"})
    write_plan(plan, tmp_path)
    path = tmp_path / "search.json"
    tree = json.loads(path.read_text())
    del tree["code"]
    path.write_text(json.dumps(tree))
    assert check_plan(plan, tmp_path) == []


def test_trials_of_a_changed_space_and_store_are_set_aside(tmp_path):
    plan = plan_of(tmp_path, num_trials=6)
    with pytest.raises(CutError):
        Clerk(TrialSource(plan, tmp_path), cut=40).work()
    narrow = plan.space.model_dump(mode="json")
    narrow["space"]["optim.lr"] |= {"low": 1.9e-3, "high": 2.1e-3}
    changed = plan.model_copy(update={"space": SearchSpace.model_validate(narrow)})
    Clerk(TrialSource(changed, tmp_path)).work()
    assert len(picture(tmp_path)) == 6
    moved = changed.model_copy(update={"store_fingerprint": "0" * 64, "num_trials": 8})
    source = TrialSource(moved, tmp_path)
    assert source.num_to_run == 2
    Clerk(source).work()
    assert len(picture(tmp_path)) == 8
