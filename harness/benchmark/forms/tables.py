"""Tables as data: what stands where, in which digits and with which marks; every form draws these.

All rounding is done here. Text is plain: what is special in Markdown, LaTeX or HTML is escaped by
the form, and control characters, which no form can show, become blanks.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from harness.benchmark.estimates import (
    LEVEL,
    MACRO,
    SIGNIFICANT_P,
    WIDE,
    Difference,
    Estimate,
    Metric,
    Scope,
)
from harness.benchmark.metric_info import ORACLE
from harness.benchmark.results import Results, Row
from harness.core.findings import readable

GAP = "–"
MINUS = "−"
DECIMALS = 3
FINE_DECIMALS = 4
HASH_DIGITS = 12
LEAST_P = 0.001
PERCENT = f"{LEVEL:.0%}".replace("%", " %")

NOT_DIFFERENT, IS_WIDE, EXCLUDES_0 = "†", "‡", "§"
UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
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


# Cells ------------------------------------------------------------------------------------------


def words(text: object, *, marks: tuple[str, ...] = ()) -> Cell:
    """A cell of words; a gap for None and for nothing."""
    return Cell(text=plain(text), marks=marks) if text not in (None, "") else Cell()


def figure(value: float | None, decimals: int = DECIMALS, *, is_signed: bool = False) -> Cell:
    """A cell of one number without an interval."""
    if value is None:
        return Cell()
    text = signed(value, decimals) if is_signed else number(value, decimals)
    return Cell(text=text, order=value)


def count(value: int | None) -> Cell:
    """A cell of a whole number, thousands parted."""
    return Cell() if value is None else Cell(text=f"{value:,}", order=value)


def estimate(value: Estimate | None, *, has_sd: bool = True, is_signed: bool = False) -> Cell:
    """An estimate with its interval and, on request, its SD over training seeds."""
    if value is None:
        return Cell()
    return Cell(
        text=signed(value.value) if is_signed else number(value.value),
        interval=interval(value.low, value.high, is_signed=is_signed),
        aside=f"± {number(value.sd)}" if has_sd and value.sd is not None else "",
        order=value.value,
    )


def seeds_mean(values: tuple[float, ...]) -> Cell:
    """A mean over training seeds with its SD, where there are several."""
    if not values:
        return Cell()
    sd = f"± {number(stdev(values), FINE_DECIMALS)}" if len(values) > 1 else ""
    return Cell(text=number(fmean(values), FINE_DECIMALS), aside=sd, order=fmean(values))


def compared(
    results: Results, row: Row, metric: Metric, *, scope: Scope = MACRO, has_sd: bool = True
) -> Cell:
    """A figure of a row among the same figure of the others: best, not different, wide.

    Who is alone is not called the best, and what was tuned on test never is.
    """
    value = row.figure(metric, scope)
    if value is None:
        return Cell()
    cell, marks = estimate(value, has_sd=has_sd), []
    is_contest = metric != ORACLE and sum(bool(r.figure(metric, scope)) for r in results.rows) > 1
    difference = row.difference(metric, scope)
    if is_contest and difference and not difference.is_significant:
        marks.append(NOT_DIFFERENT)
    if value.is_wide:
        marks.append(IS_WIDE)
    best = results.best(metric, scope) if is_contest else None
    return replace(cell, marks=tuple(marks), is_best=row is best)


def difference(value: Difference | None) -> Cell:
    """A distance from the best row with its interval."""
    if value is None:
        return Cell()
    return Cell(
        text=signed(value.value),
        interval=interval(value.low, value.high, is_signed=True),
        order=value.value,
    )


def gap(value: Estimate | None) -> Cell:
    """A difference with its interval, marked where that excludes 0."""
    cell = estimate(value, has_sd=False, is_signed=True)
    return replace(cell, marks=(EXCLUDES_0,) if value and value.excludes_0 else ())


def p_value(value: float | None) -> Cell:
    """A cell of a p value; below `LEAST_P` that is all it says."""
    if value is None:
        return Cell()
    return Cell(text=f"<{LEAST_P}" if value < LEAST_P else number(value), order=value)


# Rounding ---------------------------------------------------------------------------------------


def number(value: float, decimals: int = DECIMALS) -> str:
    """`0.012`, with a minus sign and not a hyphen."""
    return f"{value:.{decimals}f}".replace("-", MINUS)


def signed(value: float, decimals: int = DECIMALS) -> str:
    """`+0.012`, `−0.012`; what is rounded to nothing has no sign."""
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def interval(low: float | None, high: float | None, *, is_signed: bool = False) -> str:
    """`[0.781, 0.823]`; empty where it is not known."""
    if low is None or high is None:
        return ""
    show = signed if is_signed else number
    return f"[{show(low)}, {show(high)}]"


def value_of(value: object) -> str:
    """A hyperparameter in at most three digits."""
    return f"{value:.3g}" if isinstance(value, float) else plain(value)


def plural(amount: int, noun: str) -> str:
    """`1 image`, `2,000 images`."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def short_hash(sha256: str | None) -> str:
    """The first digits of a SHA-256; `unknown` for none."""
    return sha256[:HASH_DIGITS] if sha256 else "unknown"


def seeds_of(row: Row) -> str:
    """`3`, or `2 of 3` where a run has not been scored."""
    if row.num_scored == row.num_seeds:
        return str(row.num_seeds)
    return f"{row.num_scored} of {row.num_seeds}"


def finding_name(finding: str) -> str:
    """A finding's name as people read it, on one line."""
    return plain(readable(finding))


def plain(text: object) -> str:
    """On one line, without control characters or signs that turn the direction of writing."""
    return UNSHOWN.sub(" ", str(text)).strip()
