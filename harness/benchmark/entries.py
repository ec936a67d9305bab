"""`Entry`: the predictions behind one row of a comparison, read from its folder.

What is not there is a reason, not an error: figures can be computed at any moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np

from harness.benchmark.comparison import Comparison, foreign_file
from harness.benchmark.contestants import Contestant
from harness.benchmark.final_runs import final_runs
from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.recipe import EvaluationRecipe
from harness.core.records import Outcome, RunRecord
from harness.core.run import Run
from harness.evaluation.subgroups import Cases
from harness.evaluation.thresholds import tune_thresholds
from harness.explain.explanations import Explanations, read_explanations

Thresholds = Mapping[str, float | None]


@dataclass(frozen=True, eq=False)
class Scored:
    """The predictions of one training seed.

    Attributes:
        val: None for predictions from elsewhere that came without any.
        thresholds: Frozen before test was scored; None where there is no validation.
        rule: That tuned them.
        record: Of a final run.
        explanations: Of test, where the run's maps were held against boxes.
    """

    test: Predictions
    val: Predictions | None = None
    thresholds: Thresholds | None = None
    rule: str = ""
    record: RunRecord | None = None
    explanations: Explanations | None = None

    @classmethod
    def tuned(cls, test: Predictions, val: Predictions | None, rule: str) -> Self:
        """With thresholds that are tuned now, on validation."""
        return cls(test, val, tune_thresholds(val, rule) if val else None, rule)


@dataclass(frozen=True, eq=False)
class Entry:
    """One row to be.

    Attributes:
        scored: One for each training seed that has test predictions.
        reasons: Name of each final run that has none, and why.
        runs: The final runs of a contestant, made or not.
        members: Labels of the entries that an ensemble is the mean of.
    """

    label: str
    kind: Literal["final", "ensemble", "foreign"]
    scored: tuple[Scored, ...]
    contestant: Contestant | None = None
    runs: tuple[Run, ...] = ()
    reasons: Mapping[str, str] | None = None
    members: tuple[str, ...] = ()

    @property
    def num_seeds(self) -> int:
        """Training seeds asked for; 1 for what is not trained here."""
        return len(self.runs) or 1


def read_entries(comparison: Comparison, folder: Path, cases: Cases) -> list[Entry]:
    """The rows of a comparison, in its order: contestants, ensembles, predictions from elsewhere.

    Every prediction of `test` is of `cases`, image by image.
    """
    runs = final_runs(
        comparison.contestants,
        seeds=comparison.num_seeds,
        benchmark=folder.name,
        results=folder.parent,
        store=comparison.images.fingerprint,
    )
    entries = [_final_entry(contestant, runs, cases) for contestant in comparison.contestants]
    if comparison.statistics.ensembles:
        entries += _ensembles(entries, _rule(entries))
    foreign = [
        _foreign_entry(name, folder, cases, rule=_rule(entries)) for name in comparison.foreign
    ]
    return [*entries, *foreign]


def _rule(entries: Sequence[Entry]) -> str:
    """The threshold rule of the final runs, which all that is compared with them follows."""
    records = (scored.record for entry in entries for scored in entry.scored)
    rules = (record.recipe.evaluation.threshold_rule for record in records if record)
    return next(rules, EvaluationRecipe().threshold_rule)


# Final runs ---------------------------------------------------------------------------------


def _final_entry(contestant: Contestant, runs: Sequence[Run], cases: Cases) -> Entry:
    own = tuple(run for run in runs if contestant.made(run))
    read = {run.name: read_run(run, cases) for run in own}
    return Entry(
        label=contestant.label,
        kind="final",
        scored=tuple(each for each in read.values() if isinstance(each, Scored)),
        contestant=contestant,
        runs=own,
        reasons={name: each for name, each in read.items() if isinstance(each, str)},
    )


def read_run(run: Run, cases: Cases) -> Scored | str:
    """What a final run has scored, or the reason why there is nothing."""
    try:
        return _read_run(run, cases)
    except (OSError, HarnessError) as error:
        return f"cannot be read: {_first_line(error)}"


def _read_run(run: Run, cases: Cases) -> Scored | str:
    directory = run.directory
    status, record = directory.status, directory.record
    if status.outcome is Outcome.QUEUED:
        return "not run yet"
    if status.outcome is not Outcome.COMPLETED:
        return f"{status} ({_first_line(status.message)})" if status.message else str(status)
    if record is None:
        return "completed, but record.json is missing"
    if record.run_id != run.recipe.run_id:
        return f"its directory holds another recipe ({record.run_id[:6]})"
    test = directory.predictions("test") if directory.test_evaluation else None
    if test is None:
        return "trained, but its test part has not been scored"
    if not _is_of(test, cases):
        return "not comparable: it was scored on other test images"
    rule = record.recipe.evaluation.threshold_rule
    return Scored(
        test,
        directory.predictions("val"),
        directory.thresholds,
        rule,
        record,
        read_explanations(directory.path, "test"),
    )


def _is_of(predictions: Predictions, cases: Cases) -> bool:
    return np.array_equal(predictions.image_ids, cases.image_ids)


def _first_line(message: object) -> str:
    return (str(message).strip().splitlines() or [""])[0]


# Ensembles ----------------------------------------------------------------------------------


def _ensembles(entries: Sequence[Entry], rule: str) -> list[Entry]:
    """The seeds of each contestant as one, and all seeds of all winners as one."""
    several = [entry for entry in entries if len(entry.scored) > 1]
    made = [_ensemble(f"{entry.label}, seeds averaged", [entry], rule) for entry in several]
    winners = [each for each in entries if each.contestant and each.contestant.is_winner]
    winners = [each for each in winners if each.scored]
    if len(winners) > 1:
        made.append(_ensemble("all winners averaged", winners, rule))
    return made


def _ensemble(label: str, members: Sequence[Entry], rule: str) -> Entry:
    runs = [scored for entry in members for scored in entry.scored]
    vals = [scored.val for scored in runs if scored.val is not None]
    val = _mean(vals) if len(vals) == len(runs) else None
    scored = Scored.tuned(_mean(scored.test for scored in runs), val, rule)
    return Entry(label, "ensemble", (scored,), members=tuple(entry.label for entry in members))


def _mean(predictions: Iterable[Predictions]) -> Predictions:
    """Mean of the scores; all are of the same images in the same order."""
    first, *others = predictions
    score_SNL = np.array([each.score_NL for each in (first, *others)])
    return replace(first, score_NL=score_SNL.mean(axis=0, dtype=np.float64).astype(np.float32))


# Predictions from elsewhere -------------------------------------------------------------------


def _foreign_entry(name: str, folder: Path, cases: Cases, *, rule: str) -> Entry:
    path = foreign_file(folder, name, "test")
    test = Predictions.load(path)
    if not _is_of(test, cases):
        raise HarnessError(f"{path}: of other test images; give --predictions {name}=FILE again")
    val_file = foreign_file(folder, name, "val")
    val = Predictions.load(val_file) if val_file.exists() else None
    return Entry(name, "foreign", (Scored.tuned(test, val, rule),))
