import re

import pytest

from harness.benchmark.forms.markdown import as_markdown, as_table, escape
from harness.benchmark.forms.report import report_of
from harness.benchmark.forms.tables import Cell, Table
from harness.benchmark.results import Results
from tests.benchmark.forms.conftest import hostile

UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")


def test_a_cell_shows_its_interval_its_spread_and_its_marks() -> None:
    cell = Cell(text="0.8", interval="[0.7, 0.9]", aside="± 0.1", marks=("†", "a"), is_best=True)
    table = Table(key="x", title="X", headers=("Row", "AUROC"), rows=((Cell(text="r"), cell),))
    assert as_table(table).splitlines() == [
        "| Row | AUROC |",
        "| --- | ---: |",
        "| r | **0.8**†<sup>a</sup> [0.7, 0.9] ± 0.1 |",
    ]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("<script>", r"\<script\>"),
        ("Pleural_Thickening _x_", r"Pleural_Thickening \_x\_"),
        ("[a](b) [0.7, 0.9]", r"[a\](b) [0.7, 0.9]"),
        ("**`$&~", r"\*\*\`\$\&\~"),
    ],
)
def test_text_is_shown_as_it_is(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_every_line_of_a_table_has_the_same_columns(shape: Results) -> None:
    widths = []
    for block in as_markdown(report_of(shape)).split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        widths.append({len(UNESCAPED_PIPE.findall(line)) for line in lines})
    tables = [width for width in widths if width]
    assert len(tables) == len(report_of(shape).tables)
    assert all(len(width) == 1 for width in tables)


def test_no_markup_of_a_label_survives() -> None:
    text = as_markdown(report_of(hostile()))
    assert not re.search(r"(?<!\\)<(?!/?sup>)", text)
    assert "](https://evil" not in text.replace(r"\](", "")


def test_the_report_warns_counts_and_shows_its_figures(results: Results) -> None:
    text = as_markdown(report_of(results), figures=("forest",))
    assert text.startswith("# A duel \\| of \\<models\\> \\& 100 %\n\n**SYNTHETIC DATA")
    assert "**PARTIAL" in text
    assert "- Split: official, SHA-256 abababababab." in text
    assert "![forest](figures/forest.png)" in text
    assert "figures/roc.png" not in text
    assert text.rstrip().endswith("scored 14 times, by its audit file.")
