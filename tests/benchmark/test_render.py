import csv
from pathlib import Path

import pytest

from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.render import as_csv, as_markdown, read_table, summary_rows, write_table
from harness.benchmark.table import Cell, ComparisonTable
from harness.core.errors import HarnessError
from harness.core.records import METRICS
from tests.benchmark.conftest import Lab


def with_macro(table: ComparisonTable, metric: str, means: list[float | None]) -> ComparisonTable:
    rows = tuple(
        row.model_copy(update={"macro": row.macro | {metric: Cell.of([mean, mean])}})
        for row, mean in zip(table.rows, means, strict=True)
    )
    return table.model_copy(update={"rows": rows})


def lines_of(markdown: str, section: str) -> list[list[str]]:
    """The cells of the table that follows a heading."""
    body = markdown.partition(section)[2].partition("\n## ")[0]
    rows = [line for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def column(markdown: str, section: str, title: str) -> list[str]:
    headers, _, *rows = lines_of(markdown, section)
    return [row[headers.index(title)] for row in rows]


@pytest.fixture
def table(scored_lab: Lab, plan: BenchmarkPlan) -> ComparisonTable:
    return scored_lab.table(plan)


def test_the_highest_mean_is_bold(table: ComparisonTable) -> None:
    text = as_markdown(with_macro(table, "auroc", [0.8, 0.9, 0.7]))
    assert column(text, "# A duel", "AUROC ↑") == [
        "0.800 ± 0.000", "**0.900** ± 0.000", "0.700 ± 0.000",
    ]  # fmt: skip


def test_the_lowest_error_is_bold(table: ComparisonTable) -> None:
    text = as_markdown(with_macro(table, "brier", [0.3, 0.2, 0.1]))
    assert column(text, "# A duel", "Brier ↓")[2] == "**0.100** ± 0.000"
    assert "**" not in column(text, "# A duel", "Brier ↓")[0]


def test_means_that_look_equal_are_bold_together_and_a_gap_is_not(table: ComparisonTable) -> None:
    text = as_markdown(with_macro(table, "auroc", [0.80001, 0.80002, None]))
    assert column(text, "# A duel", "AUROC ↑") == [
        "**0.800** ± 0.000", "**0.800** ± 0.000", "-",
    ]  # fmt: skip


def test_who_is_alone_is_not_called_the_best(table: ComparisonTable) -> None:
    text = as_markdown(with_macro(table, "auroc", [0.8, None, None]))
    assert column(text, "# A duel", "AUROC ↑")[0] == "0.800 ± 0.000"


def test_the_report_warns_of_synthetic_data_and_gives_its_hashes(table: ComparisonTable) -> None:
    text = as_markdown(table)
    assert "SYNTHETIC" in text
    assert "PARTIAL" not in text
    for fact in (
        "`abababab`",
        "`cdcdcdcd`",
        "`official`",
        "rule `f1`",
        "`c0ffeec0ffee`",
        "2 train",
    ):
        assert fact in text


def test_a_finding_without_positives_is_a_gap_with_its_reason(table: ComparisonTable) -> None:
    text = as_markdown(table)
    hernia = next(row for row in lines_of(text, "## AUROC per finding") if row[0] == "Hernia")
    assert hernia == ["Hernia", "0", "-", "-", "-"]
    assert "- Hernia: no image of the test part has it" in text


def test_the_drop_from_search_to_test_is_shown_for_winners(table: ComparisonTable) -> None:
    table = with_macro(table, "auroc", [0.7, 0.6, 0.5])
    headers, _, tuned, same = lines_of(as_markdown(table), "## From search to test")
    assert headers[3:6] == ["Search, val", "Re-trained, val", "Re-trained, test"]
    assert tuned[0] == "alpha (tuned)"
    # searched 0.800, re-trained 0.70 and 0.73, test 0.700
    assert tuned[2:] == ["3 trials", "0.8000", "0.7150 ± 0.0212", "0.7000 ± 0.0000",
                         "-0.0850", "-0.0150"]  # fmt: skip
    assert same[0] == "beta (default = tuned)"


def test_changes_of_the_search_are_listed(table: ComparisonTable) -> None:
    assert "- alpha (tuned): `optim.lr` 5e-05 → 0.0001" in as_markdown(table)


def test_a_partial_report_says_so_and_why(lab: Lab, plan: BenchmarkPlan) -> None:
    text = as_markdown(lab.table(plan))
    assert "**PARTIAL" in text
    assert column(text, "# A duel", "AUROC ↑") == ["-", "-", "-"]
    assert column(text, "# A duel", "Seeds") == ["0 of 2"] * 3
    assert text.count(": not run yet") == 6


def test_the_written_json_renders_the_identical_report(
    table: ComparisonTable, tmp_path: Path
) -> None:
    paths = write_table(table, tmp_path)
    assert [path.name for path in paths] == ["table.md", "table.csv", "table.json"]
    again = read_table(tmp_path / "table.json")
    assert as_markdown(again) == (tmp_path / "table.md").read_text(encoding="utf-8")
    assert as_csv(again) == (tmp_path / "table.csv").read_text(encoding="utf-8")


def test_the_csv_has_every_figure_in_full(table: ComparisonTable) -> None:
    rows = list(csv.DictReader(as_csv(table).splitlines()))
    assert len(rows) == 3 * 15 * len(METRICS)
    macro = next(row for row in rows if row["finding"] == "macro" and row["metric"] == "f1")
    cell = table.rows[0].macro["f1"]
    assert cell is not None
    assert float(macro["mean"]) == cell.mean
    assert float(macro["sd"]) == cell.sd
    gap = next(row for row in rows if row["finding"] == "Hernia")
    assert (gap["num_positives"], gap["num_seeds"], gap["mean"]) == ("0", "0", "")


def test_the_summary_fits_a_terminal(table: ComparisonTable) -> None:
    headers, rows = summary_rows(with_macro(table, "auroc", [0.7, None, 0.5]))
    assert headers == ["Contestant", "Network", "Seeds", "AUROC", "AUPRC", "F1", "Brier"]
    assert rows[0][:4] == ["alpha (tuned)", "densenet121.tv_in1k", "2", "0.700 ± 0.000"]
    assert rows[1][3] == "-"


def test_an_older_table_can_be_read(table: ComparisonTable, tmp_path: Path) -> None:
    """It called a default point published, whether it was or not."""
    write_table(table, tmp_path)
    path = tmp_path / "table.json"
    path.write_text(path.read_text().replace('"is_default"', '"is_published"'))
    assert read_table(path) == table


def test_a_default_point_is_marked_in_the_csv(table: ComparisonTable) -> None:
    rows = list(csv.DictReader(as_csv(table).splitlines()))
    marks = {row["contestant"]: row["is_default"] for row in rows}
    assert marks == {
        "alpha (tuned)": "False", "alpha (published)": "True", "beta (default = tuned)": "True",
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, "{", "{}"])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "table.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(HarnessError, match=r"table\.json"):
        read_table(path)
