"""The example notebook runs from its first cell to its last, and is kept without outputs."""

import ast
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.core.files import read_json

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"
CELLS = [cell for cell in read_json(NOTEBOOK)["cells"] if cell["cell_type"] == "code"]


def run_cell(cell: dict[str, Any], names: dict[str, Any]) -> object:
    """The value of its last line, as a notebook would show it."""
    *body, last = ast.parse("".join(cell["source"])).body
    assert isinstance(last, ast.Expr), "each cell shows something"
    exec(compile(ast.Module(body, []), cell["id"], "exec"), names)
    return eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)


@pytest.mark.timeout(600)
def test_the_notebook_runs(alone, trained_results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("harness.bundle.figures.NUM_RESAMPLES", 100)
    shutil.copytree(trained_results.parent / "store", tmp_path / "stores" / "phantom")
    names: dict[str, Any] = {"__name__": "notebook"}
    shown = [run_cell(cell, names) for cell in CELLS]
    assert all(value is not None for value in shown)
    assert [row.num_scored for row in names["results"].rows] == [1] * len(names["results"].rows)
    assert set(names["trials"]["outcome"]) == {"completed"}
    assert (tmp_path / "results" / "tour" / "report.html").exists()
    said = capsys.readouterr()
    assert len((said.out + said.err).splitlines()) < 40, "progress does not flood a cell"


def test_it_is_kept_without_outputs():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS)
    assert NOTEBOOK.stat().st_size < 20_000
