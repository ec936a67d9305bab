"""A report as Markdown, for a repository or a pull request."""

import re
from collections.abc import Iterable, Sequence

from harness.benchmark.forms.report import Report, Section
from harness.benchmark.forms.tables import Cell, Table

SPECIAL = re.compile(r"[\\`*<>|~$&]|(?<!\w)_|_(?!\w)|\](?=[(\[:])")


def as_markdown(report: Report, *, figures: Sequence[str] = ()) -> str:
    """The whole report.

    Args:
        report: What is told.
        figures: Names of those that lie beside it as `figures/<name>.png`.
    """
    parts = [
        f"# {escape(report.title)}",
        *(f"**{escape(warning)}**" for warning in report.warnings),
        *([escape(report.headline)] if report.headline else []),
        "\n".join(f"- {escape(term)}: {escape(fact)}." for term, fact in report.facts),
        *(part for section in report.sections for part in _section(section, figures)),
        escape(report.looks),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Plain text that Markdown shows as it is.

    Underscores within words and brackets that cannot be links need no help.
    """
    return SPECIAL.sub(lambda found: f"\\{found[0]}", text)


def _section(section: Section, figures: Sequence[str]) -> Iterable[str]:
    yield f"## {escape(section.title)}"
    for table in section.tables:
        yield f"### {escape(table.title)}"
        yield as_table(table)
        notes = (*table.notes, *table.legend)
        if notes:
            yield escape(" ".join(notes))
    for name in section.figures:
        if name in figures:
            yield f"![{name}](figures/{name}.png)"


def as_table(table: Table) -> str:
    """The table alone; the columns after the words are aligned right."""
    rules = ["---" if place < table.num_text else "---:" for place in range(len(table.headers))]
    lines = [[_cell(cell) for cell in row] for row in (*table.rows, table.foot) if row]
    headers = [escape(header) for header in table.headers]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headers, rules, *lines))


def _cell(cell: Cell) -> str:
    text = f"**{escape(cell.text)}**" if cell.is_best else escape(cell.text)
    text += "".join(f"<sup>{mark}</sup>" if mark.isalpha() else mark for mark in cell.marks)
    return " ".join(part for part in (text, escape(cell.interval), escape(cell.aside)) if part)
