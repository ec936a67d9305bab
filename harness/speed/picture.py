"""The picture of a table of `harness speed`: how many times as good, and what was wanted."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.files import write_atomic

if TYPE_CHECKING:
    from harness.speed.report import Row

COLOURS = {True: "#0072B2", False: "#D55E00", None: "#999999"}
"""Of Okabe and Ito's palette, which all eyes tell apart."""
WORDS = {True: "goal reached", False: "falls short of its goal", None: "no goal"}
HATCHES = {True: "", False: "//", None: ""}
WIDTH_IN, ROW_IN, MARGIN_IN, DPI = 9.0, 0.55, 1.5, 110
LABEL_CHARACTERS = 42


def draw_ratios(path: Path, rows: Sequence["Row"]) -> Path:
    """Draw the rows that have a ratio as bars on a logarithmic axis; the path."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter

    shown = [(row, ratio) for row in rows if (ratio := row.ratio) is not None]
    picture = Figure(figsize=(WIDTH_IN, MARGIN_IN + ROW_IN * len(shown)), layout="constrained")
    axes = picture.subplots()
    for place, (row, ratio) in enumerate(shown):
        axes.barh(
            place, ratio - 1, left=1, height=0.6, color=COLOURS[row.holds],
            hatch=HATCHES[row.holds], edgecolor="white",
        )  # fmt: skip
        axes.annotate(
            f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}",
            (max(ratio, 1, row.goal or 1), place), xytext=(6, 0), textcoords="offset points",
            va="center",
        )  # fmt: skip
        if row.goal is not None:
            axes.plot([row.goal] * 2, [place - 0.42, place + 0.42], color="black", lw=2.5)
    axes.set_xscale("log")
    ends = [1.0, *(ratio for _, ratio in shown), *(row.goal for row, _ in shown if row.goal)]
    axes.set_xlim(min(ends) * 0.8, max(ends) * 4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.axvline(1, color="black", lw=0.8)
    labels = [f"{row.what}, against {row.peer_name}" for row, _ in shown]
    axes.set_yticks(range(len(shown)), ["\n".join(_wrapped(label)) for label in labels])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("times as good as the peer (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    met = [holds for holds in COLOURS if any(row.holds is holds for row, _ in shown)]
    handles: list[Patch | Line2D] = [
        Patch(facecolor=COLOURS[each], hatch=HATCHES[each], edgecolor="white", label=WORDS[each])
        for each in met
    ]
    if any(row.goal is not None for row, _ in shown):
        handles.append(Line2D([], [], color="black", lw=2.5, label="goal"))
    picture.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    write_atomic(path, lambda target: picture.savefig(target, format="png", dpi=DPI))
    return path


def _wrapped(label: str) -> list[str]:
    return textwrap.wrap(label, LABEL_CHARACTERS, break_on_hyphens=False)
