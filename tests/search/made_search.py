"""The folder of a search, written as a driver and its workers write it: no Ray, invented curves."""

from pathlib import Path

import numpy as np

from harness.core.ledger import Ledger, LedgerLine
from harness.core.provenance import code_version
from harness.core.records import EpochReport, Outcome, Provenance, Status
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.search.control import LEDGER_FILE
from harness.search.plan import SearchPlan, write_plan
from harness.search.study import Study

EPOCH_S = 90.0
SPACE = SearchSpace.load("dannynet-mini")


def make_search(
    folder: Path, *, num_trials: int = 16, pruned: range = range(0), store: str = "f" * 64
) -> SearchPlan:
    """A search whose score depends on the learning rate alone; all trials but `pruned` completed.

    Every trial but those has 6 epochs of 90 s each, rising to its score; a pruned one has 2.

    Args:
        store: Fingerprint of the image store that it is bound to.
    """
    plan = SearchPlan(
        name=folder.name, space=SPACE, store=folder, store_fingerprint=store,
        num_trials=num_trials, seed=0, code=code_version(),
    )  # fmt: skip
    write_plan(plan, folder)
    study = Study(SPACE.with_search({"sampler": "random"}), seed=5)
    for number in range(num_trials):
        values = study.ask(number)
        outcome = Outcome.PRUNED if number in pruned else Outcome.COMPLETED
        make_trial(folder, plan, number, values, outcome)
    return plan


def make_trial(
    folder: Path, plan: SearchPlan, number: int, values: dict, outcome: Outcome
) -> RunDirectory:
    """One trial with its line in the ledger."""
    recipe = plan.recipe(values)
    run = RunDirectory(folder / f"t{number:04}-{recipe.run_id[:6]}")
    run.path.mkdir(parents=True)
    run.write_recipe(recipe)
    run.write_provenance(
        Provenance(
            git_commit="c0ffee", git_dirty=False, versions={}, device="NVIDIA H100",
            split="official", split_sha256="ab" * 32, store_source="phantom", labels_sha256="",
        )
    )  # fmt: skip
    best = 0.0
    for epoch in range(1, (6 if outcome is Outcome.COMPLETED else 2) + 1):
        auroc = final_auroc(values) - 0.2 * 0.5**epoch
        best = max(best, auroc)
        metrics = {"val/auroc_macro": auroc, SCORE: best, "time/epoch_s": EPOCH_S}
        run.append_epoch(EpochReport(epoch=epoch, metrics=metrics))
    run.set_status(Status(outcome=outcome))
    ledger = Ledger(folder / LEDGER_FILE)
    ledger.append(LedgerLine(trial=run.path.name, outcome=Outcome.QUEUED, values=values))
    ledger.note(run.path.name, run.status)
    return run


def final_auroc(values: dict) -> float:
    """What a trial would reach after endless epochs."""
    return 0.8 - 0.03 * abs(float(np.log10(values["optim.lr"])) + 3)
