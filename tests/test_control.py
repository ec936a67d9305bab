"""`harness status | stop | cancel | retry`: what another terminal sees and asks of a search."""

import pytest

from harness.core.ledger import Ledger, LedgerLine
from harness.core.locks import held
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.space import SearchSpace
from harness.search.control import Request, receive
from harness.search.plan import SearchPlan, write_plan

pytestmark = pytest.mark.usefixtures("alone")

FAILED = Status(outcome=Outcome.FAILED, reason=FailureReason.CODE, message="KeyError: 'x'")


@pytest.fixture
def folder(tmp_path):
    """A search of five trials: one failed, one diverged, one cut short, two not begun."""
    space = SearchSpace.load("dannynet-mini")
    folder = tmp_path / "results" / "searches" / "toy"
    plan = SearchPlan(
        name="toy", space=space, store=tmp_path, store_fingerprint="f", num_trials=5, seed=0
    )
    write_plan(plan, folder)
    ledger = Ledger(folder / "ledger.jsonl")
    diverged = FAILED.model_copy(update={"reason": FailureReason.DIVERGED})
    for number, status in enumerate([FAILED, diverged, Status(outcome=Outcome.PREEMPTED)]):
        name = f"t000{number}-abcdef"
        run = RunDirectory(folder / name)
        run.path.mkdir()
        run.write_recipe(plan.default_recipe)
        run.set_status(status)
        values = dict(space.default_values())
        ledger.append(LedgerLine(trial=name, outcome=Outcome.QUEUED, values=values))
        ledger.note(name, status)
    return folder


def state(folder, number):
    (path,) = folder.glob(f"t000{number}-*")
    return str(RunDirectory(path).status)


def test_status_tells_all_and_what_to_do_next(harness, folder):
    code, out, err = harness("status", "toy")
    assert (code, err) == (0, "")
    assert "search toy: not running" in out
    assert "5 trials: 2 failed, 1 preempted, 2 not begun" in out
    assert "t0000-abcdef failed: code: KeyError: 'x'" in out
    assert "next: harness retry toy" in out


def test_status_names_who_drives(harness, folder):
    with held(folder / "lock"):
        assert "search toy: driven by process" in harness("status", "toy")[1]


def test_a_name_that_is_none_is_told_with_the_nearest(harness, folder):
    for command in ("status", "stop", "cancel", "retry"):
        code, out, err = harness(command, "toyy")
        assert (code, out) == (2, "")
        assert "no search 'toyy'" in err
        assert "did you mean 'toy'?" in err


def test_stop_of_what_does_not_run_is_a_mistake(harness, folder):
    code, _, err = harness("stop", "toy")
    assert code == 2
    assert "not running" in err


@pytest.mark.parametrize("word", ["stop", "cancel"])
def test_who_drives_a_search_gets_the_request(harness, folder, word):
    with held(folder / "lock"):
        assert harness(word, "toy")[0] == 0
    assert receive(folder) == [Request(what=word)]


def test_cancel_of_an_idle_search_ends_what_was_cut_short(harness, folder):
    code, out, _ = harness("cancel", "toy")
    assert (code, "cancelled 1 unfinished" in out) == (0, True)
    assert state(folder, 2) == "cancelled"


def test_retry_reopens_what_another_try_could_mend(harness, folder):
    code, out, _ = harness("retry", "toy")
    assert code == 0
    assert "t0000-abcdef" in out
    assert "t0001" not in out
    assert [state(folder, number) for number in range(2)] == ["queued", "failed: diverged"]


def test_retry_takes_names_and_refuses_what_has_not_failed(harness, folder):
    assert harness("retry", "toy", "t0001")[0] == 0
    assert state(folder, 1) == "queued"
    code, _, err = harness("retry", "toy", "t0002")
    assert code == 2
    assert "t0002-abcdef is preempted" in err
    code, _, err = harness("retry", "toy", "t0009")
    assert code == 2
    assert "no trial 't0009'" in err
