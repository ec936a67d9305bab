import pytest

from harness.benchmark.estimates import MACRO, Estimate, Subgroup
from harness.benchmark.forms.subgroups import subgroup_tables
from harness.benchmark.forms.tables import EXCLUDES_0
from harness.benchmark.results import Results
from tests.benchmark.forms.conftest import SHAPES, changed, of_rows, row_of


def group(name: str, gap: Estimate) -> Subgroup:
    return Subgroup(
        attribute="sex",
        group=name,
        num_images=30,
        num_patients=20,
        num_positives={"Mass": 5},
        figures={MACRO: {"auroc": Estimate(value=0.8, low=0.7, high=0.9)}},
        gaps={MACRO: {"auroc": gap}, "Mass": {"auroc": gap}},
    )


AWAY, NEAR = Estimate(value=0.1, low=0.02, high=0.2), Estimate(value=-0.1, low=-0.3, high=0.1)


@pytest.fixture
def grouped() -> Results:
    groups = (group("F", AWAY), group("M", NEAR))
    return of_rows(changed(row_of("a", 0.8), subgroups=groups), row_of("b", 0.7))


def test_groups_have_their_counts_and_intervals(grouped: Results) -> None:
    table = subgroup_tables(grouped)[0]
    assert table.headers == ("Attribute", "Group", "Images", "Patients", "a")
    assert [cell.text for cell in table.rows[0]] == ["sex", "F", "30", "20", "0.800"]
    assert table.rows[0][4].interval == "[0.700, 0.900]"


def test_a_gap_that_excludes_0_is_marked_and_the_note_tells_of_chance(grouped: Results) -> None:
    table = subgroup_tables(grouped)[1]
    away, near = (row[4] for row in table.rows)
    assert (away.text, away.interval, away.marks) == ("+0.100", "[+0.020, +0.200]", (EXCLUDES_0,))
    assert (near.text, near.marks) == ("−0.100", ())
    assert "Not corrected for multiplicity" in table.notes[0]


def test_gaps_of_single_findings_are_counted_and_those_that_exclude_0_listed(
    grouped: Results,
) -> None:
    table = subgroup_tables(grouped)[-1]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["a", "Mass", "sex", "F", "5", "+0.100"]
    ]
    assert table.notes[0].startswith("1 of 2 gaps; not corrected")


def test_no_subgroups_no_tables() -> None:
    assert subgroup_tables(SHAPES["bare"]()) == ()
