"""The heat map of a comparison: which rows are ahead on which findings."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.benchmark.forms.figures.sheet import heading_of, short
from harness.benchmark.results import Results, Row
from harness.core.findings import readable
from harness.evaluation.figures import INK
from harness.evaluation.plates import new_plate, plate_style

LEAST_LIMIT = 0.01
"""The colours span at least this AUROC on either side, so that noise stays pale."""
DARK = 0.65
"""From this part of the span on, a cell is so dark that its number is written in white."""
WIDTH_IN = 9.6
COLORS = mpl.colormaps["RdBu"].resampled(47)
"""So few that the bar of colours is drawn as shapes, not as an image."""


def findings_figure(results: Results) -> Figure | None:
    """Mean test AUROC of every row on every finding, the best of each finding in bold.

    The colour is the distance from the rows' mean on that finding: findings differ far more than
    rows do, and would drown them.
    """
    rows = [row for row in results.rows if row.figure("auroc")]
    if not rows or not results.findings:
        return None
    auroc_RF = np.ma.masked_invalid([_values(results, row) for row in rows])
    ahead_RF = auroc_RF - auroc_RF.mean(axis=0)
    limit = max(LEAST_LIMIT, float(np.abs(ahead_RF).filled(0).max()))
    figure, grid = new_plate(
        heading_of(results), "AUROC on test by finding", size_in=(WIDTH_IN, 1.6 + 0.3 * len(rows))
    )
    axes: Axes = grid[0, 0]
    with plate_style():
        mesh = axes.pcolormesh(
            ahead_RF, cmap=COLORS, vmin=-limit, vmax=limit, edgecolor="white", linewidth=0.8
        )
        axes.invert_yaxis()
        _write_numbers(axes, auroc_RF, np.abs(ahead_RF).filled(0) > DARK * limit)
        names = [f"{readable(name)} ({n:,})" for name, n in results.num_positives.items()]
        axes.set_xticks(
            np.arange(len(names)) + 0.5, names, rotation=40, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks(np.arange(len(rows)) + 0.5, [short(row.label) for row in rows])
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("Finding (positive test images)")
        if len(rows) > 1:
            bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=12, format="{x:+.3f}")
            bar.set_label("AUROC vs mean")
            bar.outline.set_visible(False)
    return figure


def _values(results: Results, row: Row) -> list[float]:
    found = [row.figure("auroc", finding) for finding in results.findings]
    return [estimate.value if estimate else float("nan") for estimate in found]


def _write_numbers(axes: Axes, value_RF: np.ma.MaskedArray, is_dark_RF: NDArray[np.bool_]) -> None:
    text_RF = [["-" if value is np.ma.masked else f"{value:.3f}" for value in r] for r in value_RF]
    best_F = [max(texts) for texts in zip(*text_RF, strict=True)]
    for (place, column), is_dark in np.ndenumerate(is_dark_RF):
        text = text_RF[place][column]
        is_best = len(text_RF) > 1 and text not in ("-", "") and text == best_F[column]
        axes.text(column + 0.5, place + 0.5, text, ha="center", va="center_baseline",
                  color="white" if is_dark else INK,
                  fontweight="bold" if is_best else "normal")  # fmt: skip
