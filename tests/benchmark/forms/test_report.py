from harness.benchmark.forms.report import PARTIAL, SYNTHETIC, report_of
from harness.benchmark.results import Results
from tests.benchmark.forms.conftest import SHAPES, changed, partly_unknown


def test_the_caption_holds_what_a_reader_must_know(results: Results) -> None:
    report = report_of(results)
    assert report.warnings == (SYNTHETIC, PARTIAL)
    assert dict(report.facts) == {
        "Test part": "phantom: 600 SYNTHETIC images of 200 patients",
        "Split": "official, SHA-256 abababababab",
        "Labels": "phantom-1, SHA-256 cdcdcdcdcdcd",
        "Thresholds": "rule f1, tuned on validation (60 patients), frozen before test",
        "Uncertainty": "95 % intervals and p values by 2,000 bootstrap resamples of test patients; "
        "p values Holm-adjusted",
        "Seeds": "11, 12, 13, the same for every trained row",
        "Code": "c0ffee123456; figures by c0ffee123456",
    }
    assert report.looks == "This test part has been scored 14 times, by its audit file."


def test_real_and_whole_results_have_no_warning(results: Results) -> None:
    caption = changed(results.caption, is_synthetic=False)
    rows = tuple(changed(row, num_scored=row.num_seeds) for row in results.rows)
    assert report_of(changed(results, caption=caption, rows=rows)).warnings == ()


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    report = report_of(SHAPES["not_begun"]())
    facts = dict(report.facts)
    assert (
        facts["Test part"]
        == "phantom: an unknown number of images of an unknown number of patients"
    )
    assert facts["Split"] == "official, SHA-256 unknown"
    assert facts["Code"].startswith("unknown")
    assert "not known" in report.looks


def test_nothing_is_said_to_be_tuned_or_trained_that_was_not() -> None:
    facts = dict(report_of(SHAPES["bare"]()).facts)
    assert facts["Thresholds"] == "none: there are no predictions of validation to tune them on"
    assert facts["Seeds"] == "none: no row was trained here"
    assert dict(report_of(SHAPES["not_begun"]()).facts)["Thresholds"] == "none yet"


def test_labels_that_are_not_known_are_counted_by_part() -> None:
    facts = dict(report_of(partly_unknown()).facts)
    told = "not known: 1,234 in training, 5 in validation and 70 in test"
    assert facts["Labels"].endswith(f"; {told}")


def test_images_as_units_are_named(results: Results) -> None:
    facts = dict(report_of(changed(results, unit="image")).facts)
    assert "resamples of test images" in facts["Uncertainty"]


def test_keys_are_unique_and_every_row_has_a_cell_for_every_header(shape: Results) -> None:
    report = report_of(shape)
    sections = [section.key for section in report.sections]
    tables = [table.key for table in report.tables]
    assert len(set(sections)) == len(sections)
    assert len(set(tables)) == len(tables)
    for table in report.tables:
        for row in (*table.rows, table.foot):
            assert len(row) in (len(table.headers), 0), table.key


def test_sections_without_anything_are_left_out() -> None:
    keys = [section.key for section in report_of(SHAPES["bare"]()).sections]
    assert keys == ["comparison", "findings", "cost", "measures"]


def test_published_rows_come_after_ours(results: Results) -> None:
    keys = [section.key for section in report_of(results).sections]
    assert keys.index("comparison") < keys.index("published") < keys.index("reproduction")


def test_gaps_are_listed_with_their_reasons(results: Results) -> None:
    table = next(table for table in report_of(results).tables if table.key == "gaps")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["Hernia", "no image of the test part has it"],
        ["beta-s2-abc123", "failed: out_of_memory"],
    ]


def test_where_no_patients_are_known_nothing_is_said_of_their_number() -> None:
    report = report_of(SHAPES["without_patients"]())
    facts = dict(report.facts)
    assert facts["Test part"].endswith("images, of which patients is not known")
    assert "test images (too narrow where several show one patient)" in facts["Uncertainty"]
    assert facts["Thresholds"].endswith("tuned on validation, frozen before test")
    main, differences = report.sections[0].tables[:2]
    assert any(note.startswith("Which images show one patient is not known") for note in main.notes)
    assert "AUROC: SE, images" in differences.headers
