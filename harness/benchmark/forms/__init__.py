"""What a comparison looks like: Markdown, CSV, LaTeX, HTML, methods, checklist and figures.

Nothing in this package computes a figure: a `Results` holds them all.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from harness.benchmark.forms.cells import compared, difference, p_value
from harness.benchmark.forms.claim import as_claim
from harness.benchmark.forms.comma_separated import as_csv
from harness.benchmark.forms.html import as_html
from harness.benchmark.forms.latex import as_latex
from harness.benchmark.forms.markdown import as_markdown
from harness.benchmark.forms.methods import as_methods
from harness.benchmark.forms.report import report_of
from harness.benchmark.forms.tables import Cell
from harness.benchmark.forms.wording import plain, seeds_of
from harness.benchmark.metric_info import METRIC_INFO
from harness.benchmark.results import Results, Row
from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json, write_text

RESULTS_FILE = "results.json"
TERMINAL = ("auroc", "auprc", "f1", "brier")


def write_forms(results: Results, folder: Path) -> list[Path]:
    """Write all forms into `folder`: `results.json`, from which all follow, as the last."""
    from harness.benchmark.forms.figures import draw_figures, svg_of, write_figures

    drawn = draw_figures(results)
    texts = texts_of(results, figures={name: svg_of(figure) for name, figure in drawn.items()})
    for name, text in texts.items():
        write_text(folder / name, text)
    figures = write_figures(drawn, folder)
    write_json(folder / RESULTS_FILE, results.model_dump(mode="json"))
    return [*(folder / name for name in (RESULTS_FILE, *texts)), *figures]


def texts_of(results: Results, *, figures: Mapping[str, str]) -> dict[str, str]:
    """The forms that are text, by the names of their files; quick, since nothing is drawn.

    Args:
        results: What is told.
        figures: Inline SVG of each figure by its name.
    """
    report = report_of(results)
    return {
        "table.md": as_markdown(report, figures=tuple(figures)),
        "table.csv": as_csv(results),
        "table.tex": as_latex(report),
        "report.html": as_html(report, figures=figures),
        "methods.md": as_methods(results),
        "claim.md": as_claim(results),
    }


def read_results(path: Path) -> Results:
    """Read a `results.json`.

    Raises:
        HarnessError: It is absent or not one of ours.
    """
    try:
        return Results.model_validate(read_json(path))
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file") from None
    except ValidationError as error:
        raise HarnessError(f"{path}: not the results of a comparison ({error.title})") from None
    except ValueError as error:
        raise HarnessError(f"{path}: not JSON ({error})") from None


def summary_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the few columns that fit a terminal."""
    headers = ["Row", "Seeds", *(METRIC_INFO[name].title for name in TERMINAL), "AUROC vs best"]
    return headers, [
        [plain(row.label), seeds_of(row), *(_figure(results, row, name) for name in TERMINAL),
         _standing(results, row)]
        for row in results.rows
    ]  # fmt: skip


def _figure(results: Results, row: Row, metric: str) -> str:
    return _line(compared(results, row, metric, has_sd=metric == "auroc"))


def _standing(results: Results, row: Row) -> str:
    if row is results.best("auroc"):
        return "best"
    distance = row.difference("auroc")
    if distance is None:
        return _line(Cell())
    return f"{_line(difference(distance))}, p {p_value(distance.p_holm).text}"


def _line(cell: Cell) -> str:
    return " ".join(part for part in (cell.text, cell.interval, cell.aside) if part)
