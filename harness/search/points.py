"""The points of a space that has only so many: such a search ends when all of them are tried."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.parameters import Choice, IntRange, Parameter
from harness.core.space import SearchSpace
from harness.core.space_checks import is_active
from harness.search.control import LEDGER_FILE
from harness.search.leaderboard import trial_number
from harness.search.plan import SearchPlan
from harness.search.samplers import PointKey, point_key

MAX_POINTS = 10_000
"""A space of more is not counted."""


def all_points(space: SearchSpace) -> list[dict[str, Any]] | None:
    """Every point; None where a range of real numbers is among them, or they are too many."""
    points: list[dict[str, Any]] = [{}]
    for path, parameter in space.parameters.items():
        longer = []
        for point in points:
            if not is_active(parameter, base=space.base, values=point):
                longer.append(point)
                continue
            values = _values(parameter)
            if values is None or len(longer) + len(values) > MAX_POINTS:
                return None
            longer += [point | {path: value} for value in values]
        points = longer
    return points


def untried(space: SearchSpace, tried: Iterable[PointKey]) -> list[dict[str, Any]] | None:
    """As `all_points`, without those that are tried."""
    points, known = all_points(space), set(tried)
    if points is None:
        return None
    return [point for point in points if point_key(point) not in known]


def check_room(plan: SearchPlan, search_dir: Path) -> None:
    """Refuse more trials than the space has points, before the first of them.

    Raises:
        HarnessError: It has fewer.
    """
    ledger = Ledger(search_dir / LEDGER_FILE)
    values = (ledger.values(name) for name in ledger.trials)
    left = untried(plan.space, (point_key(point) for point in values if point is not None))
    num_made = max((trial_number(name) + 1 for name in ledger.trials), default=0)
    if left is not None and plan.num_trials > num_made + len(left):
        num_most = num_made + len(left)
        raise HarnessError(
            f"search {plan.name!r}: {plan.num_trials} trials are asked for, and the space holds "
            f"{num_most} points; ask for --trials {num_most} or widen it"
        )


def _values(parameter: Parameter) -> Sequence[Any] | None:
    if isinstance(parameter, Choice):
        return parameter.choices
    if parameter.low == parameter.high:
        return (parameter.low,)
    return range(parameter.low, parameter.high + 1) if isinstance(parameter, IntRange) else None
