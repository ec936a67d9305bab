from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.data.csv_tables import read_csv


def read(tmp_path: Path, text: str) -> list[dict[str, str]]:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    return read_csv(path).to_dict("records")


@pytest.mark.parametrize(
    "text",
    [
        "image,Mass\na.png,1\nb.png,\n",
        "\ufeffimage, Mass\r\n a.png,1\r\nb.png\r\n",
        "image,Mass\na.png,1,\nb.png,,\n",
        "image,Mass,,\na.png,1,,\nb.png,,,\n",
        '\n"image",Mass\n\na.png,"1"\n , \nb.png,\n\n',
    ],
    ids=["plain", "bom", "commas-after-rows", "commas-after-all", "blank-lines"],
)
def test_one_table_in_the_ways_that_programs_write_it(tmp_path, text):
    assert read(tmp_path, text) == [
        {"image": "a.png", "Mass": "1"},
        {"image": "b.png", "Mass": ""},
    ]


def test_the_index_counts_lines(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("image,Mass\n\na.png,1\n\n\nb.png,0\n")
    assert (read_csv(path).index + 2).tolist() == [3, 6]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,Mass\na.png,1\nb.png,1,0\n", r"csv:3: 3 cells, and the header names 2"),
        ("image,Mass, Mass\na.png,1,0\n", r"csv:1: two columns are named 'Mass'"),
        ("image,,Mass,,Edema\na.png,1,0,0,0\n", r"csv:1: two columns are named ''"),
        ("image,Mass\n\n,\n", r"no rows"),
        ("", r"no rows"),
        ("image,Mass\na.png,\0\n", r"not a table in CSV form"),
    ],
)
def test_tables_that_cannot_be(tmp_path, text, said):
    with pytest.raises(HarnessError, match=said):
        read(tmp_path, text)
