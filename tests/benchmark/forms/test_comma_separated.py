import csv
import io
from pathlib import Path

import pytest

from harness.benchmark.estimates import Difference, Estimate
from harness.benchmark.forms.comma_separated import as_csv, lines_of, read_csv
from harness.benchmark.results import Results
from harness.core.errors import HarnessError
from tests.benchmark.forms.conftest import SHAPES, changed, of_rows, partly_unknown, row_of


def test_every_estimate_comes_back_exactly(shape: Results, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(as_csv(shape), encoding="utf-8")
    assert read_csv(path) == tuple(lines_of(shape))


def test_a_difference_without_a_p_comes_back(results: Results, tmp_path: Path) -> None:
    lone = Difference(to="best", value=0.1, low=None, high=None, p=None, p_holm=None)
    row = changed(results.rows[0], differences={"macro": {"auroc": lone}})
    path = tmp_path / "table.csv"
    path.write_text(as_csv(changed(results, rows=(row,))), encoding="utf-8")
    assert [line.figure for line in read_csv(path) if line.part == "difference"] == [lone]


def test_every_figure_has_a_line(results: Results) -> None:
    lines = [*lines_of(results)]
    row = results.rows[0]
    found = {
        (line.scope, line.metric): line.figure
        for line in lines
        if line.row == row.label and line.part == "figure"
    }
    assert found == {(s, m): e for s, metrics in row.figures.items() for m, e in metrics.items()}
    counts = {part: sum(line.part == part for line in lines) for part in {x.part for x in lines}}
    assert counts == {
        "figure": 4 * 14 * 10 + 14 * 5,  # macro and 13 findings; the foreign row has no thresholds
        "difference": 3 * 14 * 10 + 14 * 5,
        "threshold": 4 * 13,
        "oracle_threshold": 4 * 13,
        "before_scaling": 5 * 2,
        "after_scaling": 5 * 2,
        "subgroup": 5 * 6 * 14 * 3,
        "subgroup_gap": 5 * 6 * 14 * 3,
        "localisation": 3 * 3 * 13,  # trained rows; macro and two findings
        "localisation_gain": 3 * 3 * 2,
        "published": 2 * 15 * 2,
    }


def test_positives_are_those_of_the_figure(results: Results) -> None:
    lines = [line for line in lines_of(results) if line.scope == "Mass"]
    positives = {line.part: line.num_positives for line in lines}
    assert positives["figure"] == results.num_positives["Mass"]
    assert positives["threshold"] == 17
    assert positives["subgroup_gap"] == 20
    assert positives["published"] is None


def test_labels_that_are_not_known_are_counted_where_there_are_some(tmp_path: Path) -> None:
    results, path = partly_unknown(), tmp_path / "table.csv"
    path.write_text(as_csv(results), encoding="utf-8")
    lines = [line for line in read_csv(path) if line.row == results.rows[0].label]
    told = {(line.part, line.scope): line.num_unknown for line in lines}
    assert (told["figure", "Edema"], told["figure", "Mass"]) == (9, 61)
    assert (told["threshold", "Edema"], told["oracle_threshold", "Edema"]) == (5, 9)
    assert (told["subgroup", "Edema"], told["subgroup", "Mass"]) == (4, None)
    assert told["figure", "Nodule"] is told["threshold", "Mass"] is told["figure", "macro"] is None


def test_numbers_are_written_in_full() -> None:
    estimate = Estimate(value=0.1 + 0.2, low=1e-17, high=-0.0, se=None, seeds=(1 / 3, 2.0))
    row = changed(row_of("a", 0.5), figures={"macro": {"auroc": estimate}})
    (fields,) = csv.DictReader(io.StringIO(as_csv(changed(of_rows(row), published=()))))
    assert fields["value"] == "0.30000000000000004"
    assert (fields["low"], fields["high"], fields["se"]) == ("1e-17", "-0.0", "")
    assert fields["seeds"] == "0.3333333333333333 2.0"
    assert float(fields["sd"]) == estimate.sd


def test_no_text_begins_like_a_formula() -> None:
    fields = csv.DictReader(io.StringIO(as_csv(SHAPES["hostile"]())))
    texts = {line[name] for line in fields for name in ("row", "to", "group", "scope")}
    assert any(text.startswith("'=HYPERLINK") for text in texts)
    assert not any(text.startswith(("=", "+", "-", "@")) for text in texts)


@pytest.mark.parametrize("label", ["'quoted", "''", "-1", "@a", "a'b", "=1"])
def test_an_apostrophe_of_the_label_itself_is_kept(label: str, tmp_path: Path) -> None:
    better = Difference(to=label, value=0.1, low=None, high=None, p=1.0, p_holm=1.0)
    row = changed(row_of(label, 0.5), differences={"macro": {"auroc": better}})
    path = tmp_path / "table.csv"
    path.write_text(as_csv(changed(of_rows(row), published=())), encoding="utf-8")
    first, second = read_csv(path)
    assert (first.row, second.figure) == (label, better)


HEADER = as_csv(changed(of_rows(), published=()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"a,b\n1,2\n", "line 1: not the header"),
        (b"\xff\xfe\x00", "not CSV"),
        (HEADER.encode() + b"c,r,figure,macro,auroc,,,,,much,,,,,,,,,,\n", "line 2: value"),
        (HEADER.encode() + b"c,r,guess,macro,auroc,,,,,0.5,,,,,,,,,,\n", "line 2: part"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HarnessError, match=message) as caught:
        read_csv(path)
    assert str(caught.value).startswith(str(path))
