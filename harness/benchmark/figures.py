"""The figures of a `ComparisonTable`: who is ahead, by how much, and on which findings."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.benchmark.table import ComparisonTable, Row
from harness.evaluation.figures import (
    BLUE,
    GRAY,
    INK,
    STYLE,
    VERMILLION,
    new_figure,
    save_figure,
)

PALE = "#DCDCDC"
LEAST_LIMIT = 0.01
"""The colours of the heat map span at least this AUROC on either side, so noise stays pale."""
DARK = 0.65
"""From this part of the span on, a cell is so dark that its number is written in white."""


def write_figures(table: ComparisonTable, folder: Path) -> list[Path]:
    """Write `macro_auroc.png` and, once a run is scored, `finding_auroc.png` into `folder`."""
    figures = {"macro_auroc.png": macro_figure(table)}
    if table.num_positives:
        figures["finding_auroc.png"] = finding_figure(table)
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    return [folder / name for name in figures]


def macro_figure(table: ComparisonTable) -> Figure:
    """Test macro AUROC of every contestant: a dot per seed, a bar and a number at the mean."""
    figure, axes = _new_figure(table, size_in=(7.2, 1.3 + 0.3 * len(table.rows)))
    with mpl.rc_context(STYLE):
        for place, row in enumerate(table.rows):
            _draw_seeds(axes, place, row)
        _label_rows(axes, table)
        axes.set_ylim(len(table.rows) - 0.4, -0.6)
        axes.set_xlabel("Macro AUROC on test (dots: training seeds, bar: mean)")
        axes.grid(axis="x", color=PALE, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)
    return figure


def _draw_seeds(axes: Axes, place: int, row: Row) -> None:
    cell, color = row.macro["auroc"], VERMILLION if row.is_default else BLUE
    axes.axhline(place, color=PALE, linewidth=0.7, zorder=0)
    text = f"{cell.mean:.3f}" if cell else "not scored"
    axes.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center_baseline",
                  color=INK if cell else GRAY)  # fmt: skip
    if cell:
        axes.plot(cell.values, [place] * len(cell.values), "o", color=color, alpha=0.5,
                  markersize=5.5, markeredgewidth=0)  # fmt: skip
        axes.plot([cell.mean], [place], "|", color=color, markersize=14, markeredgewidth=2)


def finding_figure(table: ComparisonTable) -> Figure:
    """Mean test AUROC of every contestant on every finding, the best of each finding in bold.

    The colour is the distance from the contestants' mean on that finding: findings differ far more
    than contestants do, and would drown them.
    """
    auroc_RF = np.ma.masked_invalid([_finding_means(table, row) for row in table.rows])
    ahead_RF = auroc_RF - auroc_RF.mean(axis=0)
    limit = max(LEAST_LIMIT, float(np.abs(ahead_RF).filled(0).max()))
    figure, axes = _new_figure(table, size_in=(9.6, 2.1 + 0.3 * len(table.rows)))
    with mpl.rc_context(STYLE):
        mesh = axes.imshow(ahead_RF, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
        _write_numbers(axes, auroc_RF, np.abs(ahead_RF).filled(0) > DARK * limit)
        _label_rows(axes, table)
        _label_findings(axes, table)
        bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=12, format="{x:+.3f}")
        bar.set_label("AUROC vs mean")
        bar.outline.set_visible(False)
    return figure


def _write_numbers(axes: Axes, value_RF: np.ma.MaskedArray, is_dark_RF: NDArray[np.bool_]) -> None:
    text_RF = [["-" if value is np.ma.masked else f"{value:.3f}" for value in r] for r in value_RF]
    best_F = [max(texts) for texts in zip(*text_RF, strict=True)]
    is_contest = len(text_RF) > 1
    for (place, column), is_dark in np.ndenumerate(is_dark_RF):
        text = text_RF[place][column]
        is_best = is_contest and text != "-" and text == best_F[column]
        axes.text(column, place, text, ha="center", va="center_baseline",
                  color="white" if is_dark else INK,
                  fontweight="bold" if is_best else "normal")  # fmt: skip


def _label_findings(axes: Axes, table: ComparisonTable) -> None:
    names = [f"{name.replace('_', ' ')} ({count:,})" for name, count in table.num_positives.items()]
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Finding (positive test images)")


def _label_rows(axes: Axes, table: ComparisonTable) -> None:
    axes.set_yticks(range(len(table.rows)), [row.label for row in table.rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _finding_means(table: ComparisonTable, row: Row) -> list[float]:
    cells = [row.findings.get(name, {}).get("auroc") for name in table.num_positives]
    return [cell.mean if cell else float("nan") for cell in cells]


def _new_figure(table: ComparisonTable, *, size_in: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure that tells of which data it is, and that cannot be taken for another one's."""
    facts = table.caption
    title = f"SYNTHETIC: {table.title}" if facts.is_synthetic else table.title
    figure, panels = new_figure(title)
    figure.set_size_inches(size_in)
    about = [facts.store_source, f"split {facts.split}"]
    if facts.num_images is not None:
        about.append(f"{facts.num_images:,} test images of {facts.num_patients:,} patients")
    about.append(f"{len(facts.seeds)} training seeds")
    if table.is_partial:
        about.append("PARTIAL")
    axes: Axes = panels[0, 0]
    with mpl.rc_context(STYLE):
        axes.set_title(", ".join(about), fontweight="normal", color=GRAY)
    return figure, axes
