"""A search that is cut off at any moment goes on as if it had not been: no Ray, invented curves."""

import pytest

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.space import SearchSpace
from harness.search.breaker import MAX_IN_A_ROW
from harness.search.control import (
    Request,
    cancel_unfinished,
    choose_for_retry,
    receive,
    reopen,
    send,
)
from harness.search.trial_source import TrialSource
from tests.search.clerk import NUM_TRIALS, Clerk, CutError, picture, plan_of


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


def length_plan_of(tmp_path):
    """Trials of 3 or of 9 epochs, and a rung at the last of the short ones."""
    tree = SearchSpace.load("dannynet-mini").model_dump(mode="json")
    tree["base"]["train"]["epochs"] = 3
    tree["base"]["schedule"]["name"] = "cosine"
    tree["space"]["train.epochs"] = {"kind": "choice", "choices": [3, 9], "default": 3}
    tree["search"] |= {"grace_epochs": 3, "sampler": "random"}
    return plan_of(tmp_path, space=SearchSpace.model_validate(tree))


def test_rungs_are_those_of_the_longest_trial(tmp_path):
    source = TrialSource(length_plan_of(tmp_path), tmp_path)
    assert [rung.epoch for rung in source.asha.rungs] == [3]


@pytest.mark.parametrize("cut", [1, 3, 8])
def test_a_trial_at_its_last_epoch_is_not_pruned_whenever_the_driver_dies(tmp_path, cut):
    Clerk(TrialSource(length_plan_of(tmp_path / "whole"), tmp_path / "whole")).work()
    for _ in range(200):
        try:
            Clerk(TrialSource(length_plan_of(tmp_path / "cut"), tmp_path / "cut"), cut).work()
            break
        except CutError:
            cut += 1
    whole = picture(tmp_path / "whole")
    assert any(outcome == "pruned" for outcome, _ in whole.values())
    assert picture(tmp_path / "cut") == whole


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


def test_an_end_that_the_ledger_alone_could_write_is_written_into_the_folder(tmp_path):
    plan = plan_of(tmp_path, num_trials=3)
    Clerk(TrialSource(plan, tmp_path)).work()
    run = RunDirectory(next(tmp_path.glob("t0001*")))
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.DISK, message="full")
    run.set_status(Status(outcome=Outcome.QUEUED))
    Ledger(tmp_path / "ledger.jsonl").note(run.path.name, failed)
    assert TrialSource(plan, tmp_path).num_to_run == 0
    assert str(run.status) == "failed: disk"
    assert run.status.message == "full"


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
        "loss.gamma": {"kind": "choice", "choices": [0.0, 1.0, 2.0], "default": 2.0},
    }
    space = SearchSpace.model_validate(tree)
    plan = plan_of(tmp_path, num_trials=6, space=space)
    Clerk(TrialSource(plan, tmp_path)).work()
    points = {
        tuple(line.values.items())
        for line in Ledger(tmp_path / "ledger.jsonl").lines
        if line.values is not None
    }
    assert len(points) == 6


class BrokenNode(Clerk):
    """Fails each trial at once for one reason; every so manyth trains."""

    def __init__(self, source, reason, *, trains_every=0):
        super().__init__(source)
        self.reason, self.trains_every, self.num_made = reason, trains_every, 0

    def make(self, run):
        self.num_made += 1
        if self.trains_every and self.num_made % self.trains_every == 0:
            return super().make(run)
        return self.end(run, Status(outcome=Outcome.FAILED, reason=self.reason))


def test_a_node_that_fails_every_trial_does_not_have_them_all(tmp_path, caplog):
    plan = plan_of(tmp_path)
    source = TrialSource(plan, tmp_path)
    BrokenNode(source, FailureReason.DATA).work()
    assert len(source.ledger.trials) == MAX_IN_A_ROW
    assert (source.num_to_run, source.outcome) == (6, Outcome.PREEMPTED)
    assert "harness retry toy t0000 t0001 t0002 t0003 t0004 t0005 t0006 t0007" in caplog.text
    mended = TrialSource(plan, tmp_path)
    mended.reopen(mended.ledger.trials)
    Clerk(mended).work()
    assert (mended.num_to_run, mended.outcome) == (0, Outcome.COMPLETED)
    assert len(mended.ledger.trials) == NUM_TRIALS


@pytest.mark.parametrize(
    ("reason", "trains_every"), [(FailureReason.DIVERGED, 0), (FailureReason.DATA, 8)]
)
def test_failures_that_are_the_trials_own_end_no_search(tmp_path, reason, trains_every):
    source = TrialSource(plan_of(tmp_path), tmp_path)
    BrokenNode(source, reason, trains_every=trains_every).work()
    assert len(source.ledger.trials) == NUM_TRIALS
    assert source.outcome is Outcome.COMPLETED


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


def test_a_trial_whose_retry_is_asked_for_twice_is_made_once(tmp_path):
    plan = plan_of(tmp_path)
    Clerk(TrialSource(plan, tmp_path)).work()
    failed = next(name for name, (end, _) in picture(tmp_path).items() if "diverged" in end)
    source = TrialSource(plan, tmp_path)
    source.reopen([failed, failed])
    source.reopen([failed])
    assert source.num_to_run == 1
    run = source.next_run()
    source.on_start(run)
    source.reopen([failed])  # which is under way
    assert source.num_to_run == 0


def test_a_request_that_is_being_written_is_left_alone(tmp_path):
    send(tmp_path, Request(what="stop"))
    half = tmp_path / "control" / ".1-cancel.json.4711.partial.json"
    half.write_text("")
    assert receive(tmp_path) == [Request(what="stop")]
    assert half.exists()


def test_cancel_of_a_search_that_nobody_drives(tmp_path):
    with pytest.raises(CutError):
        Clerk(TrialSource(plan_of(tmp_path), tmp_path), cut=30).work()
    (name,) = cancel_unfinished(tmp_path, Ledger(tmp_path / "ledger.jsonl"))
    assert RunDirectory(tmp_path / name).status.outcome is Outcome.CANCELLED
    source = TrialSource(plan_of(tmp_path), tmp_path)
    assert name in [run.name for run in source.ended]


# Changes ----------------------------------------------------------------------------------------


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


def test_a_space_that_is_used_up_says_so(tmp_path):
    tree = SearchSpace.load("dannynet-mini").model_dump(mode="json")
    tree["space"] = {"augment.jitter": {"kind": "choice", "choices": [0.0, 0.1], "default": 0.1}}
    plan = plan_of(tmp_path, num_trials=9, space=SearchSpace.model_validate(tree))
    source = TrialSource(plan, tmp_path)
    assert {source.next_run().name[:5], source.next_run().name[:5]} == {"t0000", "t0001"}
    with pytest.raises(HarnessError, match="2 trials have tried what the space holds"):
        source.next_run()
