"""Curves of predictions as figures, one small panel per finding."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.core.predictions import Predictions
from harness.evaluation.calibration import reliability
from harness.evaluation.figures import (
    BLUE,
    INK,
    REFERENCE,
    SMALL_PT,
    TICKS,
    VERMILLION,
    new_figure,
    shared_style,
)
from harness.evaluation.metrics import (
    FloatArray,
    OperatingPoints,
    auprc,
    auroc,
    call_positive,
    mean_known,
    points_per_finding,
)

CURVE: dict[str, Any] = {"color": BLUE, "linewidth": 1.4, "clip_on": False}
MARK: dict[str, Any] = {
    "color": VERMILLION,
    "linestyle": "",
    "marker": "o",
    "markersize": 4.0,
    "clip_on": False,
    "zorder": 3,
}
NUM_COLS = 5

Thresholds = Mapping[str, float | None]


def roc_figure(
    predictions: Predictions, title: str, thresholds: Thresholds | None = None
) -> Figure:
    """ROC curve of each finding, with its AUROC.

    Args:
        predictions: Scores and labels.
        title: The caption.
        thresholds: Where given, the operating point of each finding is marked.
    """
    figure, panels = _panels(predictions, title, x="False positive rate", y="Sensitivity")
    value_L = auroc(predictions.score_NL, predictions.label_NL, predictions.is_known_NL)
    for panel in panels:
        points = panel.points
        fpr_K, sensitivity_K = points.false_positive_rate, points.sensitivity
        panel.axes.plot((0, 1), (0, 1), **REFERENCE)
        panel.axes.plot(np.append(0, fpr_K), np.append(0, sensitivity_K), **CURVE)
        _mark_threshold(panel, fpr_K, sensitivity_K, thresholds)
        _note(panel.axes, f"AUROC {value_L[panel.column]:.3f}", x=0.98, y=0.04)
    macro = f"model (macro AUROC {_macro(panels, value_L):.3f})"
    _legend(figure, {macro: CURVE, "chance": REFERENCE}, has_mark=thresholds is not None)
    return figure


def pr_figure(predictions: Predictions, title: str, thresholds: Thresholds | None = None) -> Figure:
    """Precision-recall curve of each finding, with its average precision and its prevalence.

    The arguments are those of `roc_figure`.
    """
    figure, panels = _panels(predictions, title, x="Recall", y="Precision")
    value_L = auprc(predictions.score_NL, predictions.label_NL, predictions.is_known_NL)
    for panel in panels:
        recall_K, precision_K = panel.points.sensitivity, panel.points.precision
        prevalence = precision_K[-1]
        panel.axes.axhline(prevalence, **REFERENCE)
        # Steps, not slopes: the area below them is the average precision that is printed.
        panel.axes.step(np.append(0, recall_K), np.append(precision_K[0], precision_K), **CURVE)
        _mark_threshold(panel, recall_K, precision_K, thresholds)
        text = f"AUPRC {value_L[panel.column]:.3f}\nchance {prevalence:.3f}"
        _note(panel.axes, text, x=0.98, y=0.98)
    macro = f"model (macro AUPRC {_macro(panels, value_L):.3f})"
    _legend(
        figure, {macro: CURVE, "chance (prevalence)": REFERENCE}, has_mark=thresholds is not None
    )
    return figure


def reliability_figure(predictions: Predictions, title: str) -> Figure:
    """Positive rate against mean score in bins of equal width, with the ECE of each finding.

    The area of a point grows with the logarithm of the images in its bin.
    """
    figure, panels = _panels(predictions, title, x="Mean score", y="Positive rate")
    curve = reliability(predictions.score_NL, predictions.label_NL, predictions.is_known_NL)
    for axes, column, _, _ in panels:
        area_M = 2.0 * np.log2(1 + curve.count_LM[column])
        axes.plot((0, 1), (0, 1), **REFERENCE)
        axes.scatter(
            curve.mean_score_LM[column],
            curve.positive_rate_LM[column],
            s=area_M,
            color=BLUE,
            linewidths=0,
            clip_on=False,
            zorder=3,
        )
        _note(axes, f"ECE {curve.ece[column]:.3f}", x=0.03, y=0.98)
    macro = f"bin of scores, larger with more images (macro ECE {_macro(panels, curve.ece):.3f})"
    _legend(figure, {macro: MARK | {"color": BLUE}, "calibrated": REFERENCE})
    return figure


class Panel(NamedTuple):
    """The axes of one finding, and what is drawn there."""

    axes: Axes
    column: int
    finding: str
    points: OperatingPoints


def _panels(predictions: Predictions, title: str, *, x: str, y: str) -> tuple[Figure, list[Panel]]:
    """A figure with a panel per finding; those with positives and negatives, to be drawn in."""
    num_findings = len(predictions.findings)
    num_cols = min(NUM_COLS, num_findings)
    num_rows = -(-num_findings // num_cols)
    figure, grid = new_figure(
        title,
        num_rows=num_rows,
        num_cols=num_cols,
        size_in=(max(4.0, 1.44 * num_cols), 0.8 + 1.55 * num_rows),
    )
    points_L = points_per_finding(
        predictions.score_NL, predictions.label_NL, predictions.is_known_NL
    )
    panels = []
    for column, axes in enumerate(grid.ravel().tolist()):
        if column >= num_findings:
            axes.set_axis_off()
            continue
        finding = predictions.findings[column]
        _set_up(axes, finding)
        is_left, is_lowest = column % num_cols == 0, column + num_cols >= num_findings
        axes.set(xlabel=x if is_lowest else "", ylabel=y if is_left else "")
        axes.tick_params(labelleft=is_left, labelbottom=is_lowest)
        points = points_L[column]
        if points.has_both_classes:
            panels.append(Panel(axes, column, finding, points))
        else:
            _note(axes, _missing(points), x=0.03, y=0.98)
    return figure, panels


def _missing(points: OperatingPoints) -> str:
    """Why a finding has no curve."""
    if points.num_positives:
        return "no negatives"
    return "no positives" if points.num_negatives else "no known labels"


def _set_up(axes: Axes, finding: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=TICKS, yticks=TICKS, aspect="equal")
    with shared_style():
        axes.set_title(finding.replace("_", " "))


def _mark_threshold(
    panel: Panel, x_K: FloatArray, y_K: FloatArray, thresholds: Thresholds | None
) -> None:
    """A dot on the curve, at the operating point that the finding's threshold gives."""
    threshold = (thresholds or {}).get(panel.finding)
    if threshold is None:
        return
    num_called = np.count_nonzero(call_positive(panel.points.threshold_K, threshold))
    x, y = (x_K[num_called - 1], y_K[num_called - 1]) if num_called else (0.0, 0.0)
    panel.axes.plot(x, y, **MARK)


def _macro(panels: list[Panel], value_L: FloatArray) -> float:
    """Mean over the findings that are drawn."""
    return mean_known(value_L[[panel.column for panel in panels]])


def _note(axes: Axes, text: str, *, x: float, y: float) -> None:
    """Small text in the corner nearest to (x, y), which are shares of the panel."""
    axes.text(
        x,
        y,
        text,
        transform=axes.transAxes,
        ha="right" if x > 0.5 else "left",
        va="top" if y > 0.5 else "bottom",
        fontsize=SMALL_PT,
        color=INK,
        bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.0},
    )


def _legend(
    figure: Figure, entries: Mapping[str, dict[str, Any]], *, has_mark: bool = False
) -> None:
    """One legend below the panels, from label to the look of its line."""
    shown = {**entries, "threshold": MARK} if has_mark else entries
    handles = [Line2D([], [], label=label, **look) for label, look in shown.items()]
    with shared_style():
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
