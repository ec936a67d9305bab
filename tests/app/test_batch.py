import csv
import io

from harness.app.batch import BatchEntry, csv_of
from harness.app.findings_chart import FindingRow

ROWS = (FindingRow("Mass", 0.5, 0.25, True), FindingRow("Nodule", 0.125, None, False))


def test_the_file_has_a_line_for_each_finding_and_each_file_that_was_not_read():
    entries = [BatchEntry("a.png", ROWS), BatchEntry("b.png", problem="the file is empty")]
    lines = list(csv.DictReader(io.StringIO(csv_of(entries, "m 1"))))
    told = [(x["image"], x["finding"], x["probability"], x["threshold"]) for x in lines]
    assert told == [
        ("a.png", "Mass", "0.500000", "0.250000"),
        ("a.png", "Nodule", "0.125000", ""),
        ("b.png", "", "", ""),
    ]
    assert [x["flagged"] for x in lines] == ["1", "0", ""]
    assert lines[2]["problem"] == "the file is empty"
    assert {x["model"] for x in lines} == {"m 1"}


def test_names_are_neither_formulas_nor_further_cells():
    text = csv_of([BatchEntry('=HYPERLINK("http://x")\n,b', ROWS)], "m")
    (first, *_) = csv.DictReader(io.StringIO(text))
    assert first["image"] == '\'=HYPERLINK("http://x") ,b'
    assert first["finding"] == "Mass"


def test_what_was_found_in_words():
    assert BatchEntry("a", ROWS).said == "Mass"
    assert BatchEntry("a", ROWS[1:]).said == "nothing flagged"
    assert BatchEntry("a", problem="p").said == "not read: p"
