"""CheXpert's tables; what a whole store of them holds, `tests/contracts/test_readers.py` says."""

import pytest

from harness.core.errors import HarnessError
from harness.data.chexpert import NOTE, TEST_NOTE, TEST_TABLES, read
from tests.contracts.source_folders import chexpert


@pytest.fixture
def root(tmp_path):
    chexpert(tmp_path)
    return tmp_path


def test_it_needs_its_tables(tmp_path):
    with pytest.raises(HarnessError, match=r"CheXpert has train\.csv and valid\.csv here"):
        read(tmp_path)


def test_columns_and_paths_are_checked(tmp_path):
    for name in ("train.csv", "valid.csv"):
        (tmp_path / name).write_text("Path,Edema\nx,1.0\n")
    with pytest.raises(HarnessError, match=r"train\.csv:1: the table has no column 'Enlarged"):
        read(tmp_path)


@pytest.mark.parametrize("name", TEST_TABLES)
def test_the_test_set_is_read_from_a_table_of_either_name(root, name):
    (root / "test.csv").rename(root / name)
    source = read(root)
    assert source.table["fold"].to_list() == ["train", "train", "val", "val", "test"]
    assert name in source.origin.inputs
    assert source.origin.notes == (NOTE,)


def test_without_a_table_of_the_test_set_that_is_told(root):
    (root / "test.csv").rename(root / "groundtruth.csv")
    source = read(root)
    assert set(source.table["fold"]) == {"train", "val"}
    assert source.origin.notes == (NOTE, TEST_NOTE)
    assert "test.csv nor in test_labels.csv" in TEST_NOTE


def test_two_tables_of_the_test_set_are_one_too_many(root):
    (root / "test_labels.csv").write_text((root / "test.csv").read_text())
    with pytest.raises(HarnessError, match=r"test\.csv and test_labels\.csv are both tables"):
        read(root)
