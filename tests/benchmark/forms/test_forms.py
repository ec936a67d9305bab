import re
from pathlib import Path

import pytest

from harness.benchmark.forms import read_results, summary_rows, texts_of, write_forms
from harness.benchmark.forms.comma_separated import lines_of, read_csv
from harness.benchmark.forms.figures import FIGURES, svg_of
from harness.benchmark.forms.report import report_of
from harness.benchmark.results import Results
from harness.core.errors import HarnessError
from harness.core.files import write_json
from tests.benchmark.forms.browser import browser
from tests.benchmark.forms.conftest import SHAPES, of_rows, row_of

TEXTS = ["table.md", "table.csv", "table.tex", "report.html", "methods.md", "claim.md"]


def test_all_is_written_and_the_json_is_read_back(tmp_path: Path) -> None:
    results = SHAPES["bare"]()
    paths = write_forms(results, tmp_path)
    assert [path.name for path in paths[:7]] == ["results.json", *TEXTS]
    assert all(path.is_file() for path in paths)
    assert read_results(tmp_path / "results.json") == results
    assert read_csv(tmp_path / "table.csv") == tuple(lines_of(results))
    pictures = sorted(path.stem for path in paths[7:] if path.suffix == ".png")
    shown = re.findall(r"!\[.*?\]\(figures/(.*?)\.png\)", (tmp_path / "table.md").read_text())
    assert sorted(shown) == pictures
    assert "forest" in pictures


def test_the_forms_follow_from_the_json_alone(shape: Results, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, shape.model_dump(mode="json"))
    texts = texts_of(shape, figures={})
    assert [*texts] == TEXTS
    assert texts_of(read_results(path), figures={}) == texts


def test_every_figure_has_a_place_in_the_report(results: Results) -> None:
    placed = [name for section in report_of(results).sections for name in section.figures]
    assert sorted(placed) == sorted(FIGURES)


def test_the_page_with_its_figures_is_at_peace(results: Results, tmp_path: Path) -> None:
    drawn = {name: figure for name, draw in FIGURES.items() if (figure := draw(results))}
    figures = {name: svg_of(figure) for name, figure in drawn.items()}
    path = tmp_path / "report.html"
    path.write_text(texts_of(results, figures=figures)["report.html"], encoding="utf-8")
    with browser(tmp_path / "profile") as page:
        page.open(path)
        assert page.value("document.querySelectorAll('figure > svg').length") == len(FIGURES)
        ids = "[...document.querySelectorAll('[id]')].map(each => each.id)"
        assert page.value(f"{ids}.length === new Set({ids}).size") is True
        assert page.complaints == []
        assert page.requests == [path.as_uri()]


def test_the_summary_says_who_is_best_and_how_far_the_others_are() -> None:
    best, other = row_of("a", 0.9, low=0.85, high=0.95), row_of("b", 0.8, p_holm=0.0004)
    headers, rows = summary_rows(of_rows(best, other))
    assert headers == ["Row", "Seeds", "AUROC", "AUPRC", "F1", "Brier", "AUROC vs best"]
    assert rows == [
        ["a", "1", "0.900 [0.850, 0.950]", "–", "–", "–", "best"],
        ["b", "1", "0.800", "–", "–", "–", "−0.100 [−0.200, −0.050], p <0.001"],
    ]


@pytest.mark.parametrize("text", [None, "{", "{}", '{"name": 1}'])
def test_what_are_no_results_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "results.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(HarnessError, match=r"results\.json"):
        read_results(path)
