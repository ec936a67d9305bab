"""DICOM files: what a viewer would show, and what is refused without a word of the patient."""

import io
import zlib

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from harness.core.errors import HarnessError
from harness.data import dicom as dicom_module
from harness.data.dicom import window
from harness.data.radiograph import read_radiograph
from tests.data.damage import said_of_damage
from tests.data.dicom_files import SECRET, dicom, ramp, table

WHOLE = np.rint(np.linspace(0, 255, 64))


def row(data: bytes) -> np.ndarray:
    found = read_radiograph(data)
    assert found.kind == "DICOM"
    assert (found.pixel_HW == found.pixel_HW[0]).all()
    return found.pixel_HW[0].astype(int)


def test_without_a_window_the_whole_range_is_shown():
    assert np.abs(row(dicom()) - WHOLE).max() <= 1


def test_monochrome1_is_inverted():
    inverted = row(dicom(PhotometricInterpretation="MONOCHROME1"))
    assert np.abs(inverted - WHOLE[::-1]).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_are_pydicoms(function):
    from pydicom.pixels import apply_windowing

    elements = {"WindowCenter": 1500, "WindowWidth": 800, "VOILUTFunction": function}
    data = dicom(**elements)
    dataset = pydicom.dcmread(io.BytesIO(data))
    expected = apply_windowing(dataset.pixel_array, dataset) / 4095
    assert np.abs(row(data) - 255 * expected[0]).max() <= 1


def test_a_window_by_hand():
    """PS3.3, C.11.2.1.2.1, example: centre 2048, width 4096 maps 0..4095 to all of the output."""
    value = np.array([0.0, 2047.5, 4095.0, 5000.0])
    found = window(value, centre=2048, width=4096, function="LINEAR")
    assert found == pytest.approx([0, 0.5, 1, 1])
    exact = window(np.array([-2.0, 0.0, 2.0]), centre=0, width=4, function="LINEAR_EXACT")
    assert exact == pytest.approx([0, 0.5, 1])
    assert window(np.array([7.0]), centre=7, width=3, function="SIGMOID") == pytest.approx(0.5)


def test_the_first_of_several_windows_counts():
    several = row(dicom(WindowCenter=[1000, 3000], WindowWidth=[500, 100]))
    assert np.array_equal(several, row(dicom(WindowCenter=1000, WindowWidth=500)))


def test_a_window_is_in_rescaled_values():
    rescaled = dicom(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=801)
    plain = dicom(WindowCenter=1000.25, WindowWidth=401)  # (v + 1000) / 2, of centre - 0.5 too
    assert np.abs(row(rescaled) - row(plain)).max() <= 1


def test_lookup_tables_are_applied():
    squares = np.rint(np.linspace(0, 1, 4096) ** 2 * 255)
    expected = squares[ramp()[0]]
    assert np.abs(row(dicom(VOILUTSequence=table(squares))) - expected).max() <= 1
    modality = dicom(ModalityLUTSequence=table(squares), WindowCenter=128, WindowWidth=256)
    assert np.abs(row(modality) - expected).max() <= 1


def test_padding_is_black_and_outside_of_the_range():
    value = np.full((64, 64), 1000, dtype=np.uint16)
    value[:, 32:] = 2000
    value[:8] = 4095
    for colour, bright in (("MONOCHROME2", 32), ("MONOCHROME1", 0)):
        data = dicom(value, PhotometricInterpretation=colour, PixelPaddingValue=4095)
        pixel_HW = read_radiograph(data).pixel_HW
        assert (pixel_HW[:8] == 0).all()
        assert (pixel_HW[8:, bright : bright + 32] == 255).all()
    ranged = dicom(value, PixelPaddingValue=4000, PixelPaddingRangeLimit=4095)
    assert (read_radiograph(ranged).pixel_HW[:8] == 0).all()


def test_signed_values_and_unused_bits():
    signed = (ramp().astype(np.int16) - 2048).astype(np.int16)
    assert np.abs(row(dicom(signed)) - WHOLE).max() <= 1
    with_overlay = ramp() | 0xF000  # the four bits above those stored
    assert np.abs(row(dicom(with_overlay.astype(np.uint16))) - WHOLE).max() <= 1


def test_8_bits_and_colour():
    gray = (ramp() >> 4).astype(np.uint8)
    assert np.array_equal(row(dicom(gray, WindowCenter=128, WindowWidth=256)), gray[0])
    colour = np.dstack([gray] * 3)
    assert np.array_equal(row(dicom(colour)), gray[0])


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_other_encodings(syntax):
    value = ramp()
    if syntax == ExplicitVRBigEndian:
        value = value.byteswap()
    assert np.abs(row(dicom(value, syntax=syntax)) - WHOLE).max() <= 1


def compressed(kind: str, value: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(value).save(stream, kind, **options)
    return encapsulate([stream.getvalue()])


def test_compressed_images_that_pillow_decodes():
    gray = (ramp() >> 4).astype(np.uint8)
    window_of_all = {"WindowCenter": 128, "WindowWidth": 256}
    lossy = dicom(gray, syntax=JPEGBaseline8Bit, PixelData=compressed("JPEG", gray, quality=95),
                  **window_of_all)  # fmt: skip
    assert np.abs(row(lossy) - gray[0]).max() <= 3
    lossless = dicom(gray, syntax=JPEG2000Lossless, PixelData=compressed("JPEG2000", gray),
                     **window_of_all)  # fmt: skip
    assert np.array_equal(row(lossless), gray[0])


def run_lengths(*packets: bytes, num_segments: int = 1) -> bytes:
    """One RLE frame of one segment (PS3.5, annex G)."""
    header = np.zeros(16, dtype="<u4")
    header[0], header[1] = num_segments, 64
    return encapsulate([header.tobytes() + b"".join(packets)])


def test_run_lengths():
    gray = (ramp() >> 4).astype(np.uint8)
    packed = run_lengths(*[bytes([63]) + line.tobytes() for line in gray])
    data = dicom(gray, syntax=RLELossless, PixelData=packed, WindowCenter=128, WindowWidth=256)
    assert np.array_equal(row(data), gray[0])


GRAY8 = (ramp() >> 4).astype(np.uint8)
REFUSED = {
    "no pixels": (dicom(PixelData=None), "without pixel data"),
    "no rows": (dicom(Rows=None), "damaged"),
    "no bits": (dicom(BitsAllocated=None), "damaged"),
    "frames": (dicom(NumberOfFrames=7), "it holds 7 frames"),
    "50,000 x 50,000": (dicom(Rows=50_000, Columns=50_000), "more than the 8192 x 8192"),
    "fewer pixels than it says": (dicom(Rows=512, Columns=512), "damaged"),
    "palette": (dicom(PhotometricInterpretation="PALETTE COLOR"), "neither gray nor RGB"),
    "four samples": (dicom(SamplesPerPixel=4), "neither gray nor RGB"),
    "CT": (dicom(Modality="CT"), "computed tomography"),
    "a report": (dicom(Modality="SR", PixelData=None), "a report"),
    "lossless JPEG": (
        dicom(GRAY8, syntax=JPEGLosslessSV1, PixelData=encapsulate([bytes(100)])),
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction",
    ),
    "JPEG-LS": (
        dicom(GRAY8, syntax=JPEGLSLossless, PixelData=encapsulate([bytes(100)])),
        "JPEG-LS Lossless Image Compression, cannot be decoded here",
    ),
    "12-bit JPEG": (
        dicom(syntax=JPEGExtended12Bit, PixelData=encapsulate([bytes(100)])),
        "JPEG Extended (Process 2 and 4)",
    ),
    "an unknown syntax": (
        dicom().replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.1\0"),
        "an unknown transfer syntax",
    ),
    "damaged JPEG": (
        dicom(GRAY8, syntax=JPEGBaseline8Bit, PixelData=encapsulate([bytes(100)])), "JPEG Baseline"
    ),
    "a JPEG of another size": (
        dicom(GRAY8, syntax=JPEGBaseline8Bit, PixelData=compressed("JPEG", np.tile(GRAY8, (4, 4)))),
        "another size than its header",
    ),
    "run-length bomb": (
        dicom(GRAY8, syntax=RLELossless, PixelData=run_lengths(b"\x81\x07" * 5000)),
        "larger than its header says",
    ),
    "a short table": (dicom(VOILUTSequence=table(np.arange(10))), None),
    "blank": (dicom(np.full((64, 64), 7, dtype=np.uint16)), "it shows nothing"),
    "cut off in the header": (dicom()[:300], "without pixel data"),
    "cut off at the preamble": (dicom()[:140], "damaged"),
    "cut off in the pixels": (dicom()[:-500], "damaged"),
    "prefix alone": (bytes(128) + b"DICM", "damaged"),
    "noise after the prefix": (
        bytes(128) + b"DICM" + np.random.default_rng(0).bytes(500), "damaged"
    ),
    "a PNG with the prefix": (b"\x89PNG\r\n\x1a\n" + bytes(120) + b"DICM" + bytes(50), "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_radiograph_is_told_in_one_line(what, caplog, capsys):
    data, told = REFUSED[what]
    with pytest.raises(HarnessError) as refusal:
        read_radiograph(data)
    message = str(refusal.value)
    assert told is None or told in message
    said = capsys.readouterr()
    for text in (message, caplog.text, said.out, said.err):
        assert SECRET not in text
        assert "DOE" not in text
    assert "\n" not in message


def test_a_deflated_bomb_is_refused_before_it_is_inflated(monkeypatch):
    monkeypatch.setattr(dicom_module, "MAX_FILE_BYTES", 100_000)
    bomb = dicom(np.zeros((600, 600), np.uint16), syntax=DeflatedExplicitVRLittleEndian)
    assert len(bomb) < 100_000
    inflated = []
    monkeypatch.setattr(zlib, "decompress", lambda *_: inflated.append(1))
    with pytest.raises(HarnessError, match="inflated it is longer than"):
        read_radiograph(bomb)
    assert not inflated


def test_no_identifier_is_ever_a_value(monkeypatch):
    """Only the tags that the picture needs are read."""
    read, dcmread = [], pydicom.dcmread

    def watched(*arguments, **options):
        read.append(dcmread(*arguments, **options))
        return read[-1]

    monkeypatch.setattr(pydicom, "dcmread", watched)
    read_radiograph(dicom())
    (dataset,) = read
    assert "Rows" in dataset
    assert "PatientName" not in dataset
    assert SECRET not in str(dataset)


def test_damage_anywhere_is_an_image_or_one_line(caplog):
    whole, rng = dicom(WindowCenter=2000, WindowWidth=900), np.random.default_rng(3)
    said = said_of_damage(whole, rng.integers(128, 900, 120), rng)
    assert len(said) > 100
    assert not any("DOE" in text or "\n" in text for text in [*said, caplog.text])
