"""A `ComparisonTable` as Markdown, CSV and JSON, and as the rows that the command line shows.

Nothing is computed here but rounding, and which figure of a column is the best one.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.benchmark.measures import MEASURES
from harness.benchmark.table import Cell, ComparisonTable, Row
from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json, write_text
from harness.core.records import METRICS

GAP = "-"
DECIMALS = 3
FINE_DECIMALS = 4


def write_table(table: ComparisonTable, folder: Path) -> list[Path]:
    """Write `table.md`, `table.csv` and `table.json` into `folder`."""
    write_json(folder / "table.json", table.model_dump(mode="json"))
    write_text(folder / "table.md", as_markdown(table))
    write_text(folder / "table.csv", as_csv(table))
    return [folder / name for name in ("table.md", "table.csv", "table.json")]


def read_table(path: Path) -> ComparisonTable:
    """Read a `table.json`.

    Raises:
        HarnessError: It is absent or not one of ours.
    """
    try:
        return ComparisonTable.model_validate(read_json(path))
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file") from None
    except ValidationError as error:
        raise HarnessError(f"{path}: not a comparison table ({error.title})") from None
    except ValueError as error:
        raise HarnessError(f"{path}: not JSON ({error})") from None


def summary_rows(table: ComparisonTable) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the few columns that fit a terminal."""
    shown = ("auroc", "auprc", "f1", "brier")
    headers = ["Contestant", "Network", "Seeds", *(MEASURES[name].title for name in shown)]
    rows = [
        [row.label, row.network, _seeds(row), *(_show(row.macro[name]) for name in shown)]
        for row in table.rows
    ]
    return headers, rows


# CSV ----------------------------------------------------------------------------------------

CSV_COLUMNS = (
    "benchmark", "contestant", "network", "is_default", "is_winner", "search", "trial",
    "finding", "num_positives", "metric", "num_seeds", "mean", "sd",
)  # fmt: skip


def as_csv(table: ComparisonTable) -> str:
    """One line per contestant, finding (or `macro`) and metric, in full precision.

    `num_seeds` counts the seeds that the figure has; a gap has none and empty fields.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in table.rows:
        about = (table.name, row.label, row.network, row.is_default, row.is_winner,
                 row.search, row.trial)  # fmt: skip
        for finding, metric, cell in _cells(row, table):
            positives = table.num_positives.get(finding)
            figures = (len(cell.values), cell.mean, cell.sd) if cell else (0, None, None)
            writer.writerow((*about, finding, positives, metric, *figures))
    return text.getvalue()


def _cells(row: Row, table: ComparisonTable) -> Iterable[tuple[str, str, Cell | None]]:
    for metric in METRICS:
        yield "macro", metric, row.macro[metric]
    for finding in table.num_positives:
        for metric in METRICS:
            yield finding, metric, row.findings.get(finding, {}).get(metric)


# Markdown -----------------------------------------------------------------------------------


def as_markdown(table: ComparisonTable) -> str:
    """The whole report: caption, tables, what is missing and why, and what the words mean."""
    sections = [
        f"# {_escape(table.title)}",
        _caption(table),
        _main_table(table),
        *_section("AUROC per finding", _finding_table(table, "auroc")),
        *_section("F1 per finding, at the frozen thresholds", _finding_table(table, "f1")),
        *_section("From search to test", _drop_table(table)),
        *_section("What the searches changed", _changes(table)),
        *_section("Gaps", _problems(table)),
        *_section("Measures", _definitions()),
    ]
    return "\n\n".join(sections) + "\n"


def _section(title: str, body: str) -> list[str]:
    return [f"## {title}", body] if body else []


def _caption(table: ComparisonTable) -> str:
    facts, kind = table.caption, "SYNTHETIC images" if table.caption.is_synthetic else "images"
    sentences = []
    if facts.is_synthetic:
        sentences.append("**SYNTHETIC DATA: these figures say nothing about X-rays.**")
    if table.is_partial:
        sentences.append("**PARTIAL: runs are missing, see Gaps.**")
    sentences += [
        f"Macro means over findings on the test part of `{_escape(facts.store_source)}` "
        f"({_count(facts.num_images)} {kind} of {_count(facts.num_patients)} patients).",
        f"Split `{facts.split}` {_hash(facts.split_sha256)}, "
        f"labels `{_escape(facts.label_version)}` {_hash(facts.labels_sha256)}.",
        f"Mean ± SD over {_plural(len(facts.seeds), 'training seed')}, the same for every row.",
        f"Thresholds per finding by the rule `{facts.threshold_rule or GAP}` on validation, "
        "frozen before test.",
        "Best of each column in bold.",
        f"Code {', '.join(f'`{commit}`' for commit in facts.commits) or GAP}.",
    ]
    return " ".join(sentences)


def _main_table(table: ComparisonTable) -> str:
    headers = ["Contestant", "Network", "Params (M)", "Seeds"]
    headers += [
        f"{measure.title} {'↓' if measure.is_lower_better else '↑'}"
        for measure in MEASURES.values()
    ]
    columns = [
        [_escape(row.label) for row in table.rows],
        [f"`{_escape(row.network)}`" for row in table.rows],
        [_number(row.num_parameters_m, 1) for row in table.rows],
        [_seeds(row) for row in table.rows],
        *(_column([row.macro[name] for row in table.rows], name) for name in MEASURES),
    ]
    return _as_table(headers, list(zip(*columns, strict=True)), num_text_columns=2)


def _finding_table(table: ComparisonTable, metric: str) -> str:
    """Findings down, contestants across; the best of each line in bold."""
    if not table.num_positives:
        return ""
    headers = ["Finding", "Positives", *(_escape(row.label) for row in table.rows)]
    lines = [
        [
            finding,
            _count(positives),
            *_column([row.findings.get(finding, {}).get(metric) for row in table.rows], metric),
        ]
        for finding, positives in table.num_positives.items()
    ]
    macro = _column([row.macro[metric] for row in table.rows], metric)
    return _as_table(headers, [*lines, ["Macro mean", "", *macro]], num_text_columns=1)


def _drop_table(table: ComparisonTable) -> str:
    """What of a winner's search score was luck: macro AUROC of the same recipe, three times."""
    winners = [row for row in table.rows if row.is_winner and row.search_score is not None]
    if not winners:
        return ""
    headers = ["Winner", "Trial", "Best of", "Search, val", "Re-trained, val", "Re-trained, test",
               "Search to re-trained", "Val to test"]  # fmt: skip
    lines = [
        [
            _escape(row.label),
            row.trial or GAP,
            _plural(row.num_trials, "trial"),
            _number(row.search_score, FINE_DECIMALS),
            _show(row.val_auroc, decimals=FINE_DECIMALS),
            _show(row.macro["auroc"], decimals=FINE_DECIMALS),
            _difference(row.val_auroc, row.search_score),
            _difference(row.macro["auroc"], row.val_auroc.mean if row.val_auroc else None),
        ]
        for row in winners
    ]
    note = (
        "Macro AUROC. The search score is the highest of many and of one seed, so part of it is "
        "luck; fresh seeds show what is left."
    )
    return _as_table(headers, lines, num_text_columns=2) + "\n\n" + note


def _changes(table: ComparisonTable) -> str:
    lines = []
    for row in table.rows:
        changes = [
            f"`{path}` {_value(default)} → {_value(tuned)}"
            for path, (default, tuned) in row.changes.items()
        ]
        if changes:
            lines.append(f"- {_escape(row.label)}: {', '.join(changes)}")
    return "\n".join(lines)


def _problems(table: ComparisonTable) -> str:
    return "\n".join(
        f"- {_escape(problem.where)}: {_escape(problem.reason)}" for problem in table.problems
    )


def _definitions() -> str:
    lines = [f"- {measure.title}: {measure.definition}." for measure in MEASURES.values()]
    lines.append("- SD: sample standard deviation (n - 1) over training seeds; not a confidence "
                 "interval, since all seeds share one test part.")  # fmt: skip
    return "\n".join(lines)


# Cells --------------------------------------------------------------------------------------


def _column(cells: Sequence[Cell | None], metric: str) -> list[str]:
    """The cells as text; the best mean, and all that show the same digits, in bold."""
    means = [cell.mean for cell in cells if cell]
    pick: Callable[[list[float]], float] = min if MEASURES[metric].is_lower_better else max
    best = _number(pick(means)) if len(means) > 1 else None
    return [_show(cell, is_bold=cell is not None and _number(cell.mean) == best) for cell in cells]


def _show(cell: Cell | None, *, is_bold: bool = False, decimals: int = DECIMALS) -> str:
    if cell is None:
        return GAP
    mean = _number(cell.mean, decimals)
    mean = f"**{mean}**" if is_bold else mean
    return mean if cell.sd is None else f"{mean} ± {_number(cell.sd, decimals)}"


def _seeds(row: Row) -> str:
    if row.num_scored == row.num_seeds:
        return str(row.num_seeds)
    return f"{row.num_scored} of {row.num_seeds}"


def _number(value: float | None, decimals: int = DECIMALS) -> str:
    return GAP if value is None else f"{value:.{decimals}f}"


def _difference(cell: Cell | None, reference: float | None) -> str:
    if cell is None or reference is None:
        return GAP
    return f"{cell.mean - reference:+.{FINE_DECIMALS}f}"


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _count(number: int | None) -> str:
    return GAP if number is None else f"{number:,}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _hash(sha256: str | None) -> str:
    return f"`{sha256[:8]}`" if sha256 else GAP


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _as_table(
    headers: Sequence[str], lines: Iterable[Sequence[str]], *, num_text_columns: int
) -> str:
    """A Markdown table; the columns after the first `num_text_columns` are aligned right."""
    rules = ["---" if place < num_text_columns else "---:" for place in range(len(headers))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headers, rules, *lines))
