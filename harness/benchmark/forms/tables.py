"""Tables as data: what stands where and with which marks; every form draws these.

Text is plain: what is special in Markdown, LaTeX or HTML is escaped by the form.
"""

from dataclasses import dataclass

from harness.benchmark.estimates import SIGNIFICANT_P, WIDE
from harness.benchmark.forms.wording import PERCENT

GAP = "–"
NOT_DIFFERENT, IS_WIDE, EXCLUDES_0 = "†", "‡", "§"
MARKS: dict[str, str] = {
    NOT_DIFFERENT: "not significantly different from the best: "
    f"Holm-adjusted p of the paired bootstrap ≥ {SIGNIFICANT_P}.",
    IS_WIDE: f"{PERCENT} interval wider than {WIDE}: too few positive images to say much.",
    EXCLUDES_0: f"the {PERCENT} interval of the gap excludes 0.",
}


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Attributes:
        text: The figure itself, or words.
        interval: Such as `[0.781, 0.823]`.
        aside: What else there is to say, such as `± 0.003`.
        marks: Keys of `MARKS`, or letters that the table's notes explain.
        is_best: To be shown in bold.
        order: What the cell is sorted by, in full precision; None for words and gaps.
    """

    text: str = GAP
    interval: str = ""
    aside: str = ""
    marks: tuple[str, ...] = ()
    is_best: bool = False
    order: float | None = None

    @property
    def is_gap(self) -> bool:
        """True where there is no figure."""
        return self.text == GAP


@dataclass(frozen=True)
class Table:
    """A table; each of its rows has as many cells as there are headers.

    Attributes:
        key: Unique among the tables of a report: an anchor and a label.
        rows: May be sorted by any column.
        foot: A last row that stays last, such as the macro mean; may be missing.
        notes: Sentences below it.
        num_text: So many columns on the left hold words; the others are aligned right.
        is_long: Has too many lines for a printed page.
    """

    key: str
    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[Cell, ...] = ()
    notes: tuple[str, ...] = ()
    num_text: int = 1
    is_long: bool = False

    @property
    def legend(self) -> tuple[str, ...]:
        """What the marks that occur in it mean."""
        used = {mark for row in (*self.rows, self.foot) for cell in row for mark in cell.marks}
        return tuple(f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in used)
