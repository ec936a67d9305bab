import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from harness.benchmark.forms.latex import as_latex, escape
from harness.benchmark.forms.report import report_of
from harness.benchmark.forms.wording import plain
from harness.benchmark.results import Results
from tests.benchmark.forms.conftest import HOSTILE, SHAPES

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{graphicx}
\begin{document}
%s
\end{document}
"""


def compiled(text: str, folder: Path) -> str:
    """The text of a document with `text` as its body, as pdfLaTeX set it."""
    if not (shutil.which("pdflatex") and shutil.which("pdftotext")):
        pytest.skip("pdflatex and pdftotext are not there (texlive-latex-recommended, poppler)")
    (folder / "paper.tex").write_text(DOCUMENT % text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    subprocess.run(["pdftotext", "-layout", "paper.pdf"], cwd=folder, check=True)
    return (folder / "paper.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_ready_for_a_paper(name: str, tmp_path: Path) -> None:
    report = report_of(SHAPES[name]())
    (tmp_path / "table.tex").write_text(as_latex(report), encoding="utf-8")
    text = compiled(r"\input{table}", tmp_path)
    printed = [table for table in report.tables if not table.is_long]
    assert text.count("Table ") >= len(printed)
    if name == "full":
        assert "0.507†‡" in text.replace(" ", "")
        assert "[0.392, 0.621]" in text


def test_special_signs_are_set_as_they_are(tmp_path: Path) -> None:
    text = compiled("\n\n".join(escape(plain(text)) for text in HOSTILE), tmp_path)
    for words in ("<script>alert(", "a|b", "50 % of", " & $x$ #1 {y}", "\\end{table} -- ", "[*] Mü",
                  "[U+6A21][U+578B]"):  # fmt: skip
        assert words in unicodedata.normalize("NFC", text), words


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % of_x & $y", r"50 \% of\_x \& \$y"),
        ("a--b ''c", r"a-{}-b '{}'c"),
        ("0.8 ± 0.1 − †", r"0.8 $\pm$ 0.1 $-$ $\dagger$"),
        ("ﬁ Ł", "fi [U+0141]"),
    ],
)
def test_escapes(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_a_line_never_begins_with_what_would_be_an_argument() -> None:
    text = as_latex(report_of(SHAPES["hostile"]()))
    assert "{}[*]" in text
    assert not re.search(r"\\\\\s*[\[*]", text)


def test_long_tables_are_left_out_and_the_others_are_labelled(results: Results) -> None:
    report = report_of(results)
    labels = re.findall(r"\\label\{(.*?)\}", as_latex(report))
    assert labels == [f"tab:duel-{table.key}" for table in report.tables if not table.is_long]
    assert "tab:duel-main" in labels
    assert "tab:duel-runs" not in labels


def test_synthetic_data_is_called_so_in_every_caption(results: Results) -> None:
    captions = re.findall(r"\\caption\{(.*)\}", as_latex(report_of(results)))
    assert captions
    assert all("SYNTHETIC DATA" in caption for caption in captions)
    assert "Split: official, SHA-256 abababababab." in captions[0]
