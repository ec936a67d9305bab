"""The course of searches as pictures: who learned how, what was tried, what mattered.

One panel a search, so that searches of equal budgets stand side by side.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.core.records import Outcome
from harness.data.manifest import StoreOrigin
from harness.evaluation.figures import BLACK, BLUE, GRAY, INK, VERMILLION
from harness.evaluation.plates import (
    GRID_LINE,
    PALE,
    Heading,
    is_left,
    new_plate,
    plate_style,
    write_plate,
)
from harness.search.control import LEDGER_FILE
from harness.search.history import SearchHistory, TrialHistory, search_history
from harness.search.leaderboard import trial_number
from harness.search.parallel_axes import draw_parallel, has_parallel
from harness.search.plan import read_plan

log = logging.getLogger(__name__)

Picture = Callable[[Sequence[SearchHistory], Heading], Figure | None]

AUROC = "Validation macro AUROC"


class Look(NamedTuple):
    """How a trial is drawn, and what the legend calls it."""

    label: str
    line: dict[str, Any]
    mark: dict[str, Any]


def _look(label: str, color: str, *, width: float, order: float, **mark: Any) -> Look:
    dot = {"linestyle": "", "marker": "o", "markersize": 4.0, "markeredgewidth": 0, "color": color}
    line = {"color": color, "linewidth": width, "zorder": order}
    return Look(label, line, dot | {"zorder": order} | mark)


WINNER = _look("winner", BLUE, width=2.2, order=5, markersize=7.0)
DEFAULT = _look("default point (trial 0)", VERMILLION, width=1.5, order=4, markersize=5.5)
COMPLETED = _look("completed", "#7FA8C4", width=1.0, order=3)
PRUNED = _look("pruned", "#C4C4C4", width=0.8, order=2, markersize=3.5)
CUT_SHORT = _look("failed or cut short", BLACK, width=0.8, order=6, marker="x", markersize=4.5,
                  markeredgewidth=1.0)  # fmt: skip
LOOKS = (WINNER, DEFAULT, COMPLETED, PRUNED, CUT_SHORT)


def learning_figure(searches: Sequence[SearchHistory], heading: Heading) -> Figure | None:
    """Learning curves of all trials; the winner's is strong, those of pruned ones are pale."""
    shown = [search for search in searches if any(trial.val_auroc for trial in search.trials)]
    if not shown:
        return None
    figure, panels = _panels(shown, heading, "learning curves of the trials", sharey=True)
    with plate_style():
        for axes, search in zip(panels, shown, strict=True):
            for trial in search.trials:
                if trial.val_auroc:
                    _draw_curve(axes, trial, _look_of(trial, search))
            _end(axes, search, x="Epoch")
        _legend(figure, (_look_of(t, s) for s in shown for t in s.trials if t.val_auroc))
    return figure


def _draw_curve(axes: Axes, trial: TrialHistory, look: Look) -> None:
    epochs = np.arange(1, len(trial.val_auroc) + 1)
    axes.plot(epochs, trial.val_auroc, **look.line)
    if look in (WINNER, CUT_SHORT) or len(epochs) == 1:
        axes.plot(epochs[-1:], trial.val_auroc[-1:], **look.mark)


def history_figure(searches: Sequence[SearchHistory], heading: Heading) -> Figure | None:
    """Score of each trial in the order of their numbers, and the best completed one so far."""
    shown = [search for search in searches if any(t.score is not None for t in search.trials)]
    if not shown:
        return None
    figure, panels = _panels(shown, heading, "scores in the order of the trials", sharey=True)
    with plate_style():
        for axes, search in zip(panels, shown, strict=True):
            _draw_best_so_far(axes, search)
            for trial in search.trials:
                if trial.score is not None:
                    axes.plot(trial_number(trial.name), trial.score, **_look_of(trial, search).mark)
            _end(axes, search, x="Trial")
            axes.set_xlim(-0.5, search.num_trials - 0.5)
        best = {"best completed so far": {"color": BLUE, "linewidth": 1.2}}
        _legend(
            figure, (_look_of(t, s) for s in shown for t in s.trials if t.score is not None), best
        )
    return figure


def _draw_best_so_far(axes: Axes, search: SearchHistory) -> None:
    completed = [
        (trial_number(trial.name), trial.score)
        for trial in search.trials
        if trial.outcome is Outcome.COMPLETED and trial.score is not None
    ]
    if not completed:
        return
    number_K, score_K = np.array(completed).T
    best_K = np.maximum.accumulate(score_K)
    axes.step(
        np.append(number_K, search.num_trials - 0.5), np.append(best_K, best_K[-1]),
        where="post", color=BLUE, linewidth=1.2, zorder=1,
    )  # fmt: skip


def parallel_figure(searches: Sequence[SearchHistory], heading: Heading) -> Figure | None:
    """Every trial as a line through its values, from its first parameter to its score."""
    shown = [search for search in searches if has_parallel(search)]
    if not shown:
        return None
    figure, axes_S1 = new_plate(
        heading, "what was tried (darker is better)",
        num_rows=len(shown), size_in=(7.2, 2.5 * len(shown)),
    )  # fmt: skip
    with plate_style():
        for axes, search in zip(axes_S1[:, 0].tolist(), shown, strict=True):
            draw_parallel(axes, search)
            axes.set_title(_named(search), pad=26)
        lines = {
            "winner": {"color": INK, "linewidth": 2.4},
            "completed": {"color": GRAY, "linewidth": 1.3},
            "pruned or cut short": {"color": GRAY, "linewidth": 0.6, "alpha": 0.6},
        }
        _legend(figure, (), lines)
    return figure


def importance_figure(searches: Sequence[SearchHistory], heading: Heading) -> Figure | None:
    """Share of each parameter in what makes the score vary, largest first."""
    shown = [search for search in searches if search.importance]
    if not shown:
        return None
    num_bars = max(len(search.importance) for search in shown)
    figure, panels = _panels(
        shown, heading, "what the score depends on (fANOVA)",
        height_in=0.7 + 0.24 * num_bars,
    )  # fmt: skip
    with plate_style():
        for axes, search in zip(panels, shown, strict=True):
            ranked = sorted(search.importance.items(), key=lambda pair: (-pair[1], pair[0]))
            for place, (_, share) in enumerate(ranked):
                axes.barh(place, share, height=0.62, color=PALE if place else BLUE)
                text = f"{share:.0%}" if share >= 0.005 else "<1%"
                axes.text(share + 0.015, place, text, va="center_baseline")
            axes.set_yticks(range(len(ranked)), [path for path, _ in ranked])
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.set(xlim=(0, 1.12), ylim=(num_bars - 0.4, -0.6), xticks=[])
            axes.spines[:].set_visible(False)
            axes.set_title(_named(search))
    return figure


PICTURES: dict[str, Picture] = {
    "learning": learning_figure,
    "history": history_figure,
    "parallel": parallel_figure,
    "importance": importance_figure,
}


def draw_pictures(search_dir: Path, store: StoreOrigin) -> Path | None:
    """The pictures of a search, in the folder `figures` of its own, brought up to date.

    Nothing is drawn anew while no trial has changed its state. Takes about 4 s else.

    Args:
        store: What the images of the search say of themselves.

    Returns:
        The folder; None where there is nothing to show, or drawing failed, which is logged.
    """
    folder = search_dir / "figures"
    try:
        if not _is_drawn(folder, search_dir / LEDGER_FILE):
            split = read_plan(search_dir).space.base.data.split
            search = search_history(search_dir)
            write_pictures(search, heading_of([search], store, split), folder)
    except Exception as error:  # whatever it is: no picture is worth a search
        log.warning("search %s: its pictures are not drawn: %s", search_dir.name, error)
        return None
    return folder if folder.is_dir() else None


def write_pictures(search: SearchHistory, heading: Heading, folder: Path) -> list[Path]:
    """Write every picture of one search that has something to show into `folder`."""
    figures = {name: draw([search], heading) for name, draw in PICTURES.items()}
    drawn = ((name, figure) for name, figure in figures.items() if figure is not None)
    return [path for name, figure in drawn for path in write_plate(figure, folder, name)]


def heading_of(searches: Sequence[SearchHistory], store: StoreOrigin, split: str) -> Heading:
    """What stands above the pictures of searches on one store."""
    counts = Counter(trial.outcome for search in searches for trial in search.trials)
    facts = [f"{store.source}, split {split}, validation part"]
    facts.append(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    hours = [search.hours for search in searches if search.hours is not None]
    if hours:
        devices = ", ".join(sorted({search.device for search in searches if search.device}))
        facts.append(f"{sum(hours):.2g} device-hours on {devices or 'unknown devices'}")
    noun = "search" if len(searches) == 1 else "searches"
    name = f"{noun} {', '.join(search.name for search in searches)}"
    return Heading(name, "; ".join(facts), store.is_synthetic)


def _is_drawn(folder: Path, ledger: Path) -> bool:
    written_ns = [path.stat().st_mtime_ns for path in folder.glob("*.*")]
    return bool(written_ns) and min(written_ns) > ledger.stat().st_mtime_ns


# Parts --------------------------------------------------------------------------------------


def _look_of(trial: TrialHistory, search: SearchHistory) -> Look:
    if trial == search.winner:
        return WINNER
    if trial_number(trial.name) == 0:
        return DEFAULT
    return {Outcome.COMPLETED: COMPLETED, Outcome.PRUNED: PRUNED}.get(trial.outcome, CUT_SHORT)


def _named(search: SearchHistory) -> str:
    winner = search.winner
    return f"{search.name}, best {winner.score:.4f}" if winner else search.name


def _panels(
    searches: Sequence[SearchHistory],
    heading: Heading,
    what: str,
    *,
    height_in: float = 2.6,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A panel for each search, up to three in a row."""
    num_cols = 2 if len(searches) == 4 else min(3, len(searches))
    num_rows = -(-len(searches) // num_cols)
    size_in = (7.2, height_in * num_rows)
    figure, grid = new_plate(heading, what, num_rows=num_rows, num_cols=num_cols, size_in=size_in)
    panels: list[Axes] = grid.ravel().tolist()
    for axes in panels[len(searches) :]:
        axes.set_axis_off()
    if sharey:
        for axes in panels[1 : len(searches)]:
            axes.sharey(panels[0])
    return figure, panels[: len(searches)]


def _end(axes: Axes, search: SearchHistory, *, x: str) -> None:
    axes.set(xlabel=x, ylabel=AUROC if is_left(axes) else "")
    axes.locator_params("x", integer=True, nbins=6)
    axes.set_title(_named(search))
    axes.grid(axis="y", **GRID_LINE)
    axes.set_axisbelow(True)


def _legend(
    figure: Figure, looks: Iterable[Look], lines: dict[str, dict[str, Any]] | None = None
) -> None:
    """What the colours mean: those that are used, in the order of `LOOKS`, then `lines`."""
    used = {look.label for look in looks}
    entries = {look.label: look.line | look.mark | {"linestyle": "-"} for look in LOOKS}
    shown = {label: entries[label] for label in entries if label in used} | (lines or {})
    handles = [Line2D([], [], label=label, **look) for label, look in shown.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
