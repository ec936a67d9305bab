"""Plates: figures as they are published, under a heading that tells of which data they are.

The bytes of a plate's files depend on what is drawn alone, not on the day or the machine.
"""

import hashlib
import html
import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from numpy.typing import NDArray

from harness.core.files import write_atomic, write_text
from harness.evaluation.figures import GRAY, STYLE, TEXT_PT, TITLE_PT, new_figure

PALE = "#DCDCDC"
GRID_LINE: dict[str, Any] = {"color": PALE, "linewidth": 0.7}
LINE_IN = 0.17
"""Height of a line of the heading."""

PLATE_STYLE: Any = STYLE | {
    "text.parse_math": False,  # names are people's own: in them `$` is a dollar
    "svg.fonttype": "none",  # letters stay letters: small, sharp, found when the page is searched
    "svg.hashsalt": "harness",
    "pdf.fonttype": 42,  # TrueType outlines, which journals ask for
}
SVG_STYLE = (
    "font-family:'DejaVu Sans',Verdana,sans-serif;stroke-linejoin:round;stroke-linecap:butt;"
    "max-width:100%;height:auto"
)
"""Verdana, which other systems have, is as wide as the font that the layout was made with."""


class Heading(NamedTuple):
    """What stands above all figures of one comparison or search.

    Attributes:
        name: Of what they are.
        facts: What a reader must know to judge them: data, split, numbers of images and seeds.
        is_synthetic: No image shows a patient; every figure says so.
    """

    name: str
    facts: str
    is_synthetic: bool


@contextmanager
def plate_style() -> Iterator[None]:
    """The look of plates, for whatever is drawn or saved inside the `with` block."""
    with mpl.rc_context(PLATE_STYLE):
        yield


def new_plate(
    heading: Heading,
    what: str,
    *,
    num_rows: int = 1,
    num_cols: int = 1,
    size_in: tuple[float, float] = (7.2, 4.0),
) -> tuple[Figure, NDArray[np.object_]]:
    """A figure with its heading, and its axes as an array (num_rows, num_cols).

    Args:
        what: What is shown.
        size_in: Width and height in inches; the heading's height is added.
    """
    title = f"{'SYNTHETIC: ' * heading.is_synthetic}{heading.name}: {what}"
    facts = textwrap.fill(heading.facts, width=int(size_in[0] * 15))
    with plate_style():
        figure, axes = new_figure(title, num_rows=num_rows, num_cols=num_cols, size_in=size_in)
        wrapped = figure.get_suptitle()
        # The blank lines keep the place free in which the facts are written.
        label = figure.suptitle(
            wrapped + "\n" * (1 + facts.count("\n")),
            x=0.01, ha="left", fontsize=TITLE_PT, fontweight="bold",
        )  # fmt: skip
        note = Annotation(facts, (0, 0), xycoords=label, fontsize=TEXT_PT, color=GRAY, va="bottom")
        note.set_in_layout(False)
        figure.add_artist(note)
    num_lines = 2 + wrapped.count("\n") + facts.count("\n")
    figure.set_size_inches(size_in[0], size_in[1] + LINE_IN * num_lines)
    return figure, axes


def is_left(axes: Axes) -> bool:
    """True in the first column of a figure, where labels stand."""
    spec = axes.get_subplotspec()
    return spec is not None and spec.is_first_col()


def is_lowest(axes: Axes) -> bool:
    """True in the last row of a figure."""
    spec = axes.get_subplotspec()
    return spec is not None and spec.is_last_row()


# Files --------------------------------------------------------------------------------------


def write_plate(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `name.png`, `name.svg` and `name.pdf` into `folder`, each whole or not at all."""
    png, svg, pdf = (folder / f"{name}.{ending}" for ending in ("png", "svg", "pdf"))
    undated = {"Creator": None, "Producer": None, "CreationDate": None}
    with plate_style():
        _settle(figure)
        write_atomic(png, lambda path: figure.savefig(path, metadata={"Software": None}))
        write_atomic(pdf, lambda path: figure.savefig(path, metadata=undated))
    write_text(svg, f'<?xml version="1.0" encoding="utf-8"?>\n{svg_of(figure)}\n')
    return [png, svg, pdf]


def svg_of(figure: Figure) -> str:
    """The figure as one `<svg>` element, to stand in a page of HTML beside others.

    It refers to nothing outside itself, and its ids are of no other figure. Its letters are text.
    """
    undated = {"Creator": None, "Date": None, "Format": None, "Type": None}
    buffer = io.StringIO()
    with plate_style():
        _settle(figure)
        figure.savefig(buffer, format="svg", metadata=undated)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*(; )?", "", text)
    text = re.sub(r' xmlns:xlink="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r' d="[^"]*"', lambda path: _shorter(path[0]), text)
    return _titled(_own_ids(text), figure.get_suptitle())


def _settle(figure: Figure) -> None:
    """Lay the figure out, once for all of its files: by far the slowest step of saving."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def _shorter(path: str) -> str:
    """The numbers of a path to a hundredth of a point, on one line."""
    rounded = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}", path)
    return re.sub(r"\s+", " ", rounded).replace('" ', '"')


def _own_ids(text: str) -> str:
    """Only the ids that something refers to, each beginning with a hash of the whole."""
    prefix = f"f{hashlib.sha256(text.encode()).hexdigest()[:10]}-"
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", text)
    return re.sub(r'(url\(|href=")#', rf"\1#{prefix}", text)


def _titled(text: str, title: str) -> str:
    """Told to whoever does not see it, and drawn as wide as the page allows."""
    label = html.escape(re.sub(r"\s+", " ", title).strip())
    tag, rest = text.split(">", 1)
    attributes = f' role="img" aria-label="{label}" style="{SVG_STYLE}"'
    return f"{tag}{attributes}><title>{label}</title>{rest}"
