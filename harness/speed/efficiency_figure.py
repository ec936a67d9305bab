"""The picture of `harness speed efficiency`: who has found it by when."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from harness.speed.efficiency import RANDOM, Efficiency, Row
from harness.speed.race import BUDGET_EPOCHS

COLORS = {
    RANDOM: "#8A8A8A",
    "ray-random": "#E69F00",
    "ray-optuna": "#D55E00",
    "tpe-whole": "#56B4E9",
    "gp-whole": "#CC79A7",
    "random": "#B9B9B9",
    "tpe": "#009E73",
    "gp": "#0072B2",
    "gp-warm": "#0072B2",
}
"""Okabe and Ito's, which differ for the color-blind, too."""
STRONG = ("gp", "gp-warm")


def draw(efficiency: Efficiency, path: Path) -> Path:
    """The share of searches, of all tasks and seeds, that have found it by each trial-epoch."""
    figure = Figure(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    axes = figure.subplots()
    for row in efficiency.rows:
        axes.step(
            *_course(row),
            where="post",
            color=COLORS[row.way],
            label=row.title,
            linestyle="--" if row.way.endswith("-warm") else "-",
            linewidth=2.2 if row.way in STRONG else 1.3,
        )
    axes.set(
        xscale="log", xlim=(10, BUDGET_EPOCHS), ylim=(0, 1),
        xlabel="Trial-epochs of all trials together",
        ylabel="Share of searches that have found the best 2 %",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=7.5
    )
    figure.savefig(path)
    return path


def _course(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Trial-epochs at which the share rises, and the share from there on; tasks count alike."""
    found = np.array(
        [[np.inf if used is None else used for used in of_task] for of_task in row.epochs.values()]
    )
    used = np.sort(found.ravel())
    hit = used[np.isfinite(used)]
    share = np.arange(1, len(hit) + 1) / len(used)
    return np.append(hit, BUDGET_EPOCHS), np.append(share, share[-1] if len(share) else 0.0)
