"""`Contestant`: a row of a benchmark, and how the rows follow from what the searches found.

A search is chosen from by validation figures alone; nothing here opens a test file.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import read_json
from harness.core.recipe import Recipe
from harness.core.records import Outcome, RunRecord
from harness.core.run import Run
from harness.core.selection import SCORE, rank_runs
from harness.core.space import SearchSpace
from harness.search.leaderboard import trial_dirs

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """The trial that a contestant comes from.

    Attributes:
        store: Fingerprint of the image store that the search chose on.
        score: Its validation macro AUROC.
        num_trials: Completed trials of the search, among which it was chosen.
    """

    search: str
    trial: str
    store: str
    score: float
    num_trials: int


@dataclass(frozen=True)
class Contestant:
    """A recipe that is to be trained with fresh seeds and scored on test.

    Attributes:
        slug: Name of its runs' directories; the same whether or not the search goes on.
        recipe: With seed 0 and bound to no store.
        changes: What the search changed, `{path: (published, tuned)}`.
    """

    label: str
    slug: str
    recipe: Recipe
    is_published: bool
    is_winner: bool
    origin: Origin | None = None
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

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
        trials: Record of each completed trial, by trial name.
    """

    name: str
    space: SearchSpace
    store_fingerprint: str
    trials: Mapping[str, RunRecord]

    def origin_of(self, record: RunRecord) -> Origin:
        trial = next(name for name, each in self.trials.items() if each is record)
        return Origin(
            search=self.name,
            trial=trial,
            store=self.store_fingerprint,
            score=record.metrics[SCORE],
            num_trials=len(self.trials),
        )


def contestants(plan: BenchmarkPlan, results: Path) -> list[Contestant]:
    """The rows of a plan, in its order; a recipe that comes twice is one row with both labels.

    Args:
        results: The folder that holds `searches`.

    Raises:
        HarnessError: A search does not exist, has no completed trial, or chose on other images than
            the rest; a space does not exist.
    """
    searches = [read_search(name, results) for name in plan.searches]
    rows = [row for search in searches for row in _of_search(search, plan.published)]
    rows += [_of_space(name) for name in plan.recipes]
    _check_same_images(searches, rows)
    unique: dict[str, Contestant] = {}
    for row in rows:
        same = unique.get(row.recipe.run_id)
        unique[row.recipe.run_id] = _merged(same, row) if same else row
    return list(unique.values())


def _merged(first: Contestant, second: Contestant) -> Contestant:
    """One row of two that are the same experiment; what is told of the origin is a winner's."""
    told = first if first.is_winner or not second.is_winner else second
    return replace(
        first,
        label=f"{first.label}, {second.label}",
        is_published=first.is_published or second.is_published,
        is_winner=told.is_winner,
        origin=told.origin,
        changes=told.changes,
    )


# Searches -----------------------------------------------------------------------------------


def read_search(name: str, results: Path) -> SearchResult:
    """A search and its completed trials.

    Raises:
        HarnessError: There is no such search, it cannot be read, or no trial has completed.
    """
    folder = results / "searches" / name
    if not (folder / "search.json").exists():
        raise HarnessError(_no_such_search(name, folder.parent))
    try:
        facts = read_json(folder / "search.json")
        space = SearchSpace.model_validate(facts["space"])
        fingerprint = str(facts["store_fingerprint"])
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{folder / 'search.json'}: not a search ({_brief(error)})") from None
    trials = _completed_trials(folder)
    if not trials:
        raise HarnessError(
            f"search {name!r} has no completed trial in {folder}; run `harness search` again, "
            "which continues it"
        )
    return SearchResult(name, space, fingerprint, trials)


def _no_such_search(name: str, folder: Path) -> str:
    found = sorted(path.parent.name for path in folder.glob("*/search.json"))
    hint = f"there are {', '.join(found)}" if found else "run `harness search` first"
    return f"no search {name!r} in {folder}{did_you_mean(name, found)}: {hint}"


def _completed_trials(folder: Path) -> dict[str, RunRecord]:
    trials = {}
    for trial in trial_dirs(folder.resolve()):
        try:
            is_completed, record = trial.status.outcome is Outcome.COMPLETED, trial.record
        except (OSError, ValueError) as error:
            logger.warning("%s is left out: cannot be read (%s)", trial.path, _brief(error))
            continue
        if is_completed and record and SCORE in record.metrics:
            trials[trial.path.name] = record
    return trials


def _of_search(search: SearchResult, is_published_wanted: bool) -> list[Contestant]:
    published = published_recipe(search.space)
    best = rank_runs(search.trials.values())[0]
    tuned = without_seed_and_store(best.recipe)
    is_same = tuned == published
    winner = Contestant(
        label=f"{search.name} ({'published = tuned' if is_same else 'tuned'})",
        slug=f"{search.name}-{'published' if is_same else 'tuned'}",
        recipe=tuned,
        is_published=is_same,
        is_winner=True,
        origin=search.origin_of(best),
        changes=published.differences(tuned),
    )
    if is_same or not is_published_wanted:
        return [winner]
    return [winner, _published(search, published)]


def _published(search: SearchResult, recipe: Recipe) -> Contestant:
    own = [each for each in search.trials.values() if without_seed_and_store(each.recipe) == recipe]
    return Contestant(
        label=f"{search.name} (published)",
        slug=f"{search.name}-published",
        recipe=recipe,
        is_published=True,
        is_winner=False,
        origin=search.origin_of(rank_runs(own)[0]) if own else None,
    )


def _of_space(name: str) -> Contestant:
    return Contestant(
        label=f"{name} (published)",
        slug=f"{name}-published",
        recipe=published_recipe(SearchSpace.load(name)),
        is_published=True,
        is_winner=False,
    )


def published_recipe(space: SearchSpace) -> Recipe:
    """The recipe at the default point of a space, with seed 0 and bound to no store."""
    return without_seed_and_store(space.recipe(space.default_values()))


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


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
