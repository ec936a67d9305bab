"""`Contestant`: a row of a benchmark, and how the rows follow from what the searches found.

A search is chosen from by validation figures alone; nothing here opens a test file.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.core.recipe import IMAGENET, RANDOM, Frozen, Recipe
from harness.core.records import Outcome, RunRecord
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE, rank_runs
from harness.core.space import SearchSpace
from harness.search.leaderboard import trial_dirs
from harness.search.plan import find_search, read_plan

log = logging.getLogger(__name__)

UNFINISHED = "unfinished"


class Origin(Frozen):
    """The trial that a contestant comes from.

    Attributes:
        store: Fingerprint of the image store that the search chose on.
        score: Its validation macro AUROC.
        num_trials: Completed trials of the search, among which it was chosen.
        num_planned: Trials that the search was to make: its budget.
    """

    search: str
    trial: str
    store: str
    score: float
    num_trials: int
    num_planned: int


class Contestant(Frozen):
    """A recipe that is to be trained with fresh seeds and scored on test.

    Attributes:
        slug: Name of its runs' directories; the same whether or not the search goes on.
        recipe: With seed 0 and bound to no store.
        is_default: It is the default point of its space.
        changes: What the search changed, `{path: (default, tuned)}`.
    """

    label: str
    slug: str
    recipe: Recipe
    is_default: bool
    is_winner: bool
    origin: Origin | None = None
    changes: dict[str, tuple[Any, Any]] = Field(default_factory=dict)

    @property
    def network(self) -> str:
        """The network and its weights: a tag stands for its own weights, and only for them.

        So it is `densenet121.tv_in1k`, or `densenet121, from scratch`, or
        `densenet121, from mine.safetensors`.
        """
        model = self.recipe.model
        if model.weights == IMAGENET:
            return model.network
        start = "scratch" if model.weights == RANDOM else Path(model.weights).name
        return f"{model.network}, from {start}"

    def made(self, run: Run) -> bool:
        """True for a run of this contestant's recipe, whatever its seed and store."""
        return without_seed_and_store(run.recipe) == self.recipe


def without_seed_and_store(recipe: Recipe) -> Recipe:
    """The recipe as a method: seed 0, bound to no image store."""
    return recipe.with_values({"seed": 0, "data.store": ""})


@dataclass(frozen=True)
class SearchResult:
    """A search as its folder tells it.

    Attributes:
        store_fingerprint: Of the image store it trained on.
        num_planned: Trials that it was to make.
        trials: Record of each completed trial, by trial name.
    """

    name: str
    space: SearchSpace
    store_fingerprint: str
    num_planned: int
    trials: Mapping[str, RunRecord]

    def origin_of(self, record: RunRecord) -> Origin:
        """Where a contestant comes from that is chosen by the record of one of the trials."""
        trial = next(name for name, each in self.trials.items() if each is record)
        return Origin(
            search=self.name,
            trial=trial,
            store=self.store_fingerprint,
            score=record.metrics[SCORE],
            num_trials=len(self.trials),
            num_planned=self.num_planned,
        )


def contestants(plan: BenchmarkPlan, results: Path) -> list[Contestant]:
    """The rows of a plan, in its order; a recipe that comes twice is one row with both labels.

    Args:
        results: The folder that holds `searches`.

    Raises:
        HarnessError: A search does not exist, has no completed trial, had another number of trials
            than the rest or chose on other images; a space does not exist.
    """
    searches = [read_search(name, results) for name in plan.searches]
    rows = [row for search in searches for row in _of_search(search, plan.published)]
    rows += [_default_point(SearchSpace.load(name), name=name) for name in plan.recipes]
    _check_same_images(searches, rows)
    if not plan.unequal_budgets:
        _check_same_budget(searches)
    unique: dict[str, Contestant] = {}
    for row in rows:
        same = unique.get(row.recipe.run_id)
        unique[row.recipe.run_id] = _merged(same, row) if same else row
    return list(unique.values())


def _merged(first: Contestant, second: Contestant) -> Contestant:
    """One row of two that are the same experiment; what is told of the origin is a winner's."""
    told = first if first.is_winner or not second.is_winner else second
    return first.model_copy(
        update={
            "label": f"{first.label}, {second.label}",
            "is_default": first.is_default or second.is_default,
            "is_winner": told.is_winner,
            "origin": told.origin,
            "changes": told.changes,
        }
    )


# Searches -----------------------------------------------------------------------------------


def read_search(name: str, results: Path) -> SearchResult:
    """A search and its completed trials.

    Raises:
        HarnessError: There is no such search, it cannot be read, or no trial has completed.
    """
    folder = find_search(name, results)
    plan = read_plan(folder)
    trials = _completed_trials(folder, plan.store_fingerprint)
    if not trials:
        raise HarnessError(_no_completed_trial(folder, plan.num_trials))
    return SearchResult(name, plan.space, plan.store_fingerprint, plan.num_trials, trials)


def _no_completed_trial(folder: Path, num_planned: int) -> str:
    ends = Counter(map(_end_of, trial_dirs(folder.resolve())))
    ends[UNFINISHED] += max(0, num_planned - ends.total())
    ways = []
    if ends[Outcome.FAILED] or ends[Outcome.CANCELLED]:
        ways.append(f"`harness retry {folder.name}` reopens failed and cancelled trials")
    if ends[UNFINISHED]:
        ways.append("the same `harness search` command continues unfinished ones")
    if not ways:
        ways.append("the same `harness search` command with more --trials makes new ones")
    told = ", ".join(f"{count} {end}" for end, count in ends.items() if count)
    return f"search {folder.name!r} has no completed trial in {folder} ({told}): {'; '.join(ways)}"


def _end_of(trial: RunDirectory) -> str:
    try:
        outcome = trial.status.outcome
    except (OSError, HarnessError):
        return "unreadable"
    if outcome is Outcome.COMPLETED:
        return "without a score"
    return outcome if outcome.is_final else UNFINISHED


def _completed_trials(folder: Path, store: str) -> dict[str, RunRecord]:
    """Record of each completed trial on the search's image store, by name.

    A search that went on with another store has trials whose scores are of another measure.
    """
    trials = {}
    for trial in trial_dirs(folder.resolve()):
        try:
            is_completed, record = trial.status.outcome is Outcome.COMPLETED, trial.record
        except (OSError, HarnessError) as error:
            log.warning("%s is left out: %s", trial.path.name, error)
            continue
        is_comparable = record is not None and record.recipe.data.store == store
        if is_completed and record and is_comparable and SCORE in record.metrics:
            trials[trial.path.name] = record
    return trials


# Rows ---------------------------------------------------------------------------------------


def _of_search(search: SearchResult, is_default_wanted: bool) -> list[Contestant]:
    default, word = without_seed_and_store(search.space.default_recipe), default_word(search.space)
    best = rank_runs(search.trials.values())[0]
    tuned = without_seed_and_store(best.recipe)
    is_same = tuned == default
    winner = Contestant(
        label=f"{search.name} ({f'{word} = tuned' if is_same else 'tuned'})",
        slug=f"{search.name}-{word if is_same else 'tuned'}",
        recipe=tuned,
        is_default=is_same,
        is_winner=True,
        origin=search.origin_of(best),
        changes=default.differences(tuned),
    )
    if is_same or not is_default_wanted:
        return [winner]
    own = [
        each for each in search.trials.values() if without_seed_and_store(each.recipe) == default
    ]
    origin = search.origin_of(rank_runs(own)[0]) if own else None
    return [winner, _default_point(search.space, name=search.name, origin=origin)]


def _default_point(space: SearchSpace, *, name: str, origin: Origin | None = None) -> Contestant:
    word = default_word(space)
    return Contestant(
        label=f"{name} ({word})",
        slug=f"{name}-{word}",
        recipe=without_seed_and_store(space.default_recipe),
        is_default=True,
        is_winner=False,
        origin=origin,
    )


def default_word(space: SearchSpace) -> str:
    """What the default point of a space is called: `published` where it is, else `default`."""
    return "published" if space.published else "default"


# Fairness -----------------------------------------------------------------------------------


def _check_same_images(searches: list[SearchResult], rows: list[Contestant]) -> None:
    """Winners chosen on other images may have been chosen on this comparison's test images."""
    stores = {search.name: f"image store {search.store_fingerprint[:8]}" for search in searches}
    splits = {row.label: f"split {row.recipe.data.split!r}" for row in rows}
    for places in (stores, splits):
        first, *others = places.items() or [("", "")]
        for name, place in others:
            if place != first[1]:
                raise HarnessError(
                    f"not comparable: {first[0]} chose on {first[1]}, {name} on {place}; "
                    "search both on the same images"
                )


def _check_same_budget(searches: list[SearchResult]) -> None:
    """The best of more trials is better by luck alone."""
    budgets = {search.name: search.num_planned for search in searches}
    if len(set(budgets.values())) > 1:
        most = max(budgets.values())
        told = ", ".join(f"{name} {number}" for name, number in budgets.items())
        short = next(name for name, number in budgets.items() if number < most)
        raise HarnessError(
            f"not a fair comparison: the searches had different numbers of trials ({told}); give "
            f"the shorter ones more, such as `harness search {short} ... --trials "
            f"{most}`, or compare with --unequal-budgets, which the table will say"
        )
