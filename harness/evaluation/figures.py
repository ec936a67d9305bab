"""The look that all figures share.

Matplotlib's object interface with the Agg canvas, no pyplot: nothing stays open, and no display
is needed.
"""

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from harness.core.files import write_atomic

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
SHOWN_DPI = 110
"""Of what a notebook shows; files are finer."""
TICKS = (0.0, 0.5, 1.0)


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
