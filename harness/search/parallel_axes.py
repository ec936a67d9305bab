"""Parallel coordinates of one search: an axis a parameter, a line a trial, the score at the end."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from harness.core.parameters import show_value
from harness.core.records import Outcome
from harness.evaluation.figures import GRAY, SMALL_PT, TEXT_PT
from harness.search.history import SearchHistory, TrialHistory

COLORS = mpl.colormaps["viridis_r"]
PALEST = 0.08
"""Of the colours, the first part is too pale on white."""
MIN_TICK_GAP = 0.11
FAN = 0.05
"""Lines through one choice are spread to either side by this much."""
INACTIVE_Y = -0.16
MAX_ON_ONE_LINE = 6
"""Axes beyond which their names take two lines."""


class Scale(NamedTuple):
    """One axis: where each trial meets it, 0 at the bottom and 1 at the top, and its ticks."""

    label: str
    y_T: list[float]
    ticks: dict[float, str]


def has_parallel(search: SearchHistory) -> bool:
    """True where two trials with scores can be told apart."""
    return len(_shown(search)) > 1


def draw_parallel(axes: Axes, search: SearchHistory) -> None:
    """Draw a search on empty axes; darker lines are of better trials."""
    trials = _shown(search)
    scales = _scales(search, trials)
    color_T = _colors([trial.score or 0.0 for trial in trials])
    for row, trial in enumerate(trials):
        y_A = [scale.y_T[row] for scale in scales]
        axes.add_patch(
            PathPatch(_curve(y_A), fill=False, **_look(trial, search, color_T[row]), clip_on=False)
        )
    for place, scale in enumerate(scales):
        _draw_scale(axes, place, scale, is_crowded=len(scales) > MAX_ON_ONE_LINE)
    lowest = min(0.0, *(y for scale in scales for y in scale.ticks))
    axes.set(xlim=(-0.05, len(scales) - 0.95), ylim=(lowest - 0.04, 1.03), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _shown(search: SearchHistory) -> list[TrialHistory]:
    """Trials with a score, worst first, so that the best are drawn on top."""
    scored = [trial for trial in search.trials if trial.score is not None]
    return sorted(scored, key=lambda t: (t.outcome is Outcome.COMPLETED, t.score, t.name))


def _look(trial: TrialHistory, search: SearchHistory, color: Any) -> dict[str, Any]:
    if trial == search.winner:
        return {"edgecolor": color, "linewidth": 2.4}
    if trial.outcome is Outcome.COMPLETED:
        return {"edgecolor": color, "linewidth": 1.3, "alpha": 0.85}
    return {"edgecolor": color, "linewidth": 0.6, "alpha": 0.6}


def _colors(score_T: list[float]) -> list[Any]:
    """By score, so that the span is not that of a few trials which learned nothing."""
    low, high = np.quantile(score_T, 0.1), max(score_T)
    part_T = np.clip((np.array(score_T) - low) / max(high - low, 1e-9), 0, 1)
    return [COLORS(PALEST + (1 - PALEST) * part) for part in part_T]


def _scales(search: SearchHistory, trials: Sequence[TrialHistory]) -> list[Scale]:
    paths = list(dict.fromkeys(path for trial in trials for path in trial.values))
    scales = [
        _scale(path, [trial.values.get(path) for trial in trials], is_log=path in search.log_scaled)
        for path in paths
    ]
    return [*scales, _numbers("val AUROC", [trial.score for trial in trials], text="{:.3f}")]


def _scale(path: str, value_T: Sequence[Any], *, is_log: bool) -> Scale:
    known = [value for value in value_T if value is not None]
    is_numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in known)
    if is_numeric and len(set(known)) > len(known) / 2:
        return _numbers(path, value_T, is_log=is_log)
    return _choices(path, value_T)


def _numbers(
    label: str, value_T: Sequence[Any], *, is_log: bool = False, text: str = "{:.2g}"
) -> Scale:
    known = [value for value in value_T if value is not None]
    is_log = is_log and min(known) > 0
    place = math.log10 if is_log else float
    low, high = place(min(known)), place(max(known))
    span = (high - low) or 1.0

    def y(value: Any) -> float:
        return INACTIVE_Y if value is None else (place(value) - low) / span

    if is_log:
        inner = [10.0**power for power in range(math.ceil(low), math.floor(high) + 1)]
    else:
        inner = [(min(known) + max(known)) / 2]
    ticks = {y(value): text.format(value) for value in (min(known), max(known))}
    for value in inner:
        if all(abs(y(value) - tick) > MIN_TICK_GAP for tick in ticks):
            ticks[y(value)] = text.format(value)
    return _with_inactive(Scale(label, [y(value) for value in value_T], ticks))


def _choices(label: str, value_T: Sequence[Any]) -> Scale:
    known = {value for value in value_T if value is not None}
    names = [show_value(value) for value in sorted(known, key=lambda v: (str(type(v)), v))]
    step = 1 / max(1, len(names) - 1)
    y_of = {name: place * step if len(names) > 1 else 0.5 for place, name in enumerate(names)}
    fan_T = np.linspace(-FAN, FAN, len(value_T))
    y_T = [
        INACTIVE_Y if value is None else float(np.clip(y_of[show_value(value)] + fan, 0, 1))
        for value, fan in zip(value_T, fan_T, strict=True)
    ]
    return _with_inactive(Scale(label, y_T, {y: name for name, y in y_of.items()}))


def _with_inactive(scale: Scale) -> Scale:
    is_partial = INACTIVE_Y in scale.y_T
    return scale._replace(ticks=scale.ticks | ({INACTIVE_Y: "not active"} if is_partial else {}))


def _curve(y_A: Sequence[float]) -> Outline:
    """A smooth line that meets each axis level."""
    points, codes = [(0.0, y_A[0])], [Outline.MOVETO]
    for place, (before, after) in enumerate(pairwise(y_A)):
        points += [(place + 0.45, before), (place + 0.55, after), (place + 1.0, after)]
        codes += [Outline.CURVE4] * 3
    return Outline(points, codes)


def _draw_scale(axes: Axes, place: int, scale: Scale, *, is_crowded: bool) -> None:
    axes.plot([place, place], [0, 1], color=GRAY, linewidth=0.8, zorder=3)
    side = -1 if place == 0 else 1  # where the text stands: the lines begin on the right
    box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8}
    for y, text in scale.ticks.items():
        axes.annotate(
            text, (place, y), xytext=(3 * side, 0), textcoords="offset points", bbox=box,
            ha="left" if side > 0 else "right", va="center_baseline", fontsize=SMALL_PT, zorder=4,
        )  # fmt: skip
    label = scale.label.replace(".", ".\n") if is_crowded else scale.label
    axes.annotate(
        label, (place, 1.0), xytext=(0, 6), textcoords="offset points", ha="center", va="bottom",
        fontsize=SMALL_PT if is_crowded else TEXT_PT,
    )  # fmt: skip
