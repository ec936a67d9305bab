"""Figures and words as cells of a table, with their intervals and marks."""

from dataclasses import replace
from statistics import fmean, stdev

from harness.benchmark.estimates import MACRO, Difference, Estimate, Metric, Scope
from harness.benchmark.forms.tables import EXCLUDES_0, IS_WIDE, NOT_DIFFERENT, Cell
from harness.benchmark.forms.wording import DECIMALS, FINE_DECIMALS, interval, number, plain, signed
from harness.benchmark.metric_info import ORACLE
from harness.benchmark.results import Results, Row

LEAST_P = 0.001


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
