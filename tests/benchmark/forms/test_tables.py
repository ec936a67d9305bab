from harness.benchmark.forms.tables import MARKS, Cell, Table


def test_the_legend_explains_the_marks_that_occur_and_no_others() -> None:
    table = Table(key="x", title="X", headers=("A",), rows=((Cell(text="1", marks=("a", "‡")),),))
    assert table.legend == (f"‡: {MARKS['‡']}",)
