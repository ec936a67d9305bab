"""The folder of a search of which not all is well, as its driver has left it."""

from pathlib import Path

from harness.core.ledger import Ledger, LedgerLine
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.space import SearchSpace
from harness.search.control import LEDGER_FILE
from harness.search.plan import SearchPlan, write_plan

FAILED = Status(outcome=Outcome.FAILED, reason=FailureReason.CODE, message="KeyError: 'x'")
DIVERGED = FAILED.model_copy(update={"reason": FailureReason.DIVERGED})
CUT_SHORT = Status(outcome=Outcome.PREEMPTED)


def begin_search(folder: Path) -> Path:
    """A search of five trials: `t0000-abcdef` failed, one diverged, one was cut short."""
    space = SearchSpace.load("dannynet-mini")
    plan = SearchPlan(
        name=folder.name, space=space, store=folder, store_fingerprint="f", num_trials=5, seed=0
    )
    write_plan(plan, folder)
    ledger = Ledger(folder / LEDGER_FILE)
    for number, status in enumerate([FAILED, DIVERGED, CUT_SHORT]):
        name = f"t000{number}-abcdef"
        run = RunDirectory(folder / name)
        run.path.mkdir()
        run.write_recipe(plan.default_recipe)
        run.set_status(status)
        values = dict(space.default_values())
        ledger.append(LedgerLine(trial=name, outcome=Outcome.QUEUED, values=values))
        ledger.note(name, status)
    return folder


def states(folder: Path) -> list[str]:
    """How its three trials stand, by their folders."""
    return [str(RunDirectory(folder / f"t000{number}-abcdef").status) for number in range(3)]
