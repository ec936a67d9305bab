"""The images of a test part: from a label table alone, from a list, from a store."""

import gzip
import logging
from dataclasses import replace

import numpy as np
import pytest

from harness.benchmark.labelled import Labelled, labels_of
from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.core.findings import FINDINGS
from harness.data.splits import make_split
from tests.conftest import SHARED_DATA

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)
ROWS = (
    "00000001_000.png,Cardiomegaly|Mass,0,1,58,M,PA,2682,2749,0.143,0.143\n"
    "00000001_001.png,No Finding,1,1,414,M,AP,2894,2729,0.143,0.143\n"
    "00000002_000.png,Pleural_Thickening,0,2,81,F,PA,2500,2048,0.171,0.171\n"
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "Data_Entry_2017_v2020.csv"
    path.write_text(HEADER + ROWS)
    return path


def test_a_label_table_gives_images_patients_and_labels(table):
    cases = labels_of(table)
    assert list(cases.table["image"]) == [
        "00000001_000.png", "00000001_001.png", "00000002_000.png",
    ]  # fmt: skip
    assert list(cases.table["patient"]) == ["1", "1", "2"]
    assert cases.table["age"].isna().tolist() == [False, True, False]
    assert list(cases.table["sex"]) == ["M", "M", "F"]
    assert list(cases.table["view"]) == ["PA", "AP", "PA"]
    label_NL = cases.table[list(FINDINGS)].to_numpy()
    found = [[FINDINGS[column] for column in np.flatnonzero(row)] for row in label_NL]
    assert found == [["Cardiomegaly", "Mass"], [], ["Pleural_Thickening"]]
    assert (cases.label_version, cases.labels_sha256) == ("v2020", sha256_of_file(table))


def test_a_packed_table_is_the_same_table(table):
    packed = table.with_name(f"{table.name}.gz")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    assert labels_of(packed).table.equals(labels_of(table).table)
    assert labels_of(packed).labels_sha256 == labels_of(table).labels_sha256


def test_the_table_of_2017_and_any_other_are_told_apart_by_name(table):
    assert labels_of(table.rename(table.with_name("Data_Entry_2017.csv"))).label_version == "v2017"
    mine = table.with_name("Data_Entry_2017.csv").rename(table.with_name("mine.csv"))
    assert labels_of(mine).label_version == "mine.csv"


def test_a_list_leaves_its_images_in_the_order_of_the_table(table, tmp_path):
    listed = tmp_path / "test_list.txt"
    listed.write_text("00000002_000.png\n00000001_000.png\n")
    cases = labels_of(table, listed=listed)
    assert list(cases.table["image"]) == ["00000001_000.png", "00000002_000.png"]
    listed.write_text("00000001_000.png\r\n00000002_000.png")
    assert labels_of(table, listed=listed).sha256 == cases.sha256
    assert labels_of(table).sha256 != cases.sha256


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "test_list.txt: names no image"),
        (b"a.png\nb.png\n00000001_000.png\n", "v2020.csv does not know 2 images, such as 'a.png'"),
        (b"a.png\n", "does not know 1 image 'a.png'"),
        (b"\xff\xfe\x00", r"test_list.txt: cannot be read as a table in CSV form \('utf-8' codec"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(table, tmp_path, text, told):
    listed = tmp_path / "test_list.txt"
    listed.write_bytes(text)
    with pytest.raises(HarnessError, match=told):
        labels_of(table, listed=listed)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", b"\x89PNG\r\n\x1a\n\x00\xff", "t.csv: not a table in CSV form"),
        ("t.csv", b"image,Mass\na,1\n", "t.csv: the label table has no column 'Image Index'"),
        ("t.csv.gz", b"image,Mass\n", r"t.csv.gz: cannot be read .*\(Not a gzipped file"),
        ("t.csv.gz", gzip.compress(HEADER.encode())[:-9], "t.csv.gz: cannot be read .*"),
        ("t.csv", (HEADER + ROWS.replace("Mass", "Maas")).encode(), "t.csv:2: unknown finding 'M"),
    ],
)
def test_what_is_no_label_table_is_refused_in_one_line(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HarnessError, match=told) as caught:
        labels_of(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HarnessError, match=r"no.csv: cannot be read .*\(No such file"):
        labels_of(tmp_path / "no.csv")
    with pytest.raises(HarnessError, match=r"cannot be read .*\(Is a directory"):
        labels_of(tmp_path)


def test_a_store_gives_cases_too(toy_store):
    row_N = make_split(toy_store, "official").test
    cases = Labelled.of_store(toy_store, row_N)
    assert list(cases.table["image"]) == list(toy_store.table["image"].iloc[row_N])
    assert np.array_equal(cases.table[list(cases.findings)].to_numpy(), toy_store.label_NL[row_N])
    assert cases.labels_sha256 == toy_store.manifest.labels_sha256
    assert cases.label_version == "toy"


def test_labels_that_a_store_does_not_know_stay_unknown(toy_store):
    cases = Labelled.of_store(toy_store, np.arange(4))
    column = cases.table["Mass"].astype("boolean")
    column[1] = None
    masked = replace(cases, table=cases.table.assign(Mass=column))
    place = cases.findings.index("Mass")
    assert np.argwhere(~masked.is_known_NL).tolist() == [[1, place]]
    assert not masked.label_NL[1, place]
    assert cases.is_known_NL.all()


def test_the_whole_release_is_read(caplog):
    path = SHARED_DATA / "Data_Entry_2017_v2020.csv.gz"
    if not path.exists():
        pytest.skip("the release's label table is not there")
    with caplog.at_level(logging.INFO):
        cases = labels_of(path, listed=SHARED_DATA / "official_split" / "test_list.txt")
    assert (len(cases), cases.table["patient"].nunique()) == (25_596, 2_797)
    assert int(cases.table["Pneumonia"].sum()) == 555
    assert cases.label_version == "v2020"
