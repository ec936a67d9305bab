from collections.abc import Callable

import pytest

from harness.benchmark.estimates import ThresholdFigure
from harness.benchmark.forms.detail import (
    calibration_table,
    cost_table,
    run_table,
    seed_table,
    threshold_table,
)
from harness.benchmark.forms.tables import GAP, Cell, Table
from harness.benchmark.results import Results, RunFacts
from tests.benchmark.forms.conftest import SHAPES, changed, of_rows, partly_unknown, row_of


def texts(row: tuple[Cell, ...]) -> list[str]:
    return [cell.text for cell in row]


def threshold(*seeds: float | None, oracle: float | None = 0.4) -> ThresholdFigure:
    return ThresholdFigure(seeds=seeds, low=0.1, high=0.5, num_positives=17, oracle=oracle)


def test_a_threshold_is_the_mean_over_the_seeds_that_have_one() -> None:
    row = changed(row_of("a", 0.8), thresholds={"Mass": threshold(0.2, None, 0.3),
                                                "Nodule": threshold(None)})  # fmt: skip
    table = threshold_table(of_rows(row, row_of("b", 0.7)))
    assert table is not None
    assert table.headers == ("Finding", "Positives, validation", "a")
    mass, nodule = table.rows[9], table.rows[10]
    assert texts(mass) == ["Mass", "17", "0.250"]
    assert (mass[2].interval, mass[2].aside) == ("[0.100, 0.500]", "oracle 0.400")
    assert texts(nodule) == ["Nodule", "17", GAP]
    assert "by the rule f1 on validation" in table.notes[0]


def test_unknown_labels_of_validation_have_a_column_where_there_are_some(results: Results) -> None:
    table = threshold_table(partly_unknown())
    assert table is not None
    assert table.headers[1:3] == ("Positives, validation", "Not known, validation")
    told = {row[0].text: row[2].text for row in table.rows}
    assert (told["Edema"], told["Mass"]) == ("0 to 5", "0")
    assert "Not known, validation" not in threshold_table(results).headers


def test_seeds_are_in_columns_and_a_missing_one_is_a_gap(results: Results) -> None:
    table = seed_table(results)
    assert table is not None
    assert table.headers == ("Row", "Run 1", "Run 2", "Run 3", "SD")
    row = results.row("beta (default = tuned)")
    auroc = row.figure("auroc")
    assert auroc is not None
    beta = next(line for line in table.rows if line[0].text == row.label)
    assert texts(beta)[1:4] == [f"{auroc.seeds[0]:.4f}", f"{auroc.seeds[1]:.4f}", GAP]
    assert beta[4].order == auroc.sd


def test_runs_are_listed_with_their_outcome() -> None:
    run = RunFacts(name="a-s0", seed=7, run_id="ab" * 32, outcome="completed", num_epochs=3,
                   best_epoch=2, duration_s=5400, val_auroc=(0.6, 0.75, 0.7),
                   thresholds_sha256="cd" * 32)  # fmt: skip
    failed = RunFacts(name="a-s1", seed=8, run_id="ef" * 32, outcome="failed: disk")
    table = run_table(of_rows(changed(row_of("a", 0.8), runs=(run, failed))))
    assert table is not None
    assert texts(table.rows[0]) == ["a", "a-s0", "completed", "7", "3", "2", "1.50", "0.7500",
                                    "abababababab", "cdcdcdcdcdcd"]  # fmt: skip
    assert texts(table.rows[1])[2:] == [
        "failed: disk",
        "8",
        "0",
        "0",
        GAP,
        GAP,
        "efefefefefef",
        GAP,
    ]


def test_calibration_before_and_after(results: Results) -> None:
    table = calibration_table(results)
    assert table is not None
    found = results.rows[0].calibration
    assert found is not None
    orders = [cell.order for cell in table.rows[0][2:]]
    assert orders == [found.before["ece"].value, found.after["ece"].value,
                      found.before["brier"].value, found.after["brier"].value]  # fmt: skip


def test_costs_are_given_and_unknown_ones_are_gaps(results: Results) -> None:
    table = cost_table(results)
    assert texts(table.rows[0]) == ["alpha (tuned)", "NVIDIA H100", "60", "31.50", "4.25", "914",
                                    "6.97"]  # fmt: skip
    assert texts(table.rows[4]) == ["their-model", *[GAP] * 6]


@pytest.mark.parametrize("table", [threshold_table, run_table, calibration_table])
def test_what_there_is_nothing_of_has_no_table(table: Callable[[Results], Table | None]) -> None:
    assert table(SHAPES["bare"]()) is None


def test_one_seed_a_row_needs_no_table_of_seeds() -> None:
    assert seed_table(SHAPES["one_seed"]()) is None
