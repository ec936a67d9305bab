"""A report as one HTML file that asks for nothing: style, script and pictures are in it.

It can be read without a script; with one, tables are sorted by a click on a header.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping
from importlib.resources import files

from harness.benchmark.forms.report import Report, Section
from harness.benchmark.forms.tables import MARKS, Cell, Table


def as_html(report: Report, *, figures: Mapping[str, str]) -> str:
    """The whole file.

    Args:
        report: What is told.
        figures: Inline SVG of each figure by its name; it is trusted.
    """
    style, script = _asset("report.css"), _asset("report.js")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(report.title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            '<a class="skip" href="#content">To the content</a>',
            *_header(report),
            '<div class="page">',
            *_navigation(report),
            '<main id="content">',
            *(line for section in report.sections for line in _section(section, figures)),
            "</main>",
            "</div>",
            f"<footer><p>{escape(report.looks)}</p></footer>",
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def escape(text: str) -> str:
    """Plain text that HTML shows as it is."""
    return html.escape(text)


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Nothing is fetched, and no script runs but ours, whatever a label may hold."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _header(report: Report) -> Iterable[str]:
    yield "<header>"
    yield f"<h1>{escape(report.title)}</h1>"
    for warning in report.warnings:
        yield f'<p class="warning" role="note">{escape(warning)}</p>'
    if report.headline:
        yield f'<p class="headline">{escape(report.headline)}</p>'
    yield '<dl class="facts">'
    for term, fact in report.facts:
        yield f"<div><dt>{escape(term)}</dt><dd>{escape(fact)}</dd></div>"
    yield "</dl>"
    yield "</header>"


def _navigation(report: Report) -> Iterable[str]:
    yield '<nav aria-label="Sections"><ul>'
    for section in report.sections:
        yield f'<li><a href="#{section.key}">{escape(section.title)}</a></li>'
    yield "</ul></nav>"


def _section(section: Section, figures: Mapping[str, str]) -> Iterable[str]:
    yield f'<section id="{section.key}" aria-labelledby="{section.key}-title">'
    yield f'<h2 id="{section.key}-title">{escape(section.title)}</h2>'
    first, *others = section.tables
    yield from _table(first)
    for name in section.figures:
        if name in figures:
            yield f'<figure id="figure-{name}">{figures[name]}</figure>'
    for table in others:
        yield from _table(table)
    yield "</section>"


def _table(table: Table) -> Iterable[str]:
    name = f"table-{table.key}"
    yield f'<div class="table" id="{name}">'
    yield f'<h3 id="{name}-title">{escape(table.title)}</h3>'
    yield f'<div class="scroll" role="region" aria-labelledby="{name}-title" tabindex="0">'
    yield f'<table aria-labelledby="{name}-title">'
    headers = (
        f'<th scope="col"{_side(table, place)}>{escape(header)}</th>'
        for place, header in enumerate(table.headers)
    )
    yield f"<thead><tr>{''.join(headers)}</tr></thead>"
    yield "<tbody>"
    yield from (_row(table, row) for row in table.rows)
    yield "</tbody>"
    if table.foot:
        yield f"<tfoot>{_row(table, table.foot)}</tfoot>"
    yield "</table></div>"
    for note in (*table.notes, *table.legend):
        yield f'<p class="note">{escape(note)}</p>'
    yield "</div>"


def _row(table: Table, cells: tuple[Cell, ...]) -> str:
    first, *others = cells
    rest = (_cell(table, place, cell) for place, cell in enumerate(others, start=1))
    return f'<tr><th scope="row">{_content(first)}</th>{"".join(rest)}</tr>'


def _cell(table: Table, place: int, cell: Cell) -> str:
    order = "" if cell.order is None else f' data-order="{cell.order!r}"'
    gap = " data-gap" if cell.is_gap else ""
    return f"<td{_side(table, place)}{order}{gap}>{_content(cell)}</td>"


def _side(table: Table, place: int) -> str:
    return "" if place < table.num_text else ' class="number"'


def _content(cell: Cell) -> str:
    text = escape(cell.text)
    parts = [f"<b>{text}</b>" if cell.is_best else text]
    if cell.marks:
        parts.append(f'<span class="marks">{"".join(map(_mark, cell.marks))}</span>')
    parts += [f"<small>{escape(part)}</small>" for part in (cell.interval, cell.aside) if part]
    return "".join(parts)


def _mark(mark: str) -> str:
    return f'<sup title="{escape(MARKS.get(mark, "see the notes below"))}">{escape(mark)}</sup>'
