import pytest

from harness.core.errors import HarnessError
from harness.data.image_files import image_files


@pytest.fixture
def images(tmp_path):
    """A folder of five images by their names, and of what is none."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    images = ("0001", "a.png", "b.JPG", "bad.png", "more/c.png")
    for name in (*images, "notes.txt", ".hidden.png", "DICOMDIR"):
        (folder / name).write_text("never opened")
    return folder


def test_files_are_those_named_and_the_images_of_folders(images):
    names = [path.relative_to(images).as_posix() for path in image_files([images])]
    assert names == ["0001", "a.png", "b.JPG", "bad.png", "more/c.png"]
    named = [images / "notes.txt", images / "more", images / "more" / "c.png"]
    assert [path.name for path in image_files(named)] == ["notes.txt", "c.png"]


def test_what_is_not_there_is_refused(images):
    with pytest.raises(HarnessError, match=r"none\.png: no such file"):
        image_files([images / "a.png", images / "none.png"])
    (images / "empty").mkdir()
    with pytest.raises(HarnessError, match="no image files in this folder"):
        image_files([images / "empty"])
