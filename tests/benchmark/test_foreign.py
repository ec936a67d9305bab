"""Files of scores: read whatever program wrote them, or refused in one line that says where."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.benchmark.foreign import join, parse_named, read_scores
from harness.benchmark.labelled import Labelled
from harness.bundle.predict import HEAD
from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.core.findings import FINDINGS

FEW = ("Mass", "Nodule", "Pleural_Thickening")
PLAIN = "image,Mass,Nodule,Pleural_Thickening\na.png,0.1,0.2,0.3\nb.png,0.4,0.5,0.6\n"


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes, findings=FEW):
        path = tmp_path / "scores.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_scores(path, findings=findings)

    return read


@pytest.fixture
def refusal(read):
    def refusal(content: str | bytes) -> str:
        with pytest.raises(HarnessError) as caught:
            read(content)
        told = str(caught.value)
        assert "\n" not in told
        assert len(told) < 400
        return told.partition("scores.csv")[2]

    return refusal


def test_scores_are_read_with_their_images(read):
    scores = read(PLAIN)
    assert list(scores.image_ids) == ["a.png", "b.png"]
    assert scores.score_NL.dtype == np.float32
    assert np.array_equal(scores.score_NL, np.float32([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]))
    assert scores.findings == FEW
    assert scores.sha256 == sha256_of_file(scores.path)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.rstrip("\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN + "\n\n",
        PLAIN.replace("a.png", '"a.png"').replace("Mass", '"Mass"').replace("0.1", ' "0.1"'),
        PLAIN.replace("a.png", " a.png ").replace("0.1", " 1e-1 "),
        PLAIN.replace("Mass", "prob_Mass").replace("Nod", "prob_Nod").replace("Pl", "prob_Pl"),
        PLAIN.replace("Mass", "Pred Mass").replace("Nod", "pred nod").replace("Pl", "PRED_Pl"),
        PLAIN.replace("Pleural_Thickening", "pleural thickening").replace("Mass", "MASS"),
        PLAIN.replace("Pleural_Thickening", "PleuralThickening").replace("image", "Image Index"),
        "Image,Pleural-Thickening,Nodule,Mass\na.png,.3,0.20,0.1\nb.png,0.6,5e-1,0.4\n",
    ],
)
def test_files_of_other_programs_are_the_same_scores(read, content):
    scores = read(content)
    assert list(scores.image_ids) == ["a.png", "b.png"]
    assert np.array_equal(scores.score_NL, read(PLAIN).score_NL)


def test_a_finding_that_ends_as_another_is_told_from_a_prefix(read):
    findings = ("Effusion", "Pleural Effusion")
    content = "image,{0}Pleural Effusion,{0}Effusion\na,0.1,0.2\n"
    for prefix in ("", "pred_", "Pleural "):
        scores = read(content.format(prefix), findings)
        assert np.array_equal(scores.score_NL, np.float32([[0.2, 0.1]])), prefix


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Nodule", "Nodul", ":1: unknown finding 'Nodul' (did you mean 'Nodule'?)"),
        ("0.1,", "0.1,0.9,", ": cannot be read as a table in CSV form (Error tokenizing data. "
         "C error: Expected 4 fields in line 2, saw 5)"),
        ("Nodule", "mass", ":1: Mass has two columns, 'Mass' and 'mass'"),
        ("Nodule", "label_Nodule", ":1: unknown finding 'label_Nodule' (did you mean 'Nodule'?)"),
        ("image,", ",image,", ":1: unknown finding 'image'"),
        ("image,Mass", "Mass,image", ":1: the first column is Mass, not the image's name"),
        ("0.2", "nan", ":2: a.png: the score 'nan' of Nodule is not a number"),
        ("0.2", "", ":2: a.png: the score '' of Nodule is not a number"),
        ("0.5", "=0.1+0.4", ":3: b.png: the score '=0.1+0.4' of Nodule is not a number"),
        ("0.5", "1.5", ":3: b.png: the score '1.5' of Nodule is outside [0, 1]; give "
         "probabilities"),
        ("0.5", "-1e-9", ":3: b.png: the score '-1e-9' of Nodule is outside [0, 1]; give "
         "probabilities"),
        ("0.5", "inf", ":3: b.png: the score 'inf' of Nodule is outside [0, 1]; give "
         "probabilities"),
        (",0.6", "", ":3: b.png: the score '' of Pleural_Thickening is not a number"),
        ("b.png", "a.png", ":3: the image 'a.png' is named a second time"),
        ("b.png", " ", ":3: no image is named"),
        ("b.png", "b" * 256, f":3: '{'b' * 60}...' is no image's name: over 255 letters"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(refusal, old, new, told):
    assert refusal(PLAIN.replace(old, new)) == told


LONG = (
    f"{','.join(HEAD)}\n"
    "films/b.png,Nodule,0.5,,0.1,0\nfilms/b.png,Mass,0.4,0.3,0.2,1\n"
    "films/b.png,Pleural_Thickening,0.6,0.3,0.2,1\nfilms/a.png,Mass,0.1,0.3,0.2,0\n"
    "films/a.png,Nodule,0.2,,0.1,0\nfilms/a.png,Pleural_Thickening,0.3,0.3,0.2,1\n"
)
"""As `harness predict --csv` writes it."""


def test_a_row_for_each_image_and_finding_is_read_too(read):
    scores = read(LONG)
    assert list(scores.image_ids) == ["b.png", "a.png"]
    assert np.array_equal(scores.score_NL, read(PLAIN).score_NL[::-1])
    assert np.array_equal(read(LONG.replace("/", "\\")).score_NL, scores.score_NL)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("a.png,Nodule", "a.png,Mass", ":6: the image 'a.png' has a second score for Mass"),
        ("films/a.png,N", "a.png,N", ":5: the image 'a.png' is the name of two files (2 more like "
         "it)"),
        ("a.png,Nodule,0.2", "a.png,Nodule,x", ":5: a.png: the score 'x' of Nodule is not a "
         "number"),
        ("films/a.png,Nodule,0.2,,0.1,0\n", "", ":5: a.png: the score '' of Nodule is not a "
         "number"),
        ("a.png,Nodule", "a.png,Nodul", ":1: unknown finding 'Nodul' (did you mean 'Nodule'?)"),
        (LONG.partition("\n")[2], "", ": has no rows of scores"),
    ],
)  # fmt: skip
def test_a_mistake_in_such_rows_is_named_too(refusal, old, new, told):
    assert refusal(LONG.replace(old, new)) == told


def test_several_mistakes_of_a_kind_are_counted_with_the_first(refusal):
    many = PLAIN + "".join(f"c{row}.png,2,0.5,x\n" for row in range(3))
    assert refusal(many) == (
        ":4: c0.png: the score 'x' of Pleural_Thickening is not a number (2 more like it)"
    )
    assert refusal(many.replace("x", "0")).endswith("give probabilities (2 more like it)")
    twice = PLAIN + "a.png,0,0,0\n" * 1200
    assert refusal(twice) == ":4: the image 'a.png' is named a second time (1,199 more like it)"


def test_lines_are_counted_over_blank_ones(refusal):
    assert refusal(PLAIN.replace("b.png", "\n\nb.png").replace("0.5", "?")).startswith(":5: b.png")


def test_missing_findings_are_all_named(refusal):
    assert refusal("image,Mass\na,0.1\n") == (":1: has no column for Nodule, Pleural_Thickening")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "its first line does not name an image column and findings"),
        (b"image\na.png\n", "its first line does not name an image column and findings"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "it is not a text file"),
        (b"PK\3\4\x14\0\6\0", "it is not a text file"),
        (PLAIN.encode("utf-16"), "it is not a text file"),
        (PLAIN.replace("a.png", "é").encode("latin-1"), "'utf-8' codec can't decode byte 0xe9"),
        (PLAIN.replace("a.png", '"a.png').encode(), "EOF inside string"),
        (b"x" * 1_000_000, "its first line has 65,536 letters and goes on"),
    ],
)
def test_what_is_no_table_is_refused(refusal, content, told):
    assert told in refusal(content)


def test_a_line_of_20_mb_is_told_in_a_short_one(refusal):
    told = refusal(PLAIN.replace("0.5", "7" * 20_000_000))
    assert told.startswith(":3: b.png: the score '7777777")
    assert told.endswith("...' of Nodule is not a number")


def test_five_thousand_columns_are_refused_at_once(refusal):
    header = ",".join(f"c{column}Mass" for column in range(5_000))
    assert refusal(f"image,{header}\n").startswith(":1: unknown finding")


def test_a_file_without_rows_or_that_is_not_there(refusal, tmp_path):
    assert refusal(PLAIN.splitlines(keepends=True)[0]) == ": has no rows of scores"
    with pytest.raises(HarnessError, match=r"no.csv: cannot be read .*\(No such file"):
        read_scores(tmp_path / "no.csv", findings=FEW)
    with pytest.raises(HarnessError, match=r"cannot be read .*\(Is a directory"):
        read_scores(tmp_path, findings=FEW)


# Beside labels ----------------------------------------------------------------------------------


@pytest.fixture
def cases() -> Labelled:
    table = pd.DataFrame(
        {
            "image": ["c.png", "a.png"], "patient": ["2", "1"],
            "Mass": [True, False], "Nodule": [False, False], "Pleural_Thickening": [True, True],
        }
    )  # fmt: skip
    return Labelled(
        table=table, findings=FEW, source="labels.csv", label_version="v2020", labels_sha256="0"
    )


def test_scores_stand_beside_the_labels_of_their_images(read, cases, caplog):
    scores = read(PLAIN + "c.png,0.7,0.8,0.9\n")
    with caplog.at_level(logging.INFO):
        predictions = join(scores, cases)
    assert list(predictions.image_ids) == ["c.png", "a.png"]
    assert list(predictions.patient_ids) == ["2", "1"]
    assert np.array_equal(predictions.score_NL, np.float32([[0.7, 0.8, 0.9], [0.1, 0.2, 0.3]]))
    assert predictions.label_NL.tolist() == [[True, False, True], [False, False, True]]
    assert "1 images outside the test part left out" in caplog.text


def test_scores_stand_beside_labels_that_are_not_known(read, cases):
    table = cases.table.copy()
    name = cases.findings[0]
    table[name] = table[name].astype("boolean")
    table.loc[0, name] = None
    predictions = join(read(PLAIN + "c.png,0.7,0.8,0.9\n"), replace(cases, table=table))
    assert predictions.is_known_NL.tolist() == [[False, True, True], [True, True, True]]
    assert predictions.label_NL.tolist() == [[False, False, True], [False, False, True]]


def test_predictions_of_all_images_can_be_saved_and_read(read, cases, tmp_path):
    predictions = join(read(PLAIN + "c.png,0.7,0.8,0.9\n"), cases)
    predictions.save(tmp_path / "predictions.npz")
    again = type(predictions).load(tmp_path / "predictions.npz")
    assert np.array_equal(again.score_NL, predictions.score_NL)
    assert list(again.patient_ids) == ["2", "1"]


def test_an_image_without_scores_is_named(read, cases):
    with pytest.raises(
        HarnessError,
        match=r"scores.csv: has no scores for 1 image 'c.png', of the 2 images of the test part",
    ):
        join(read(PLAIN), cases)


def test_scores_of_images_that_no_label_is_known_of_are_refused(read, cases):
    scores = read(PLAIN)
    with pytest.raises(HarnessError, match=r"scores.csv: labels.csv does not know 1 image 'b.png'"):
        cases.only(scores.image_ids, where=scores.path)


def test_a_release_of_scores_is_read_exactly(tmp_path):
    """As many digits as a float has, and 14 findings."""
    score_NL = np.random.default_rng(0).random((2_000, len(FINDINGS)))
    table = pd.DataFrame(score_NL, columns=[f"prob_{name}" for name in FINDINGS])
    table.insert(0, "image", [f"{row:08}_000.png" for row in range(2_000)])
    table.to_csv(tmp_path / "scores.csv", index=False)
    scores = read_scores(tmp_path / "scores.csv", findings=FINDINGS)
    assert np.array_equal(scores.score_NL, score_NL.astype(np.float32))


# The option -------------------------------------------------------------------------------------


def test_a_name_and_a_file(tmp_path):
    (tmp_path / "a=b.csv").touch()
    assert parse_named(f" resnet = {tmp_path}/a=b.csv") == ("resnet", tmp_path / "a=b.csv")


@pytest.mark.parametrize("option", ["scores.csv", "=scores.csv", "resnet=", "", "="])
def test_another_form_is_refused(option):
    with pytest.raises(HarnessError, match="give NAME=FILE, such as resnet"):
        parse_named(option)


def test_a_file_that_is_not_there_is_refused_with_its_name(tmp_path):
    with pytest.raises(HarnessError, match=r"--predictions resnet: there is no file .*no.csv"):
        parse_named(f"resnet={tmp_path}/no.csv")
