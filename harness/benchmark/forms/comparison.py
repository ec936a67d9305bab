"""The tables that compare the rows: macro means, differences, every finding, p values."""

from string import ascii_lowercase

from harness.benchmark.estimates import MACRO, Metric, Scope
from harness.benchmark.forms.cells import compared, count, difference, figure, p_value, words
from harness.benchmark.forms.tables import Cell, Table
from harness.benchmark.forms.wording import MINUS, PERCENT, finding_name, listed, plain, seeds_of
from harness.benchmark.metric_info import METRIC_INFO, ORACLE
from harness.benchmark.results import Results, Row

MAIN: tuple[Metric, ...] = ("auroc", "auprc", "f1", "f1_at_half", ORACLE, "brier", "ece")
OPERATING: tuple[Metric, ...] = ("sensitivity", "specificity", "mcc")
PER_FINDING: tuple[Metric, ...] = ("auroc", "auprc", "f1")
HEADERS: dict[Metric, str] = {
    "f1": "F1, validation threshold",
    ORACLE: "F1 oracle (tuned on test)",
}
NO_BREAK = "\u00a0"
MAIN_NOTE = (
    f"Macro means over the findings on test [{PERCENT} interval] ± SD over training seeds. Best of "
    "each column in bold. The oracle's threshold is tuned on test: an upper bound, not a result."
)

NO_PATIENTS_NOTE = (
    "Which images show one patient is not known: intervals are over images, too narrow where a "
    "patient has several, and one may be in training and in test."
)


def main_table(results: Results) -> Table:
    """Every row with its macro figures."""
    stamps = stamp_letters(results)
    rows = tuple(
        (
            words(row.label, marks=tuple(stamps[text] for text in stamps_of(row))),
            words(row.network),
            Cell(text=seeds_of(row), order=row.num_scored),
            count(row.cost.num_trials),
            *(compared(results, row, metric) for metric in MAIN),
        )
        for row in results.rows
    )
    return Table(
        key="main",
        title="Macro means on test",
        headers=("Row", "Network", "Seeds", "Trials", *(header(metric) for metric in MAIN)),
        rows=rows,
        notes=(
            MAIN_NOTE,
            *(() if results.caption.has_patients else (NO_PATIENTS_NOTE,)),
            *(f"{letter}: {text}." for text, letter in stamps.items()),
        ),
        num_text=2,
    )


def operating_table(results: Results) -> Table:
    """What else there is to say at the frozen thresholds."""
    return Table(
        key="operating",
        title="At the frozen thresholds",
        headers=("Row", *(header(metric) for metric in OPERATING)),
        rows=tuple(
            (words(row.label), *(compared(results, row, metric) for metric in OPERATING))
            for row in results.rows
        ),
        notes=(f"Macro means on test [{PERCENT} interval] ± SD over training seeds.",),
    )


def header(metric: Metric) -> str:
    """The name of a metric and which way it is better."""
    measure = METRIC_INFO[metric]
    return (
        f"{HEADERS.get(metric, measure.title)}{NO_BREAK}{'↓' if measure.is_lower_better else '↑'}"
    )


def stamps_of(row: Row) -> tuple[str, ...]:
    """What a reader must know of a row before its figures: what it is made of, what it lacks."""
    made_of = f"mean of the scores of the runs of {listed(row.members)}"
    return tuple(plain(text) for text in ((made_of,) if row.members else ()) + row.stamps)


def stamp_letters(results: Results) -> dict[str, str]:
    """A letter for each stamp: `a` to `z`, then `aa`."""
    stamps = dict.fromkeys(text for row in results.rows for text in stamps_of(row))
    return {
        text: ascii_lowercase[place % 26] * (1 + place // 26) for place, text in enumerate(stamps)
    }


def difference_table(results: Results) -> Table:
    """How far each row is behind the best, and what the doubt about its AUROC comes from."""
    metrics = ("auroc", "auprc", "f1")
    rows = tuple(
        (
            words(row.label),
            *(cell for metric in metrics for cell in _distance(results, row, metric)),
            *_spread(row),
        )
        for row in results.rows
    )
    units = f"{results.unit}s"
    headers = [
        text
        for metric in metrics
        for text in (f"{METRIC_INFO[metric].title} {MINUS} best", "p (Holm)")
    ]
    return Table(
        key="differences",
        title="Distance from the best row",
        headers=(
            "Row",
            *headers,
            f"AUROC: SE, {units}",
            "AUROC: SE, seeds",
            "Difference: SE, seeds",
        ),
        rows=rows,
        notes=(
            f"Macro means, row minus best row on the same resamples [{PERCENT} interval]. p: "
            "two-sided, paired bootstrap, Holm-adjusted over the rows. The standard error over "
            f"{units} is the bootstrap's; over seeds it is SD / √seeds. An interval holds the "
            f"{units}' share alone.",
        ),
    )


def _distance(results: Results, row: Row, metric: Metric) -> tuple[Cell, Cell]:
    if row is results.best(metric):
        return Cell(text="best", is_best=True, order=0.0), Cell()
    distance = row.difference(metric)
    return difference(distance), p_value(distance.p_holm if distance else None)


def _spread(row: Row) -> tuple[Cell, Cell, Cell]:
    auroc, distance = row.figure("auroc"), row.difference("auroc")
    if auroc is None:
        return Cell(), Cell(), Cell()
    seed_se = None if auroc.sd is None else auroc.sd / len(auroc.seeds) ** 0.5
    return (
        figure(auroc.se, 4),
        figure(seed_se, 4),
        figure(distance.seed_se if distance else None, 4),
    )


def finding_table(results: Results, metric: Metric) -> Table:
    """Findings down, rows across; the best of each line in bold."""

    def line(name: Cell, counts: tuple[Cell, ...], scope: Scope) -> tuple[Cell, ...]:
        cells = (compared(results, row, metric, scope=scope, has_sd=False) for row in results.rows)
        return (name, *counts, *cells)

    measure, images = METRIC_INFO[metric], images_of_findings(results)
    titles = ("Positives", "Images") if images else ("Positives",)
    return Table(
        key=metric,
        title=f"{measure.title} per finding",
        headers=("Finding", *titles, *(plain(row.label) for row in results.rows)),
        rows=tuple(
            line(
                words(finding_name(finding)),
                (count(positives), *((count(images[finding]),) if images else ())),
                finding,
            )
            for finding, positives in results.num_positives.items()
        ),
        foot=line(words("Macro mean"), (Cell(text=""),) * len(titles), MACRO),
        notes=(
            f"{measure.title}: {measure.definition} [{PERCENT} interval]. Best of each line in "
            "bold; p adjusted over the findings of a row.",
            *(("Images: those whose label of the finding is known.",) if images else ()),
        ),
    )


def images_of_findings(results: Results) -> dict[Scope, int]:
    """How many test images count for each finding; empty where all do."""
    total = results.caption.num_images
    if total is None or not results.num_unknown:
        return {}
    return {name: total - results.num_unknown.get(name, 0) for name in results.findings}


def p_table(results: Results) -> Table:
    """Whether a row differs from the best of a finding: bootstrap, and DeLong as a check."""
    return Table(
        key="p-values",
        title="AUROC per finding: p of the difference from the best",
        headers=("Finding", "Best", *(plain(row.label) for row in results.rows)),
        rows=tuple(
            (words(finding_name(name)), _best_name(results, name), *_p_line(results, name))
            for name in results.findings
        ),
        notes=(
            "p of the paired bootstrap, Holm-adjusted over the findings of a row; in brackets p of "
            "DeLong's test, not adjusted, which takes images for independent: a cross-check.",
        ),
        num_text=2,
    )


def _best_name(results: Results, finding: str) -> Cell:
    best = results.best("auroc", finding)
    return words(best.label if best else None)


def _p_line(results: Results, finding: str) -> tuple[Cell, ...]:
    cells = []
    for row in results.rows:
        distance = row.difference("auroc", finding)
        if row is results.best("auroc", finding):
            cells.append(Cell(text="best", is_best=True, order=1.0))
        elif distance is None:
            cells.append(Cell())
        else:
            delong = p_value(distance.p_delong)
            shown, aside = p_value(distance.p_holm), "" if delong.is_gap else f"({delong.text})"
            cells.append(Cell(text=shown.text, aside=aside, order=shown.order))
    return tuple(cells)


def headline(results: Results) -> str:
    """Who is ahead and who cannot be told from it, in a sentence; empty before any figure."""
    best = results.best("auroc")
    auroc = best.figure("auroc") if best else None
    if best is None or auroc is None:
        return ""
    cell = compared(results, best, "auroc", has_sd=False)
    told = f"{plain(best.label)}, {cell.text} {cell.interval}".rstrip()
    others = [row for row in results.rows if row.difference("auroc")]
    if not others:
        return f"Macro AUROC on test: {told}; there is no other row to compare it with."
    near = [plain(row.label) for row in others if not _is_behind(row)]
    far = [plain(row.label) for row in others if _is_behind(row)]
    parts = [f"Highest macro AUROC of {len(others) + 1} rows on test: {told}"]
    parts += [f"not significantly different: {listed(near)}"] if near else []
    parts += [f"significantly lower: {listed(far)}"] if far else []
    return "; ".join(parts) + "."


def _is_behind(row: Row) -> bool:
    distance = row.difference("auroc")
    return distance is not None and distance.is_significant
