import pytest

from harness.benchmark.estimates import MACRO, Estimate
from harness.benchmark.forms.reference import (
    published_cell,
    published_tables,
    reproducing_row,
    reproduction_tables,
)
from harness.benchmark.forms.tables import GAP
from harness.benchmark.results import PublishedRow, Results
from tests.benchmark.forms.conftest import SHAPES, changed, of_rows, row_of


def published(**figures: float) -> PublishedRow:
    return PublishedRow(
        key="dannynet",
        label="DannyNet",
        split="random 98/2",
        source="https://example.org",
        flags=("split differs",),
        figures={MACRO: {"auroc": 0.8527}} | {name: {"auroc": v} for name, v in figures.items()},
    )


def test_published_rows_have_their_source_and_flags_and_are_never_bold(results: Results) -> None:
    macro, per_finding = published_tables(results)
    assert [row[0].text for row in macro.rows] == ["dannynet (published)", "wang2017 (published)"]
    assert macro.headers[2:4] == ("Flags", "Source")
    assert macro.rows[0][2].text == "split differs; thresholds tuned on test"
    assert macro.rows[0][3].text == "https://example.org/paper"
    assert len(per_finding.rows) == len(results.findings)
    assert not any(cell.is_best for table in (macro, per_finding)
                   for row in (*table.rows, table.foot) for cell in row)  # fmt: skip


def test_they_keep_the_digits_that_they_were_published_with() -> None:
    row = published(Mass=0.919, Nodule=0.7981)
    assert [published_cell(row, "auroc", name).text for name in ("Mass", "Nodule", "Hernia")] == [
        "0.919", "0.7981", GAP,
    ]  # fmt: skip


def test_a_reproduction_is_told_finding_by_finding() -> None:
    ours = changed(
        row_of("dannynet (default)", 0.84, low=0.83, high=0.86),
        figures={
            MACRO: {"auroc": Estimate(value=0.84, low=0.83, high=0.86)},
            "Mass": {"auroc": Estimate(value=0.80, low=0.75, high=0.85)},
            "Nodule": {"auroc": Estimate(value=0.79)},
        },
    )
    results = changed(of_rows(ours), published=(published(Mass=0.919, Nodule=0.79),),
                      reproduce="dannynet")  # fmt: skip
    (table,) = reproduction_tables(results)
    lines = {row[0].text: [cell.text for cell in row[2:]] for row in table.rows}
    assert lines["Mass"] == ["0.919", "0.800", "−0.119", "no"]
    assert lines["Nodule"] == ["0.790", "0.790", "0.000", GAP]
    assert lines["Hernia"] == [GAP, GAP, GAP, GAP]
    assert [cell.text for cell in table.foot[2:]] == ["0.8527", "0.840", "−0.013", "yes"]
    assert "Flags: split differs." in table.notes[0]
    assert "Ours is not the published recipe itself." in table.notes[0]
    same = changed(results, rows=(changed(ours, label="dannynet (published)"),))
    assert "Ours is not" not in reproduction_tables(same)[0].notes[0]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("chexnet", "dannynet (tuned)"), "dannynet (tuned)"),
        (("dannynet (tuned)", "dannynet (default)"), "dannynet (default)"),
        (("chexnet", "vit"), "chexnet"),
    ],
)
def test_the_row_beside_it_is_named_alike_or_the_best(
    labels: tuple[str, str], expected: str
) -> None:
    first, second = row_of(labels[0], 0.9), row_of(labels[1], 0.8, p_holm=0.5)
    rows = [changed(row, is_default="default" in row.label) for row in (first, second)]
    row = reproducing_row(changed(of_rows(*rows), reproduce="dannynet"))
    assert row is not None
    assert row.label == expected


def test_nothing_published_nothing_shown() -> None:
    assert published_tables(SHAPES["bare"]()) == ()
    assert reproduction_tables(SHAPES["bare"]()) == ()
