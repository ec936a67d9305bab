import numpy as np
import pytest

from harness.data.row_sources import RowSources, create_row_sources

FIRST, LAST = "images_001.tar.gz", "images_002.tar.gz"


@pytest.fixture
def path(tmp_path):
    create_row_sources(tmp_path / "sources.npy", 3)
    return tmp_path / "sources.npy"


def test_the_first_file_of_a_row_is_told_from_its_copies_and_from_others(path):
    with RowSources(path) as sources:
        assert sources.claim(1, b"A", FIRST) == "new"
        assert sources.claim(1, b"A", LAST) == "same"
        assert sources.claim(0, b"", FIRST) == "new"
        assert sources.claim(1, b"B", LAST) == "other"
        assert sources.claim(1, b"A", FIRST) == "other"
        assert sources.disputed_N.tolist() == [False, True, False]


def test_what_was_claimed_is_known_to_the_next_process(path):
    with RowSources(path) as sources:
        sources.claim(0, b"A", FIRST)
        sources.claim(2, b"A", FIRST)
        sources.claim(2, b"B", FIRST)
    with RowSources(path) as sources:
        assert sources.claim(0, b"A", FIRST) == "same"
        assert sources.disputed_N.tolist() == [False, False, True]
        sources.forget(np.array([False, False, True]))
    with RowSources(path) as sources:
        assert sources.claim(0, b"A", FIRST) == "same"
        assert sources.claim(2, b"B", FIRST) == "new"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (FIRST, LAST, f"files of this name in {FIRST} and {LAST} differ"),
        (LAST, FIRST, f"files of this name in {FIRST} and {LAST} differ"),
        (LAST, LAST, f"two files of this name in {LAST} differ"),
        ("images_009.tar.gz", LAST, f"files of this name in an archive that is gone and {LAST}"),
    ],
)
def test_both_archives_are_named_by_a_later_process_too(path, first, second, told):
    with RowSources(path) as sources:
        sources.claim(1, b"A", first)
    with RowSources(path, archives=(FIRST, LAST)) as sources:
        assert sources.claim(1, b"B", second) == "other"
        assert sources.dispute(1, second).startswith(told)
