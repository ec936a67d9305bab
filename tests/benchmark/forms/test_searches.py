from collections.abc import Callable

import pytest

from harness.benchmark.estimates import Estimate
from harness.benchmark.forms.searches import budget_table, change_table, search_table
from harness.benchmark.forms.tables import Cell, Table
from harness.benchmark.results import Cost, Results, Row
from tests.benchmark.forms.conftest import SHAPES, of_rows, row_of


def texts(row: tuple[Cell, ...]) -> list[str]:
    return [cell.text for cell in row]


def test_what_a_search_was_given_and_what_became_of_it(results: Results) -> None:
    table = budget_table(results)
    assert table is not None
    assert table.headers[2:6] == ("Trials", "completed", "pruned", "failed")
    best = max(trial.score or 0 for trial in results.searches["alpha"].trials)
    assert texts(table.rows[0]) == ["alpha", "NVIDIA H100", "12", "8", "3", "1", "31.50",
                                    f"{best:.4f}"]  # fmt: skip


def test_the_winners_curse_is_shown() -> None:
    auroc = Estimate(value=0.70, seeds=(0.69, 0.71))
    row = Row(label="w", kind="final", is_winner=True, trial="t3", search_score=0.80, num_seeds=2,
              num_scored=2, val_auroc=(0.72, 0.74), cost=Cost(num_trials=40),
              figures={"macro": {"auroc": auroc}})  # fmt: skip
    table = search_table(of_rows(row, row_of("x", 0.6)))
    assert table is not None
    assert [texts(each) for each in table.rows] == [
        ["w", "t3", "40", "0.8000", "0.7300", "0.7000", "−0.0700", "−0.0300"]
    ]
    assert (table.rows[0][4].aside, table.rows[0][5].aside) == ("± 0.0141", "± 0.0141")


def test_changes_stand_beside_each_other(results: Results) -> None:
    table = change_table(results)
    assert table is not None
    assert table.headers == ("Parameter", "alpha (tuned)", "beta (default = tuned)")
    assert texts(table.rows[0]) == ["optim.lr", "5e-05 → 0.00012", "5e-05 → 0.00012"]


@pytest.mark.parametrize("table", [budget_table, search_table, change_table])
def test_what_there_is_nothing_of_has_no_table(table: Callable[[Results], Table | None]) -> None:
    assert table(SHAPES["bare"]()) is None
