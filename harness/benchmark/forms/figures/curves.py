"""Curves of a comparison: ROC, precision and recall, reliability, learning of the final runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.benchmark.estimates import GRID, MACRO, Calibration, Curves, ReliabilityCurve
from harness.benchmark.forms.figures.sheet import (
    SQUARE,
    WIDTH_IN,
    Entries,
    finding_panels,
    heading_of,
    legend,
    row_lines,
    say_empty,
    short,
)
from harness.benchmark.results import Results, Row
from harness.evaluation.figures import BLUE, GRAY, PALETTE, REFERENCE, SMALL_PT, TICKS, VERMILLION
from harness.evaluation.plates import GRID_LINE, is_left, is_lowest, new_plate, plate_style

MIN_LIMIT = 0.2
"""A reliability panel shows at least so much of both axes; scores of rare findings are small."""


def roc_figure(results: Results) -> Figure | None:
    """ROC curve of every row, the mean of findings and by finding."""
    return _curve_figure(results, is_roc=True)


def pr_figure(results: Results) -> Figure | None:
    """Precision against recall of every row, the mean of findings and by finding."""
    return _curve_figure(results, is_roc=False)


def _curve_figure(results: Results, *, is_roc: bool) -> Figure | None:
    rows = [row for row in results.rows if row.curves]
    if not rows:
        return None
    what = "ROC curves on test" if is_roc else "precision and recall on test"
    heading = heading_of(results, "curves: mean over training seeds")
    figure, panels = finding_panels(heading, what, results.findings, height_in=1.5, macro=SQUARE)
    looks = row_lines(results, rows)
    x, y = ("False positive rate", "Sensitivity") if is_roc else ("Recall", "Precision")
    with plate_style():
        for scope, axes in panels:
            _frame(axes, x=x if is_lowest(axes) else "", y=y if is_left(axes) else "")
            drawn = [_draw_curve(axes, row.curves.get(scope), looks[row.label], is_roc=is_roc)
                     for row in rows]  # fmt: skip
            if not any(drawn):
                say_empty(axes, "no figure" if results.num_positives.get(scope) else "no positives")
                continue
            _draw_chance(axes, results, scope, is_roc=is_roc)
            if scope != MACRO:
                _note(axes, f"n = {results.num_positives[scope]:,}", is_low=is_roc)
        chance = "chance" if is_roc else "chance (prevalence)"
        legend(figure, looks | {chance: REFERENCE})
    return figure


def _draw_curve(axes: Axes, curves: Curves | None, look: dict[str, Any], *, is_roc: bool) -> bool:
    if curves is None:
        return False
    axes.plot(GRID, curves.sensitivity if is_roc else curves.precision, **look, clip_on=False)
    return True


def _draw_chance(axes: Axes, results: Results, scope: str, *, is_roc: bool) -> None:
    if is_roc:
        axes.plot((0, 1), (0, 1), **REFERENCE)
        return
    scopes = results.findings if scope == MACRO else (scope,)
    shares = [share for finding in scopes if 0 < (share := _prevalence(results, finding)) < 1]
    if shares:
        axes.axhline(float(np.mean(shares)), **REFERENCE)


def _prevalence(results: Results, finding: str) -> float:
    """Share of positives among the test images whose label is known; 0 where none is."""
    num_known = (results.caption.num_images or 0) - results.num_unknown.get(finding, 0)
    return results.num_positives.get(finding, 0) / max(num_known, 1)


def _frame(axes: Axes, *, x: str, y: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=TICKS, yticks=TICKS, aspect="equal")
    axes.set(xlabel=x, ylabel=y)
    axes.tick_params(labelleft=is_left(axes), labelbottom=True)


def _note(axes: Axes, text: str, *, is_low: bool) -> None:
    axes.text(
        0.97, 0.04 if is_low else 0.96, text, transform=axes.transAxes, ha="right",
        va="bottom" if is_low else "top", fontsize=SMALL_PT, color=GRAY,
        bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.0},
    )  # fmt: skip


# Reliability --------------------------------------------------------------------------------


def reliability_figure(results: Results) -> Figure | None:
    """Positive rate against mean score of every row, before and after temperature scaling."""
    rows = [row for row in results.rows if row.calibration]
    if not rows:
        return None
    figure, panels = _one_each(
        results, rows, "reliability on test, all findings pooled", height_in=2.3
    )
    with plate_style():
        for axes, row in zip(panels, rows, strict=True):
            _draw_reliability(axes, row)
            axes.set(xlabel="Mean score", ylabel="Positive rate" if is_left(axes) else "")
        legend(figure, {
            "before temperature scaling": _bins(VERMILLION, is_hollow=True),
            "after": _bins(BLUE),
            "calibrated": REFERENCE,
        })  # fmt: skip
    return figure


def _draw_reliability(axes: Axes, row: Row) -> None:
    calibration = row.calibration
    assert calibration is not None
    curves = {VERMILLION: calibration.curve_before, BLUE: calibration.curve_after}
    reached = [
        value for each in curves.values() for value in (*each.mean_score, *each.positive_rate)
    ]
    limit = min(1.0, max(MIN_LIMIT, 1.05 * max(reached, default=1.0)))
    axes.plot((0, limit), (0, limit), **REFERENCE)
    for color, curve in curves.items():
        look = _bins(color, is_hollow=color == VERMILLION)
        axes.plot(curve.mean_score, curve.positive_rate, color=color, linewidth=0.9, alpha=0.6)
        axes.scatter(
            curve.mean_score, curve.positive_rate, s=_areas(curve), edgecolor=color,
            facecolor=look["markerfacecolor"], linewidth=1.0, zorder=3, clip_on=False,
        )  # fmt: skip
    axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    axes.set_title(short(row.label, width=28))
    _note(axes, _calibration_text(calibration), is_low=True)


def _calibration_text(calibration: Calibration) -> str:
    """The ECE before and after, and the temperature or the span of those of the seeds."""
    lines = []
    before, after = calibration.before.get("ece"), calibration.after.get("ece")
    if before and after:
        lines.append(f"ECE {before.value:.3f} → {after.value:.3f}")
    if fitted := calibration.temperature:
        ends = dict.fromkeys(f"{each:.2f}" for each in (min(fitted), max(fitted)))
        lines.append(f"T {' to '.join(ends)}")
    return "\n".join(lines)


def _areas(curve: ReliabilityCurve) -> list[float]:
    """Larger with the logarithm of the scores in a bin."""
    return [2.0 * float(np.log2(1 + number)) for number in curve.num_scores]


def _bins(color: str, *, is_hollow: bool = False) -> dict[str, Any]:
    return {
        "color": color,
        "marker": "o",
        "markersize": 4.5,
        "markerfacecolor": "white" if is_hollow else color,
        "linewidth": 0.9,
    }


# Final runs ---------------------------------------------------------------------------------


def seeds_figure(results: Results) -> Figure | None:
    """Validation macro AUROC of every final run by epoch; a dot at the epoch that was kept."""
    rows = [row for row in results.rows if any(run.val_auroc for run in row.runs)]
    if not rows:
        return None
    figure, panels = _one_each(
        results, rows, "how the final runs learned (dot: epoch kept)", height_in=1.9
    )
    seeds = sorted({run.seed for row in rows for run in row.runs if run.val_auroc})
    looks: Entries = {
        f"seed {seed}": {"color": PALETTE[place % len(PALETTE)], "linewidth": 1.3}
        for place, seed in enumerate(seeds)
    }
    with plate_style():
        for axes in panels[1:]:
            axes.sharey(panels[0])
        for axes, row in zip(panels, rows, strict=True):
            for run in row.runs:
                epochs = np.arange(1, len(run.val_auroc) + 1)
                look = looks.get(f"seed {run.seed}", {})
                axes.plot(epochs, run.val_auroc, **look)
                kept = slice(max(0, run.best_epoch - 1), run.best_epoch)
                axes.plot(epochs[kept], run.val_auroc[kept], "o", color=look.get("color"), ms=4.5)
            axes.grid(axis="y", **GRID_LINE)
            axes.set(xlabel="Epoch", ylabel="Validation macro AUROC" if is_left(axes) else "")
            axes.locator_params("x", integer=True, nbins=5)
            axes.set_title(short(row.label, width=28))
        legend(figure, looks)
    return figure


def _one_each(
    results: Results, rows: Sequence[Row], what: str, *, height_in: float
) -> tuple[Figure, list[Axes]]:
    """A panel for each of `rows`, up to three side by side."""
    num_cols = min(3, len(rows))
    num_rows = -(-len(rows) // num_cols)
    figure, grid = new_plate(
        heading_of(results), what, num_rows=num_rows, num_cols=num_cols,
        size_in=(WIDTH_IN, height_in * num_rows),
    )  # fmt: skip
    panels: list[Axes] = grid.ravel().tolist()
    for axes in panels[len(rows) :]:
        axes.set_axis_off()
    return figure, panels[: len(rows)]
