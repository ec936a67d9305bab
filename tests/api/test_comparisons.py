"""Results as objects: of sample figures, and of predictions from elsewhere."""

import pandas as pd
import pytest

import harness
from harness.api.comparisons import Results
from harness.benchmark.forms import RESULTS_FILE, figures
from harness.benchmark.forms.figures import FIGURES
from harness.core.errors import HarnessError
from harness.core.files import write_json
from harness.core.findings import FINDINGS
from tests.benchmark.forms.conftest import hostile
from tests.benchmark.sample_results import sample_results


@pytest.fixture
def folder(tmp_path):
    """A results folder with the benchmark `duel`."""
    write_json(tmp_path / "duel" / RESULTS_FILE, sample_results().model_dump(mode="json"))
    return tmp_path


def test_results_are_those_of_the_folder(folder):
    results = harness.open_results("duel", results=folder)
    assert results.folder == folder / "duel"
    assert results.page == folder / "duel" / "report.html"
    assert results.model_dump() == sample_results().model_dump()
    assert harness.open_results(folder / "duel") == results
    with pytest.raises(HarnessError, match="no such file"):
        harness.open_results("solo", results=folder)


def test_the_table_has_a_row_for_each_method(folder):
    results = harness.open_results("duel", results=folder)
    table = results.table()
    assert table.index.tolist() == [row.label for row in results.rows]
    best = results.best("auroc")
    assert best is not None
    assert table.loc[best.label, "AUROC vs best"] == "best"
    pivot = (
        results.frame()
        .query("part == 'figure' and scope == 'macro'")
        .pivot(index="row", columns="metric", values="value")
    )
    assert pivot.loc[best.label, "auroc"] == best.figure("auroc").value


def test_figures_are_those_of_the_report(folder):
    results = harness.open_results("duel", results=folder)
    figure = results.figure("forest")
    assert figure is not None
    assert figure.get_suptitle().startswith("SYNTHETIC: ")
    for name in FIGURES:
        assert name in str(Results.figure.__doc__), "the docstring names every figure"
    with pytest.raises(HarnessError, match=r"no figure 'forrest' \(did you mean 'forest'\?\)"):
        results.figure("forrest")


def test_no_name_can_write_into_a_notebook(tmp_path):
    shown = Results.of(hostile(), tmp_path)._repr_html_()
    assert "SYNTHETIC" in shown
    for tag in ("<script", "<img"):
        assert tag not in shown


def test_a_plan_or_searches_and_a_board_has_both(tmp_path):
    with pytest.raises(HarnessError, match="name a plan, or searches with search=NAME"):
        harness.benchmark(results=tmp_path)
    board = harness.Board(tmp_path, ("a",))
    with pytest.raises(HarnessError, match="not both"):
        harness.benchmark(board, search="b")
    with pytest.raises(HarnessError, match="no search 'a'"):
        harness.benchmark(board)


def test_predictions_from_elsewhere_are_evaluated(toy_store, tmp_path, monkeypatch):
    """A model that knows the labels is perfect; a row has the name that it was given."""
    monkeypatch.setattr(figures, "draw_figures", lambda results: {})  # they take seconds
    table = toy_store.table.head(160)
    labels = pd.DataFrame({
        "Image Index": table["image"],
        "Finding Labels": [
            "|".join(name for name in FINDINGS if row[name]) or "No Finding"
            for _, row in table.iterrows()
        ],
        "Patient ID": table["patient"].str[1:].astype(int),
        "Patient Age": table["age"],
        "Patient Gender": table["sex"],
        "View Position": table["view"],
        "Follow-up #": 0,
    })  # fmt: skip
    labels.to_csv(tmp_path / "Data_Entry_2017_v2020.csv", index=False)
    scores = table[["image", *FINDINGS]].astype(dict.fromkeys(FINDINGS, float))
    scores.head(80).to_csv(tmp_path / "scores.csv", index=False)
    val = table[~table["patient"].isin(table["patient"].head(80))]
    scores.loc[val.index].to_csv(tmp_path / "val.csv", index=False)
    results = harness.evaluate(
        {"oracle": tmp_path / "scores.csv"},
        val_predictions={"oracle": tmp_path / "val.csv"},
        labels=tmp_path / "Data_Entry_2017_v2020.csv",
        out=tmp_path / "out",
        resamples=200,
    )
    assert [row.label for row in results.rows] == ["oracle"]
    assert results.rows[0].figure("auroc").value == 1.0
    assert results.caption.num_val_patients == val["patient"].nunique() > 5
    assert results.page.exists()
    assert harness.report(tmp_path / "out") == results
