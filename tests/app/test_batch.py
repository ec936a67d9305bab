import csv
import io

from harness.app.batch import BatchEntry, csv_of
from harness.app.findings_chart import FindingRow

ROWS = (
    FindingRow("Mass", 0.5, 0.25, True, score=0.75, score_threshold=0.625),
    FindingRow("Nodule", 0.125, None, False, score=0.0625, score_threshold=None),
)


def test_the_file_has_a_line_for_each_finding_and_each_file_that_was_not_read():
    entries = [BatchEntry("a.png", ROWS), BatchEntry("b.png", problem="the file is empty")]
    lines = list(csv.DictReader(io.StringIO(csv_of(entries, "m 1"))))
    told = [
        [x[n] for n in ("image", "finding", "score", "probability", "score_threshold")]
        for x in lines
    ]
    assert told == [
        ["a.png", "Mass", "0.75", "0.5", "0.625"],
        ["a.png", "Nodule", "0.0625", "0.125", ""],
        ["b.png", "", "", "", ""],
    ]
    assert [x["flag"] for x in lines] == ["1", "0", ""]
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
