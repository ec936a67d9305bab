import numpy as np
import pytest

from harness.core.errors import DiskFullError
from harness.data.rows_file import RowsFile, create_rows

ROWS = np.random.default_rng(0).integers(0, 256, (5, 3, 4), dtype=np.uint8)


def test_rows_are_an_npy_file(tmp_path):
    create_rows(tmp_path / "rows.npy", ROWS.shape)
    with RowsFile(tmp_path / "rows.npy") as rows:
        rows.write(3, ROWS[3:])
        rows.write(1, ROWS[1])
        rows.sync()
        assert np.array_equal(rows[1:4], np.stack([ROWS[1], np.zeros((3, 4)), ROWS[3]]))
    found = np.load(tmp_path / "rows.npy", allow_pickle=False)
    assert found.dtype == np.uint8
    assert np.array_equal(found[[0, 1, 2, 3, 4]], ROWS * np.array([0, 1, 0, 1, 1])[:, None, None])


def test_slices_end_where_the_rows_do(tmp_path):
    create_rows(tmp_path / "rows.npy", ROWS.shape)
    with RowsFile(tmp_path / "rows.npy") as rows:
        rows.write(0, ROWS)
        assert np.array_equal(rows[3:99], ROWS[3:])
        assert np.array_equal(rows[-2:], ROWS[-2:])
        assert rows[9:].shape == (0, 3, 4)
        assert len(rows) == 5
        rows.write(2, ROWS[:0])
        assert np.array_equal(rows[:], ROWS)


def test_two_writers_see_each_other(tmp_path):
    create_rows(tmp_path / "marks.npy", (4,))
    with RowsFile(tmp_path / "marks.npy") as one, RowsFile(one.path) as other:
        assert other.shape == (4,)
        one.write(2, np.full(1, 7, dtype=np.uint8))
        assert other[:].tolist() == [0, 0, 7, 0]


def test_a_full_disk_is_an_error_and_not_a_signal(make_disk):
    disk = make_disk(1)
    large = np.ones((300, 64, 64), dtype=np.uint8)
    create_rows(disk / "rows.npy", large.shape)
    with RowsFile(disk / "rows.npy") as rows:
        with pytest.raises(DiskFullError, match=r"rows\.npy"):
            rows.write(0, large)
        assert rows[:1].all()
