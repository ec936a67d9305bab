"""The figure of subgroups: how far each is from the rest of the patients, and how sure that is."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.benchmark.estimates import MACRO, Estimate
from harness.benchmark.forms.figures.sheet import (
    WIDTH_IN,
    Entries,
    heading_of,
    intervals_of,
    legend,
    name_lines,
)
from harness.benchmark.results import Results, Row
from harness.evaluation.figures import BLUE, REFERENCE, VERMILLION
from harness.evaluation.plates import new_plate, plate_style

METRICS = {"auroc": "AUROC", "sensitivity": "Sensitivity", "specificity": "Specificity"}
GROUP_IN = 0.19
UNSURE: dict[str, Any] = {"color": "#9A9A9A", "marker": "o", "markerfacecolor": "white"}
WORSE: dict[str, Any] = {"color": VERMILLION, "marker": "v", "markerfacecolor": VERMILLION}
BETTER: dict[str, Any] = {"color": BLUE, "marker": "^", "markerfacecolor": BLUE}


def subgroups_figure(results: Results) -> Figure | None:
    """Figure of each subgroup minus that of the rest, macro; coloured where 0 is outside.

    The intervals are not corrected for their number: of 20 true zeros one is coloured.
    """
    rows = [row for row in results.rows if row.subgroups]
    if not rows:
        return None
    heights = [0.5 + GROUP_IN * len(row.subgroups) for row in rows]
    figure, grid = new_plate(
        heading_of(results, f"{intervals_of(results)}, not corrected for their number"),
        "subgroups against the rest (mean of findings)",
        num_rows=len(rows),
        num_cols=len(METRICS),
        size_in=(WIDTH_IN, 0.2 + sum(heights)),
    )
    grid[0, 0].get_gridspec().set_height_ratios(heights)
    with plate_style():
        for row, panels in zip(rows, grid.tolist(), strict=True):
            for axes, first, metric in zip(panels, grid[0], METRICS, strict=True):
                if axes is not first:
                    axes.sharex(first)
                _draw_gaps(axes, row, metric)
                # The label of the row stands on the first line.
                axes.set_title(f"\n{METRICS[metric]}", fontweight="normal")
            panels[0].annotate(
                row.label, (0, 1), xytext=(0, 17), xycoords="axes fraction",
                textcoords="offset points", fontweight="bold", in_layout=False,
            )  # fmt: skip
        for axes in grid[-1].tolist():
            axes.set_xlabel("Subgroup minus rest")
        entries: Entries = {
            "worse than the rest": WORSE | {"linewidth": 1.3},
            "better than the rest": BETTER | {"linewidth": 1.3},
            "0 within the interval, or no interval": UNSURE | {"linewidth": 1.3},
        }
        legend(figure, entries)
    return figure


def _draw_gaps(axes: Axes, row: Row, metric: str) -> None:
    axes.axvline(0, **REFERENCE)
    for y, group in enumerate(row.subgroups):
        gap = group.gaps.get(MACRO, {}).get(metric)
        if gap is not None:
            look = _look(gap)
            if gap.low is not None and gap.high is not None:
                axes.plot([gap.low, gap.high], [y, y], color=look["color"], linewidth=1.3)
            axes.plot(gap.value, y, linestyle="", markersize=5.0, **look)
    name_lines(
        axes,
        [f"{group.attribute} {group.group} ({group.num_images:,})" for group in row.subgroups],
    )
    axes.locator_params("x", nbins=5)


def _look(gap: Estimate) -> dict[str, Any]:
    """By the side of 0 on which the whole interval lies."""
    if gap.low is not None and gap.low > 0:
        return BETTER
    if gap.high is not None and gap.high < 0:
        return WORSE
    return UNSURE
