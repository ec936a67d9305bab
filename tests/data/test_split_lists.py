"""Lists of a user's own: which image is in which part, and lists that cannot be."""

import pytest

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_json
from harness.data.split_lists import PARTS, hash_of_parts, listed_parts, pinned, read_lists
from harness.data.splits import split_table


@pytest.fixture
def table(make_table):
    """Six patients with two images each."""
    return make_table(*[(str(number // 2), "train_val", "") for number in range(12)])


@pytest.fixture
def lists(tmp_path):
    """Three lists of some of the images, the second as CheXNet's copies are."""
    texts = {
        "train": "image_001.png\nimage_000.png\n\n",
        "val": "image_002.png 0 1 0\nimage_003.png 0 0 0\n",
        "test": "\ufeffimage_010.png\r\nimage_011.png",
    }
    for part, text in texts.items():
        (tmp_path / f"{part}_list.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_lists_are_followed(table, lists):
    split = split_table(table, f"file:{lists}")
    assert [list(getattr(split, part)) for part in PARTS] == [[0, 1], [2, 3], [10, 11]]


def test_lists_are_read_with_the_line_of_each_image(lists):
    (lists / "val_list.txt").write_text("\nimage_002.png 0 1 0\n  \n image_003.png\n")
    assert read_lists(lists) == {
        "train": {"image_001.png": 1, "image_000.png": 2},
        "val": {"image_002.png": 2, "image_003.png": 4},
        "test": {"image_010.png": 1, "image_011.png": 2},
    }


def test_images_of_no_list_are_of_no_part(lists):
    six = [f"image_{number:03}.png" for number in (3, 7, 0, 1, 2, 11, 10)]
    assert listed_parts(lists, six) == ["val", "", "train", "train", "val", "test", "test"]


def test_the_hash_is_that_of_sorted_names():
    parts = {"train": ["b", "a"], "val": iter("d"), "test": ("c",)}
    expected = sha256_of_json({"train": ["a", "b"], "val": ["d"], "test": ["c"]})
    assert hash_of_parts(parts) == expected


def test_a_pin_is_the_hash_of_the_split(table, lists, monkeypatch):
    monkeypatch.chdir(lists.parent)
    name = pinned(f"file:{lists.name}")
    split = split_table(table, name)
    assert name == f"{split.name}#{split.sha256[:12]}" == f"file:{lists}#{split.sha256[:12]}"
    assert pinned(name) == name
    monkeypatch.setenv("HOME", str(lists.parent))
    assert pinned(f"file:~/{lists.name}") == name
    assert pinned("official") == "official"

    (lists / "test_list.txt").write_text("image_010.png\n")
    with pytest.raises(HarnessError, match=f"no longer {split.sha256[:12]}"):
        split_table(table, name)


@pytest.mark.parametrize(
    ("part", "text", "said"),
    [
        (
            "val",
            "image_002.png\nimage_00.png\n",
            r"val_list\.txt:2: .* no image .*did you mean 'image_0",
        ),
        ("val", "\nimage_001.png\n", r"val_list\.txt:2: .* named in train_list\.txt:2 already"),
        ("val", "image_004.png\nimage_004.png", r"val_list\.txt:2: .* in val_list\.txt:1 already"),
        ("test", "image_005.png", r"shares 1 patients.*patient 2 in test and train"),
        ("test", "", "has no test images"),
    ],
)
def test_lists_that_cannot_be(table, lists, part, text, said):
    (lists / "train_list.txt").write_text("image_000.png\nimage_001.png\nimage_004.png\n")
    if part == "val" and "004" in text:
        (lists / "train_list.txt").write_text("image_000.png\n")
    (lists / f"{part}_list.txt").write_text(text)
    with pytest.raises(HarnessError, match=said) as caught:
        split_table(table, f"file:{lists}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["absent", "folder", "binary"])
def test_a_list_that_is_no_text(table, lists, broken):
    path = lists / "val_list.txt"
    path.unlink()
    if broken == "folder":
        path.mkdir()
    elif broken == "binary":
        path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(HarnessError) as told:
        split_table(table, f"file:{lists}")
    assert str(told.value) == (
        f"{path}: not a text file that can be read; the split file:FOLDER needs train_list.txt, "
        "val_list.txt, test_list.txt"
    )
