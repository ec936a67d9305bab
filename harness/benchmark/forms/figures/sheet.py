"""What the figures of a comparison share: heading, colours of the rows, a panel for each scope."""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.benchmark.estimates import MACRO, Scope
from harness.benchmark.results import Results, Row
from harness.core.findings import readable
from harness.evaluation.figures import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    PALETTE,
    PURPLE,
    SMALL_PT,
    TEXT_PT,
    VERMILLION,
)
from harness.evaluation.plates import GRID_LINE, LINE_IN, Heading, is_left, new_plate, plate_style

NUM_COLS = 5
WIDTH_IN = 7.2
LABEL_CHARS = 26
"""A label is wrapped at this width, and cut after two lines."""
LEGEND_CHARS = 100
"""So many letters, and six for each mark, fit beside each other."""
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)))
"""Beyond the colours of the palette, rows are told apart by these as well."""

Span = tuple[int, int]
SQUARE: Span = (2, 2)
WIDE: Span = (1, 3)
"""Rows and columns of panels whose room the panel of macro takes."""

Entries = dict[str, dict[str, Any]]
"""The look of a line, by what the legend calls it."""


class Panel(NamedTuple):
    """The axes of one scope."""

    scope: Scope
    axes: Axes


def heading_of(results: Results, *more: str) -> Heading:
    """What every figure of a comparison says of it; `more` is of one figure."""
    caption = results.caption
    facts = [caption.store_source, f"split {caption.split}"]
    if caption.num_images is not None:
        whose = f"{caption.num_patients:,}" if caption.has_patients else "unknown"
        facts.append(f"{caption.num_images:,} test images of {whose} patients")
    if num_seeds := len(caption.seeds):
        facts.append(f"{num_seeds} training seed{'s' * (num_seeds > 1)}")
    if results.is_partial:
        facts.append("PARTIAL: runs are missing")
    return Heading(results.title, "; ".join([", ".join(facts), *more]), caption.is_synthetic)


def intervals_of(results: Results) -> str:
    """`95 % intervals over 2,000 resamples of patients`."""
    if not results.num_resamples:
        return "no intervals"
    return f"95 % intervals over {results.num_resamples:,} resamples of {results.unit}s"


def scope_name(scope: Scope) -> str:
    """`Pleural Thickening`; `Mean of findings` for macro."""
    return "Mean of findings" if scope == MACRO else readable(scope)


def short(label: str, *, width: int = LABEL_CHARS) -> str:
    """A label on at most two lines, the second from a bracket on where both fit so."""
    name, bracket, rest = label.partition(" (")
    if bracket and len(label) > width >= max(len(name), len(rest) + 1):
        return f"{name}\n({rest}"
    lines = textwrap.wrap(label, width) or [""]
    if len(lines) > 2:
        lines = [lines[0], textwrap.shorten(" ".join(lines[1:]), width, placeholder=" ...")]
    return "\n".join(lines)


def name_lines(axes: Axes, labels: Sequence[str]) -> None:
    """A line for each label, from the top, named where the panel is its row's left one."""
    axes.set_yticks(range(len(labels)), labels if is_left(axes) else [""] * len(labels))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="x", **GRID_LINE)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def kind_color(row: Row) -> str:
    """By what a row is: tuned, default, ensemble or foreign."""
    if row.kind != "final":
        return GREEN if row.kind == "ensemble" else PURPLE
    return VERMILLION if row.is_default else BLUE


def kind_entries(rows: Sequence[Row], look: dict[str, Any]) -> Entries:
    """What the colours of `kind_color` mean, as far as `rows` use them."""
    names = {
        BLUE: "tuned",
        VERMILLION: "published or default",
        GREEN: "ensemble",
        PURPLE: "foreign",
    }
    used = {kind_color(row) for row in rows}
    return {name: look | {"color": color} for color, name in names.items() if color in used}


def row_lines(results: Results, rows: Sequence[Row]) -> Entries:
    """A line of its own for each row, the same in all figures of the comparison."""
    places = {row.label: place for place, row in enumerate(results.rows)}
    return {
        row.label: {
            "color": PALETTE[places[row.label] % len(PALETTE)],
            "linestyle": DASHES[places[row.label] // len(PALETTE) % len(DASHES)],
            "linewidth": 1.3,
        }
        for row in rows
    }


def legend(figure: Figure, entries: Entries) -> None:
    """One legend below the panels, in as many columns as fit; the figure grows by its height."""
    labels = [short(label, width=44) for label in entries]
    handles = [
        Line2D([], [], label=label, **look)
        for label, look in zip(labels, entries.values(), strict=True)
    ]
    widths = [6 + max(map(len, label.split("\n"))) for label in labels]
    num_cols = len(widths) if sum(widths) < LEGEND_CHARS else max(1, LEGEND_CHARS // max(widths))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(num_cols, len(handles)))
    num_lines = -(-len(labels) // num_cols) * max(1 + label.count("\n") for label in labels)
    width_in, height_in = figure.get_size_inches()
    figure.set_size_inches(width_in, height_in + 0.1 + LINE_IN * num_lines)


def finding_panels(
    heading: Heading,
    what: str,
    findings: Sequence[str],
    *,
    height_in: float,
    macro: Span | None = None,
    macro_in: float | None = None,
) -> tuple[Figure, list[Panel]]:
    """A panel for each finding, five in a row, after one of macro where it is given room.

    Args:
        height_in: Of a row of panels.
        macro: `SQUARE`, with findings beside it; or `WIDE`, with room for numbers beside it.
        macro_in: Height of a `WIDE` macro; without: as the findings'.
    """
    num_tall, num_wide = macro or (0, 0)
    num_beside = num_tall * (NUM_COLS - num_wide) if macro == SQUARE else 0
    num_below = max(0, len(findings) - num_beside)
    num_rows = max(1, num_tall + -(-num_below // NUM_COLS))
    heights_in = [height_in] * num_rows
    if macro == WIDE and macro_in is not None:
        heights_in[0] = macro_in
    size_in = (WIDTH_IN, 0.2 + sum(heights_in))
    figure, grid = new_plate(heading, what, num_rows=num_rows, num_cols=NUM_COLS, size_in=size_in)
    grid[0, 0].get_gridspec().set_height_ratios(heights_in)
    free: list[Axes] = grid.ravel().tolist()
    panels = []
    if macro:
        with plate_style():
            room = figure.add_subplot(grid[0, 0].get_gridspec()[:num_tall, :num_wide])
        panels.append(Panel(MACRO, room))
        taken = grid[:num_tall, : num_wide if macro == SQUARE else NUM_COLS].ravel().tolist()
        for axes in taken:
            axes.remove()
        free = [axes for axes in free if axes not in taken]
    for axes in free[len(findings) :]:
        axes.set_axis_off()
    panels += [Panel(name, axes) for name, axes in zip(findings, free, strict=False)]
    with plate_style():
        for scope, axes in panels:
            axes.set_title(scope_name(scope), fontsize=TEXT_PT if scope == MACRO else SMALL_PT)
    return figure, panels


def say_empty(axes: Axes, text: str = "no figure") -> None:
    """Why nothing is drawn in a panel."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GRAY,
              fontsize=SMALL_PT)  # fmt: skip
