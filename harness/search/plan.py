"""`SearchPlan`: what a search is, so that the same command goes on with it and another does not."""

from pathlib import Path
from typing import Any

from pydantic import Field

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import read_json, write_json
from harness.core.recipe import Frozen, Recipe
from harness.core.seeds import derive_seed
from harness.core.space import SearchSpace

PLAN_FILE = "search.json"
MAX_CHANGES = 8
"""Told where another search has the name."""

MAY_CHANGE = (
    "num_trials", "store", "keep", "space.title", "space.source", "space.published",
    "warm_start.points",
)  # fmt: skip
"""What may differ between two calls of one search: how much, where, and what people are told.

The points of a warm start follow from its searches, as they were when this search began.
"""


class WarmPoint(Frozen):
    """A point that another search has found good, fitted into the space of this one.

    Attributes:
        origin: The trial, as `search/trial`.
    """

    origin: str
    values: dict[str, Any]


class WarmStart(Frozen):
    """What a search tries right after its default point, best first.

    The values are copied when the search begins, so the other searches may be deleted.
    """

    searches: tuple[str, ...] = ()
    points: tuple[WarmPoint, ...] = ()


class SearchPlan(Frozen):
    """What a search is; written to `search.json` in its folder.

    Attributes:
        store_fingerprint: Of the image store that every recipe of the search is bound to.
        seed: Seeds the sampler, and each trial's training together with its point.
        code: Versions of what computes the figures.
        keep: So many of the best trials keep their weights.
    """

    name: str
    space: SearchSpace
    store: Path
    store_fingerprint: str
    num_trials: int
    seed: int
    code: dict[str, str] = Field(default_factory=dict)
    keep: int = 5
    warm_start: WarmStart = WarmStart()

    def recipe(self, values: dict[str, Any]) -> Recipe:
        """The recipe of a trial, bound to the store, with a seed that its point decides."""
        recipe = self.space.recipe(values).with_values({"data.store": self.store_fingerprint})
        seed = derive_seed(self.seed, "trial", recipe.run_id) % 2**31
        return recipe.with_values({"seed": seed})

    @property
    def first_points(self) -> list[dict[str, Any]]:
        """What is tried right after the default point."""
        return [dict(point.values) for point in self.warm_start.points]

    @property
    def default_recipe(self) -> Recipe:
        """The recipe of trial 0, at the space's default point."""
        return self.recipe(self.space.default_values())


def check_plan(plan: SearchPlan, search_dir: Path, *, accept_changes: bool = False) -> list[str]:
    """What the plan changes in the search of its name: nothing, or what was accepted.

    Only the number of trials, how many keep weights, and where the store lies, may change freely.

    Raises:
        HarnessError: Another search has this name; the message lists what differs.
    """
    changed = []
    if (search_dir / PLAN_FILE).exists():
        before = read_plan(search_dir)
        changed = _changes(before.model_dump(mode="json"), plan.model_dump(mode="json"))
    if changed and not accept_changes:
        more = f" and {len(changed) - MAX_CHANGES} more" if len(changed) > MAX_CHANGES else ""
        raise HarnessError(
            f"search {plan.name!r} was begun with other settings: "
            f"{'; '.join(changed[:MAX_CHANGES])}{more}; take another --name, or the same settings "
            "to continue it, or --accept-changes to go on with what there is now"
        )
    return changed


def write_plan(plan: SearchPlan, search_dir: Path) -> None:
    """Write the plan into the folder of its search."""
    write_json(search_dir / PLAN_FILE, plan.model_dump(mode="json"))


def find_search(name: str, results: Path) -> Path:
    """The folder of a search that was begun.

    Raises:
        HarnessError: There is no such search; the message names the others.
    """
    searches = results / "searches"
    if (searches / name / PLAN_FILE).is_file():
        return searches / name
    found = sorted(path.parent.name for path in searches.glob(f"*/{PLAN_FILE}"))
    hint = f"there are {', '.join(found)}" if found else "run `harness search` first"
    raise HarnessError(f"no search {name!r} in {searches}{did_you_mean(name, found)}: {hint}")


def read_plan(search_dir: Path) -> SearchPlan:
    """The plan of a search that was begun.

    Raises:
        HarnessError: It cannot be read.
    """
    path = search_dir / PLAN_FILE
    try:
        return SearchPlan.model_validate(read_json(path))
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise HarnessError(f"{path}: not a search ({reason})") from None


def _changes(before: Any, after: Any, place: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            change
            for name in before | after
            if (inner := f"{place}.{name}".strip(".")) not in MAY_CHANGE
            for change in _changes(before.get(name), after.get(name), inner)
        ]
    if before == after:
        return []
    if place.startswith("space.space.") and {type(before), type(after)} == {dict, type(None)}:
        was, now = ("searched", "fixed") if before else ("fixed", "searched")
        return [f"{place.removeprefix('space.space.')} was {was}, is {now}"]
    return [f"{place} was {before!r}, is {after!r}"]
