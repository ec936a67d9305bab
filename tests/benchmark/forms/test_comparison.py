from harness.benchmark.estimates import Difference, Estimate
from harness.benchmark.forms.comparison import (
    MAIN,
    difference_table,
    finding_table,
    headline,
    main_table,
    operating_table,
    p_table,
    stamp_letters,
)
from harness.benchmark.forms.tables import GAP, Table
from harness.benchmark.results import Results
from tests.benchmark.forms.conftest import changed, of_rows, partly_unknown, row_of
from tests.benchmark.sample_results import EMPTY


def cells(table: Table, label: str) -> dict[str, str]:
    row = next(row for row in table.rows if row[0].text == label)
    return {header: cell.text for header, cell in zip(table.headers, row, strict=True)}


def test_the_main_table_holds_every_row_and_metric(results: Results) -> None:
    table = main_table(results)
    assert [row[0].text for row in table.rows] == [row.label for row in results.rows]
    assert len(table.headers) == 4 + len(MAIN)
    shown = cells(table, "beta (default = tuned)")
    assert shown["Seeds"] == "2 of 3"
    assert shown["Trials"] == "60"
    auroc = results.row("beta (default = tuned)").figure("auroc")
    assert auroc is not None
    assert shown["AUROC\u00a0↑"] == f"{auroc.value:.3f}"
    assert cells(table, "their-model")["F1, validation threshold\u00a0↑"] == GAP


def test_the_frozen_thresholds_have_a_table_of_their_own(results: Results) -> None:
    shown = cells(operating_table(results), "alpha (tuned)")
    mcc = results.rows[0].figure("mcc")
    assert mcc is not None
    assert shown["MCC\u00a0↑"] == f"{mcc.value:.3f}"
    assert [*shown][1:3] == ["Sensitivity\u00a0↑", "Specificity\u00a0↑"]


def test_the_oracle_says_what_it_is(results: Results) -> None:
    table = main_table(results)
    assert "F1 oracle (tuned on test)\u00a0↑" in table.headers
    assert "an upper bound, not a result" in table.notes[0]


def test_stamps_and_members_are_explained_by_letters(results: Results) -> None:
    table = main_table(results)
    assert [row[0].marks for row in table.rows] == [(), (), (), ("a",), ("b",)]
    assert table.notes[1:] == (
        "a: mean of the scores of the runs of alpha (tuned) and beta (default = tuned).",
        "b: no validation predictions: no thresholds but the oracle.",
    )


def test_there_are_more_than_26_letters() -> None:
    rows = [changed(row_of(f"{n}", 0.5), stamps=(f"stamp {n}",)) for n in range(28)]
    assert [*stamp_letters(of_rows(*rows)).values()][24:] == ["y", "z", "aa", "bb"]


def test_distances_hold_the_holm_adjusted_p_and_both_sources_of_doubt() -> None:
    seeds = (0.88, 0.90, 0.90, 0.92)
    auroc = Estimate(value=0.9, low=0.88, high=0.92, se=0.01, seeds=seeds)
    best = changed(row_of("best", 0.9), figures={"macro": {"auroc": auroc}})
    behind = Difference(
        to="best", value=-0.1, low=-0.15, high=-0.05, p=0.002, p_holm=0.004, seed_se=0.003
    )
    other = changed(row_of("other", 0.8), differences={"macro": {"auroc": behind}})
    table = difference_table(of_rows(best, other))
    first, second = cells(table, "best"), cells(table, "other")
    assert first["AUROC − best"] == "best"
    assert second["AUROC − best"] == "−0.100"
    assert second["p (Holm)"] == GAP  # of F1, the last column of that name
    assert [cell.text for cell in table.rows[1][1:3]] == ["−0.100", "0.004"]
    assert table.rows[1][1].interval == "[−0.150, −0.050]"
    assert first["AUROC: SE, patients"] == "0.0100"
    assert first["AUROC: SE, seeds"] == "0.0082"  # SD 0.01633 / sqrt(4)
    assert second["Difference: SE, seeds"] == "0.0030"


def test_findings_are_listed_with_their_positives_and_the_macro_mean_last(results: Results) -> None:
    table = finding_table(results, "auprc")
    assert [row[0].text for row in table.rows] == [n.replace("_", " ") for n in results.findings]
    assert [row[1].order for row in table.rows] == [*results.num_positives.values()]
    gap = next(row for row in table.rows if row[0].text == EMPTY)
    assert [cell.text for cell in gap[1:]] == ["0", *[GAP] * len(results.rows)]
    assert table.foot[0].text == "Macro mean"
    first = results.rows[0].figure("auprc")
    assert first is not None
    assert table.foot[2].order == first.value


def test_images_that_count_are_told_where_not_all_do(results: Results) -> None:
    table = finding_table(partly_unknown(), "auroc")
    told = {name: cells(table, name)["Images"] for name in ("Edema", "Mass", "Nodule")}
    assert told == {"Edema": "591", "Mass": "539", "Nodule": "600"}
    assert {len(row) for row in (*table.rows, table.foot)} == {len(table.headers)}
    assert "Images: those whose label of the finding is known." in table.notes
    assert "Images" not in finding_table(results, "auroc").headers


def test_p_values_stand_beside_delongs(results: Results) -> None:
    table = p_table(results)
    row = next(row for row in table.rows if row[0].text == "Mass")
    best = results.best("auroc", "Mass")
    assert best is not None
    assert row[1].text == best.label
    for cell, each in zip(row[2:], results.rows, strict=True):
        distance = each.difference("auroc", "Mass")
        assert cell.text == ("best" if distance is None else f"{distance.p_holm:.3f}")
        assert cell.aside == ("" if distance is None else "(0.040)")


def test_the_headline_names_the_best_the_near_and_the_far() -> None:
    rows = row_of("a", 0.9, low=0.85, high=0.95), row_of("b", 0.8, p_holm=0.2), row_of(
        "c", 0.7, p_holm=0.001)  # fmt: skip
    assert headline(of_rows(*rows)) == (
        "Highest macro AUROC of 3 rows on test: a, 0.900 [0.850, 0.950]; "
        "not significantly different: b; significantly lower: c."
    )
    assert headline(of_rows(rows[0])) == (
        "Macro AUROC on test: a, 0.900 [0.850, 0.950]; there is no other row to compare it with."
    )
    assert headline(of_rows(row_of("d", 0.5, metric="f1"))) == ""
