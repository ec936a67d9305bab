r"""A report's tables as LaTeX, ready for `\input`: needs the packages booktabs and graphicx.

Tables that are wider than the line are shrunk to it; those too long for a page are left out.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterable

from harness.benchmark.forms.report import Report
from harness.benchmark.forms.tables import Cell, Table

HEAD = r"""% Written by harness. In the preamble:
%   \usepackage{booktabs}
%   \usepackage{graphicx}
\providecommand{\harnessstack}[1]{\begin{tabular}[t]{@{}r@{}}#1\end{tabular}}
\providecommand{\harnesswords}[1]{\parbox[t]{14em}{\raggedright #1\strut}}
"""
HEADER_WIDTH, WORDS_WIDTH = 13, 30
"""In signs; longer texts go on a new line."""
SPECIAL: dict[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "\u00a0": "~",
    "–": r"\textendash{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "→": r"$\rightarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "√": r"$\surd$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"$\mathsection$",
    "α": r"$\alpha$",
    "γ": r"$\gamma$",
}
LIGATURE = re.compile(r"([-'`])(?=\1)|[?!](?=`)")
LETTERS = frozenset("".join(map(chr, range(0xC0, 0x100)))) - frozenset("ÐðÞþ×÷")
"""Beyond ASCII, what pdfLaTeX knows in its default encoding."""


def as_latex(report: Report) -> str:
    """A floating table for each table of the report that fits a page."""
    warning = " ".join(report.warnings)
    facts = " ".join(f"{term}: {fact}." for term, fact in report.facts)
    about = " ".join(part for part in (warning, facts, report.looks) if part)
    tables = [table for table in report.tables if not table.is_long]
    floats = [
        _float(table, report, about=about if place == 0 else warning)
        for place, table in enumerate(tables)
    ]
    return HEAD + "\n" + "\n\n".join(floats) + "\n"


def escape(text: str) -> str:
    """Plain text that pdfLaTeX sets as it is; what has no sign there is named by its code point."""
    return LIGATURE.sub(r"\g<0>{}", "".join(map(_escaped, text)))


def _escaped(sign: str) -> str:
    if sign in SPECIAL:
        return SPECIAL[sign]
    if sign.isascii() or sign in LETTERS:
        return sign
    near = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return "".join(SPECIAL.get(each, each) for each in near) or f"[U+{ord(sign):04X}]"


def _float(table: Table, report: Report, *, about: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", report.name)
    notes = " ".join((*table.notes, *table.legend))
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\footnotesize",
            rf"\caption{{{escape(table.title)}. {escape(about)}}}".replace(". }", ".}"),
            rf"\label{{tab:{name}-{table.key}}}",
            r"\par\smallskip",
            r"\sbox0{%",
            *_tabular(table),
            r"}%",
            r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
            *([rf"\par\smallskip\raggedright\scriptsize {escape(notes)}"] if notes else []),
            r"\end{table}",
        ]
    )


def _tabular(table: Table) -> Iterable[str]:
    columns = "l" * table.num_text + "r" * (len(table.headers) - table.num_text)
    yield rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}"
    yield r"\toprule"
    yield _line(_header(text) for text in table.headers)
    yield r"\midrule"
    for place, row in enumerate(table.rows):
        if place > 0:
            yield r"\addlinespace[2pt]"
        yield _line(map(_cell, row))
    if table.foot:
        yield r"\midrule"
        yield _line(map(_cell, table.foot))
    yield r"\bottomrule"
    yield r"\end{tabular}%"


def _line(cells: Iterable[str]) -> str:
    return _guarded(" & ".join(cells)) + r" \\"


def _guarded(text: str) -> str:
    r"""Text that may follow a line's end: `\\[` and `\\*` mean something else."""
    return "{}" + text if text.startswith(("[", "*")) else text


def _header(text: str) -> str:
    """On as many lines as it takes to be no wider than a figure."""
    return _stacked([escape(line) for line in textwrap.wrap(text, HEADER_WIDTH)])


def _cell(cell: Cell) -> str:
    text = rf"\textbf{{{escape(cell.text)}}}" if cell.is_best else escape(cell.text)
    marks = "".join(escape(mark) for mark in cell.marks)
    figure = text + (rf"\textsuperscript{{{marks}}}" if marks else "")
    if len(cell.text) > WORDS_WIDTH:
        figure = rf"\harnesswords{{{figure}}}"
    below = (rf"\scriptsize {escape(part)}" for part in (cell.interval, cell.aside) if part)
    return _stacked([figure, *below])


def _stacked(lines: list[str]) -> str:
    known = [line for line in lines if line]
    if len(known) < 2:
        return "".join(known)
    return r"\harnessstack{" + r" \\ ".join(map(_guarded, known)) + "}"
