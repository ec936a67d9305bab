"""`SearchHistory`: the course of a search as its folder tells it, for pictures and for reports."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.parameters import Choice
from harness.core.recipe import Frozen
from harness.core.records import Outcome
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.search.control import LEDGER_FILE
from harness.search.importance import importance
from harness.search.leaderboard import trial_dirs
from harness.search.plan import SearchPlan, read_plan

log = logging.getLogger(__name__)


class TrialHistory(Frozen):
    """One trial.

    Attributes:
        values: What was sampled, by dotted recipe path; active parameters only.
        val_auroc: Validation macro AUROC after each epoch, from epoch 1.
        score: What ranks trials: the one of the epoch whose weights are kept, which is the best
            unless the recipe keeps weights by another figure; None where no epoch has one.
    """

    name: str
    outcome: Outcome
    values: dict[str, Any]
    val_auroc: tuple[float, ...]
    score: float | None


class SearchHistory(Frozen):
    """A search and its trials in the order of their numbers.

    Attributes:
        num_trials: Trials that the search was to make.
        log_scaled: Paths of parameters that are sampled on a logarithmic scale.
        importance: Share of each parameter in what makes the score vary, by Optuna's fANOVA; empty
            where there are too few completed trials.
        hours: Device-hours of all trials: the time of their epochs, training and validation, of
            which no later attempt made any again; starting up and waiting do not count. None
            where no trial has ended an epoch.
        device: What trials ran on; several are told in the order of their names.
    """

    name: str
    space: str
    num_trials: int
    trials: tuple[TrialHistory, ...]
    log_scaled: tuple[str, ...] = ()
    importance: dict[str, float] = Field(default_factory=dict)
    hours: float | None = None
    device: str = ""

    @property
    def winner(self) -> TrialHistory | None:
        """The completed trial with the best score; the earliest of equals."""
        completed = [trial for trial in self.trials if trial.outcome is Outcome.COMPLETED]
        scored = [trial for trial in completed if trial.score is not None]
        return max(scored, key=lambda trial: trial.score or 0.0, default=None)


def search_history(search_dir: Path) -> SearchHistory:
    """The course of a search, read from its folder by anybody at any time.

    Trials on another image store than the search's are left out, since their scores are of another
    measure; so are damaged ones, with a warning.

    Raises:
        HarnessError: There is no search, or its ledger is damaged.
    """
    plan = read_plan(search_dir)
    ledger = Ledger(search_dir / LEDGER_FILE)
    read = list(_read_trials(search_dir, plan, ledger))
    trials = tuple(trial for trial, _, _ in read)
    seconds = [seconds for _, seconds, _ in read if seconds is not None]
    completed = [
        (trial.values, trial.score)
        for trial in trials
        if trial.outcome is Outcome.COMPLETED and trial.score is not None
    ]
    return SearchHistory(
        name=plan.name,
        space=plan.space.name,
        num_trials=plan.num_trials,
        trials=trials,
        log_scaled=tuple(
            path
            for path, parameter in plan.space.parameters.items()
            if not isinstance(parameter, Choice) and parameter.is_log
        ),
        importance=importance(plan.space, completed, seed=plan.seed % 2**32),
        hours=sum(seconds) / 3600 if seconds else None,
        device=", ".join(sorted({device for _, _, device in read if device})),
    )


def _read_trials(
    search_dir: Path, plan: SearchPlan, ledger: Ledger
) -> Iterator[tuple[TrialHistory, float | None, str]]:
    """Each trial, the seconds of its epochs, and the device it ran on."""
    for run in trial_dirs(search_dir.resolve()):
        try:
            trial = _read_trial(run, plan, ledger)
            if trial is None:
                continue
            provenance = run.provenance
            yield trial, seconds_of(run), provenance.device if provenance else ""
        except (OSError, HarnessError) as error:
            log.warning("%s is left out: %s", run.path.name, error)


def _read_trial(run: RunDirectory, plan: SearchPlan, ledger: Ledger) -> TrialHistory | None:
    recipe = run.recipe
    if recipe is None or recipe.data.store != plan.store_fingerprint:
        return None
    values = ledger.values(run.path.name)
    if values is None:  # of a trial that is older than the ledger
        values = plan.space.sample(lambda path, parameter: recipe.get(path))
    epochs = [report.metrics for report in run.epochs]
    return TrialHistory(
        name=run.path.name,
        outcome=run.status.outcome,
        values=dict(values),
        val_auroc=tuple(m["val/auroc_macro"] for m in epochs if "val/auroc_macro" in m),
        score=epochs[-1].get(SCORE) if epochs else None,
    )


def seconds_of(run: RunDirectory) -> float | None:
    """What its record says; else the sum over its epochs, as of a pruned trial."""
    record = run.record
    if record is not None:
        return record.duration_s
    times = [report.metrics.get("time/epoch_s") for report in run.epochs]
    known = [seconds for seconds in times if seconds is not None]
    return sum(known) if known else None
