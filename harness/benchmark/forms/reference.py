"""Published figures beside ours: never ranked with them, each with its source and its flags."""

from harness.benchmark.estimates import MACRO, Estimate, Metric, Scope
from harness.benchmark.forms.cells import count, estimate, figure, words
from harness.benchmark.forms.tables import Cell, Table
from harness.benchmark.forms.wording import (
    FINE_DECIMALS,
    MINUS,
    PERCENT,
    finding_name,
    number,
    plain,
)
from harness.benchmark.metric_info import METRIC_INFO
from harness.benchmark.results import PublishedRow, Results, Row

NO_FLAG = "none"


def published_tables(results: Results) -> tuple[Table, ...]:
    """What others published: macro means, and AUROC per finding."""
    if not results.published:
        return ()
    metrics = [
        m for m in METRIC_INFO if any(m in row.figures.get(MACRO, {}) for row in results.published)
    ]
    macro = Table(
        key="published",
        title="Macro means as published",
        headers=("Published row", "Split", "Flags", "Source",
                 *(METRIC_INFO[metric].title for metric in metrics)),
        rows=tuple(
            (
                words(row.label), words(row.split), words("; ".join(row.flags) or NO_FLAG),
                words(row.source), *(published_cell(row, metric) for metric in metrics),
            )
            for row in results.published
        ),
        notes=(
            "As published, not computed here; macro means over findings. Not ranked with our rows: "
            "a flag says why a figure must not be compared.",
        ),
        num_text=4,
    )  # fmt: skip
    return (macro, *_per_finding(results))


def _per_finding(results: Results) -> tuple[Table, ...]:
    rows = [
        row
        for row in results.published
        if any("auroc" in metrics for scope, metrics in row.figures.items() if scope != MACRO)
    ]
    if not rows:
        return ()

    def line(name: str, scope: Scope) -> tuple[Cell, ...]:
        return (words(name), *(published_cell(row, "auroc", scope) for row in rows))

    table = Table(
        key="published-auroc",
        title="Published AUROC per finding",
        headers=("Finding", *(plain(row.label) for row in rows)),
        rows=tuple(line(finding_name(name), name) for name in results.findings),
        foot=line("Macro mean", MACRO),
        notes=("As published; see the flags above.",),
    )
    return (table,)


def published_cell(row: PublishedRow, metric: Metric, scope: Scope = MACRO) -> Cell:
    """In the digits that it was published with, three at least and four at most."""
    value = row.figures.get(scope, {}).get(metric)
    if value is None:
        return Cell()
    is_short = round(value, 3) == round(value, FINE_DECIMALS)
    return Cell(text=number(value, 3 if is_short else FINE_DECIMALS), order=value)


def reproduction_tables(results: Results) -> tuple[Table, ...]:
    """The published row that is to be reproduced beside ours, a table for each metric of both."""
    published = next((row for row in results.published if row.key == results.reproduce), None)
    ours = reproducing_row(results)
    if published is None or ours is None:
        return ()
    metrics = [metric for metric in METRIC_INFO if _has(published, metric) and _has(ours, metric)]
    return tuple(_side_by_side(results, published, ours, metric) for metric in metrics)


def reproducing_row(results: Results) -> Row | None:
    """Ours whose label begins with the key, the default recipe first; else the best row."""
    key = results.reproduce
    if key is None:
        return None
    named = [row for row in results.rows if row.label.startswith(key)]
    default = [row for row in named if row.is_default]
    return next(iter(default or named), results.best("auroc"))


def _has(row: PublishedRow | Row, metric: Metric) -> bool:
    return any(metric in metrics for metrics in row.figures.values())


def _side_by_side(results: Results, published: PublishedRow, ours: Row, metric: Metric) -> Table:
    def line(name: str, positives: Cell, scope: Scope) -> tuple[Cell, ...]:
        theirs, value = published_cell(published, metric, scope), ours.figure(metric, scope)
        return (
            words(name),
            positives,
            theirs,
            estimate(value, has_sd=False),
            *_agreement(theirs.order, value),
        )

    measure, flags = METRIC_INFO[metric], plain("; ".join(published.flags))
    changed = "" if "(published" in ours.label else " Ours is not the published recipe itself."
    return Table(
        key=f"reproduction-{metric}",
        title=f"Reproduction of {plain(published.label)}: {measure.title}",
        headers=("Finding", "Positives, ours", "Published", plain(ours.label),
                 f"Ours {MINUS} published", "Published in our interval?"),
        rows=tuple(
            line(finding_name(name), count(positives), name)
            for name, positives in results.num_positives.items()
        ),
        foot=line("Macro mean", Cell(text=""), MACRO),
        notes=(
            f"{measure.title}: {measure.definition} [{PERCENT} interval of ours]. The published "
            f"values have a sampling error of their own, unknown here. Flags: {flags or NO_FLAG}. "
            f"Published on the split: {plain(published.split)}.{changed} Source: "
            f"{plain(published.source)}.",
        ),
    )  # fmt: skip


def _agreement(theirs: float | None, ours: Estimate | None) -> tuple[Cell, Cell]:
    """Our figure minus theirs, and whether theirs lies in our interval."""
    if theirs is None or ours is None:
        return Cell(), Cell()
    away = figure(ours.value - theirs, is_signed=True)
    if ours.low is None or ours.high is None:
        return away, Cell()
    return away, Cell(text="yes" if ours.low <= theirs <= ours.high else "no")
