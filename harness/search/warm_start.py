"""`warm_start`: what earlier searches have found good, as the first points of a new one.

Only values travel, and only those of parameters that both spaces search: they may be of another
model or another store. Winners are those of the validation score; no figure of a test part is read.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.parameters import Choice, Parameter, show_value
from harness.core.records import Outcome
from harness.core.space import SearchSpace
from harness.search.leaderboard import TrialSummary, leaderboard
from harness.search.plan import SearchPlan, WarmPoint, WarmStart, find_search, read_plan
from harness.search.samplers import point_key

NUM_POINTS = 3
"""From all searches together, and at least the winner of each."""


def warm_start(
    space: SearchSpace, searches: Sequence[str], results: Path, tell: Callable[[str], None]
) -> WarmStart:
    """The best points of earlier searches, in turn from each, fitted into a space.

    Args:
        tell: Called with a line about each point, and about what did not fit.

    Raises:
        HarnessError: There is no such search, none of its trials has completed, or it searches
            nothing that this space does.
    """
    winners = [_winners(name, space, results) for name in searches]
    turns = (each for turn in zip_longest(*winners) for each in turn if each is not None)
    known = {point_key(space.default_values())}
    points: list[WarmPoint] = []
    for plan, trial in turns:
        if len(points) >= max(NUM_POINTS, len(searches)):
            break
        old = {path: trial.recipe.get(path) for path in plan.space.space}
        values, changes = fit(space, old)
        if point_key(values) in known:
            continue
        known.add(point_key(values))
        points.append(WarmPoint(origin=f"{plan.name}/{trial.name}", values=values))
        changed = f"; {', '.join(changes)}" if changes else ""
        tell(f"warm start from {plan.name}/{trial.name}{changed}")
    return WarmStart(searches=tuple(searches), points=tuple(points))


def refit(begun: WarmStart, space: SearchSpace) -> WarmStart:
    """The points of a search that was begun, in its space as it is now."""
    points = (
        point.model_copy(update={"values": fit(space, point.values)[0]}) for point in begun.points
    )
    return begun.model_copy(update={"points": tuple(points)})


def fit(space: SearchSpace, old: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A point of the space with the values of another where it can have them, else defaults.

    Returns:
        The active values, and in words what was clipped to a range or left out.
    """
    changes: list[str] = []

    def value_of(path: str, parameter: Parameter) -> Any:
        if path not in old:
            return parameter.default
        value = old[path]
        if parameter.contains(value):
            return value
        if isinstance(parameter, Choice) or isinstance(value, (str, bool)):
            changes.append(f"{path} {show_value(value)} is left out")
            return parameter.default
        within = type(parameter.low)(min(max(value, parameter.low), parameter.high))
        changes.append(f"{path} {show_value(value)} is clipped to {show_value(within)}")
        return within

    return space.sample(value_of), changes


def _winners(name: str, space: SearchSpace, results: Path) -> list[tuple[SearchPlan, TrialSummary]]:
    folder = find_search(name, results)
    plan = read_plan(folder)
    shared = plan.space.space.keys() & space.space.keys()
    if not shared:
        raise HarnessError(
            f"--warm-start {name}: it searched {', '.join(plan.space.space)}, and {space.name} "
            "searches none of these"
        )
    board = leaderboard(folder, plan.default_recipe)
    completed = [trial for trial in board if trial.status.outcome is Outcome.COMPLETED]
    if not any(trial.score is not None for trial in completed):
        raise HarnessError(
            f"--warm-start {name}: none of its trials has completed; finish that search first"
        )
    return [(plan, trial) for trial in completed if trial.score is not None]
