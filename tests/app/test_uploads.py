import logging
import resource

import numpy as np
import pytest

from harness.app import uploads
from harness.app.uploads import key_of, read_upload
from harness.core.errors import HarnessError
from tests.app.malformed import good, gray
from tests.data.dicom_files import SECRET, dicom

MOST_MORE_MB = 1200


def test_what_a_file_is_is_told_by_its_content():
    kinds = {end: read_upload(content).radiograph.kind for end, content in good().items()}
    assert kinds == {
        "png": "PNG", "jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "webp": "WEBP", "dcm": "DICOM"
    }  # fmt: skip


def test_an_upload_keeps_its_pixels_and_says_what_it_is():
    content = good()["png"]
    subject = read_upload(content)
    assert (subject.radiograph.pixel_HW == gray()).all()
    assert subject.note == "PNG, 96 x 96 pixels"
    assert subject.key == key_of(content) != key_of(content + b"x")
    assert subject.boxes == ()


def test_no_malformed_upload_is_more_than_a_line_and_none_takes_the_memory(
    odd_uploads, capfd, caplog
):
    caplog.set_level(logging.DEBUG)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {}
    for name, content in odd_uploads.items():
        try:
            pixel_HW = read_upload(content).radiograph.pixel_HW
        except HarnessError as error:
            told[name] = str(error)
            continue
        assert pixel_HW.dtype == np.uint8, name
        assert pixel_HW.ndim == 2, name
    assert len(odd_uploads) >= 200
    assert len(told) >= 120
    for name, message in told.items():
        assert 0 < len(message) < 200, name
        assert "\n" not in message, name
        assert not {"Traceback", "Error", "DOE", "0x"} & set(message.split()), (name, message)
    seen = "".join((*told.values(), caplog.text, *capfd.readouterr()))
    assert SECRET not in seen
    after_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after_kb - before_kb) / 1024 < MOST_MORE_MB


@pytest.mark.parametrize(
    "name", ["empty.png", "png of 50000.png", "bitmap of 50000.bmp", "tiff of 50000.tif",
            "dicom of 50000.dcm", "deflate bomb.dcm", "run lengths.dcm", "animated.png",
            "animated.tif", "animated.gif", "no pixels.dcm", "frames.dcm", "weights.png",
            "pixels.png", "12 of 16 bits.png", "blank.png", "fractions.tif"],
)  # fmt: skip
def test_what_must_be_refused(odd_uploads, name):
    with pytest.raises(HarnessError):
        read_upload(odd_uploads[name])


def test_a_file_over_the_limit_is_not_looked_into(monkeypatch):
    monkeypatch.setattr(uploads, "MAX_UPLOAD_MB", 0)
    with pytest.raises(HarnessError, match="longer than 0 MB"):
        read_upload(good()["png"])


def test_an_unforeseen_failure_is_one_line_and_its_words_are_not_logged(monkeypatch, caplog):
    def fail(data):
        raise RuntimeError(f"cannot parse {SECRET}")

    monkeypatch.setattr(uploads, "read_radiograph", fail)
    with pytest.raises(HarnessError, match="damaged, or not an image"):
        read_upload(dicom())
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text
