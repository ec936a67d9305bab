import numpy as np
import pytest

from harness.data.contents import Contents, create_contents


@pytest.fixture
def path(tmp_path):
    create_contents(tmp_path / "contents.npy", 3)
    return tmp_path / "contents.npy"


def test_the_first_file_of_a_row_is_told_from_its_copies_and_from_others(path):
    with Contents(path) as contents:
        assert contents.claim(1, b"A") == "new"
        assert contents.claim(1, b"A") == "same"
        assert contents.claim(0, b"") == "new"
        assert contents.claim(1, b"B") == "other"
        assert contents.claim(1, b"A") == "other"
        assert contents.disputed_N.tolist() == [False, True, False]


def test_what_was_claimed_is_known_to_the_next_process(path):
    with Contents(path) as contents:
        contents.claim(0, b"A")
        contents.claim(2, b"A")
        contents.claim(2, b"B")
    with Contents(path) as contents:
        assert contents.claim(0, b"A") == "same"
        assert contents.disputed_N.tolist() == [False, False, True]
        contents.forget(np.array([False, False, True]))
    with Contents(path) as contents:
        assert contents.claim(0, b"A") == "same"
        assert contents.claim(2, b"B") == "new"
