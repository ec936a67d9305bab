"""The trials of a search as its folder has them, best first. Needs neither Ray nor Optuna."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.core.recipe import Recipe
from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE


@dataclass(frozen=True, kw_only=True)
class TrialSummary:
    """One trial in a line.

    Attributes:
        score: Validation macro AUROC at the epoch whose weights are kept; None before the first.
        changes: `{path: (published value, own value)}` where the two recipes differ.
    """

    name: str
    status: Status
    score: float | None
    num_epochs: int
    best_epoch: int
    recipe: Recipe
    changes: dict[str, tuple[Any, Any]]
    path: Path


def trial_dirs(search_dir: Path) -> list[RunDirectory]:
    """The run directories of a search, in the order of their numbers."""
    return [RunDirectory(path) for path in sorted(search_dir.glob("t[0-9]*-*")) if path.is_dir()]


def trial_number(name: str) -> int:
    """7 for `t0007-3fa2c1`."""
    return int(name[1:].partition("-")[0])


def last_written(run: RunDirectory) -> str:
    """When a run directory was last written to, ISO 8601."""
    times = [path.stat().st_mtime for path in run.path.iterdir() if path.is_file()]
    return datetime.fromtimestamp(max(times), UTC).isoformat(timespec="milliseconds")


def summarize(run: RunDirectory, published: Recipe) -> TrialSummary | None:
    """The summary of a run directory; None where a crash left it without a recipe.

    None also for a trial on another image store than `published`: its score is another measure.
    """
    recipe = run.recipe
    if recipe is None or recipe.data.store != published.data.store:
        return None
    epochs = run.epochs
    last = epochs[-1].metrics if epochs else {}
    changes = published.differences(recipe)
    return TrialSummary(
        name=run.path.name,
        status=run.status,
        score=last.get(SCORE),
        num_epochs=len(epochs),
        best_epoch=int(last.get("best/epoch", 0)),
        recipe=recipe,
        changes={
            path: pair for path, pair in changes.items() if path not in ("seed", "data.store")
        },
        path=run.path,
    )


def leaderboard(search_dir: Path, published: Recipe) -> list[TrialSummary]:
    """All trials of a search: completed ones first, each group best first."""
    summaries = (summarize(run, published) for run in trial_dirs(search_dir))
    return rank([summary for summary in summaries if summary is not None])


def rank(trials: Iterable[TrialSummary]) -> list[TrialSummary]:
    """Completed trials by falling score, then pruned ones, then the rest."""
    order = {Outcome.COMPLETED: 0, Outcome.PRUNED: 1}

    def key(trial: TrialSummary) -> tuple[int, float, str]:
        score = -1.0 if trial.score is None else trial.score
        return order.get(trial.status.outcome, 2), -score, trial.name

    return sorted(trials, key=key)


def count_outcomes(trials: Iterable[TrialSummary]) -> dict[Outcome, int]:
    """How many trials ended (or stand) in each way."""
    counts: dict[Outcome, int] = {}
    for trial in trials:
        counts[trial.status.outcome] = counts.get(trial.status.outcome, 0) + 1
    return counts


def describe_counts(counts: Mapping[Outcome, int], num_to_run: int) -> str:
    """`40 trials: 23 completed, 9 pruned, 2 failed, 6 to run`."""
    parts = [f"{count} {outcome}" for outcome, count in counts.items()]
    total = sum(counts.values()) + num_to_run
    noun = "trial" if total == 1 else "trials"
    return f"{total} {noun}: {', '.join([*parts, f'{num_to_run} to run'])}"


def leaderboard_row(trial: TrialSummary) -> dict[str, Any]:
    """A trial as a row of a table: its state, its score, and what it changed."""
    changes = {path: own for path, (_, own) in trial.changes.items()}
    return {
        "trial": trial.name,
        "outcome": str(trial.status),
        SCORE: trial.score,
        "epochs": trial.num_epochs,
    } | changes
