"""Figures of predictions, one small panel per finding, and the look that all figures share.

Matplotlib's object interface with the Agg canvas, no pyplot: nothing stays open, and no display
is needed.
"""

import io
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from harness.core.files import write_atomic
from harness.core.predictions import Predictions
from harness.evaluation.calibration import reliability
from harness.evaluation.metrics import (
    FloatArray,
    OperatingPoints,
    auprc,
    auroc,
    call_positive,
    mean_known,
    points_per_finding,
)

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
PALETTE: tuple[str, ...] = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Okabe & Ito's colours, told apart by the colour-blind; their yellow is too pale on white."""

INK, GRAY = "#222222", "#767676"
TITLE_PT, TEXT_PT, SMALL_PT = 10.0, 8.0, 7.0
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_PT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.titlelocation": "left",
    "axes.titlepad": 4.0,
    "axes.titleweight": "bold",
    "axes.linewidth": 0.7,
    "axes.edgecolor": GRAY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": TEXT_PT,
}
REFERENCE: dict[str, Any] = {"color": GRAY, "linewidth": 0.8, "linestyle": (0, (4, 2))}
CURVE: dict[str, Any] = {"color": BLUE, "linewidth": 1.4, "clip_on": False}
MARK: dict[str, Any] = {
    "color": VERMILLION,
    "linestyle": "",
    "marker": "o",
    "markersize": 4.0,
    "clip_on": False,
    "zorder": 3,
}
SHOWN_DPI = 110
"""Of what a notebook shows; files are finer."""
NUM_COLS = 5
TICKS = (0.0, 0.5, 1.0)

Thresholds = Mapping[str, float | None]


@contextmanager
def shared_style() -> Iterator[None]:
    """The look of the project's figures, for whatever is drawn inside the `with` block."""
    with mpl.rc_context(STYLE):
        yield


class ShownFigure(Figure):
    """A figure that a notebook shows as it would be saved, without pyplot and its backends."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with shared_style():
            self.savefig(buffer, format="png", dpi=SHOWN_DPI)
        return buffer.getvalue()


def new_figure(
    title: str,
    *,
    num_rows: int = 1,
    num_cols: int = 1,
    size_in: tuple[float, float] = (7.2, 4.0),
) -> tuple[Figure, NDArray[np.object_]]:
    """A figure in the shared look, and its axes as an array (num_rows, num_cols).

    Args:
        title: The caption, set at the top left and wrapped to the width.
        num_rows: Rows of axes.
        num_cols: Columns of axes.
        size_in: Width and height in inches; a width of 7.2 spans both columns of most journals.
    """
    with shared_style():
        layout = ConstrainedLayoutEngine(h_pad=0.06)
        figure = ShownFigure(figsize=size_in, dpi=200, layout=layout)
        FigureCanvasAgg(figure)
        axes = figure.subplots(num_rows, num_cols, squeeze=False)
        wrapped = textwrap.fill(title, width=int(size_in[0] * 11.5))
        figure.suptitle(
            wrapped, x=0.01, ha="left", fontsize=TITLE_PT, fontweight="bold", parse_math=False
        )
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the ending of `path` names, whole or not at all."""
    write_atomic(path, lambda partial: figure.savefig(partial))


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
