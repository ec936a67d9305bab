import pytest

from harness.core.errors import HarnessError
from harness.data import chexpert


def test_it_needs_its_tables(tmp_path):
    with pytest.raises(HarnessError, match=r"CheXpert has train\.csv and valid\.csv here"):
        chexpert.read(tmp_path)


def test_columns_and_paths_are_checked(tmp_path):
    for name in ("train.csv", "valid.csv"):
        (tmp_path / name).write_text("Path,Edema\nx,1.0\n")
    with pytest.raises(HarnessError, match=r"train\.csv:1: the table has no column 'Enlarged"):
        chexpert.read(tmp_path)
