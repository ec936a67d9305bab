"""Images of users: every kind that can be read, and every way in which a file can be bad."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import HarnessError
from harness.data import radiograph
from harness.data.decode import decode_gray
from harness.data.radiograph import read_radiograph
from tests.data.damage import said_of_damage
from tests.data.dicom_files import dicom

GRAY = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
PICTURE = Image.fromarray(GRAY)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width_px: int, height_px: int, *chunks: bytes, data: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    body = b"".join([png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(data))])
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def bmp_header(width_px: int, height_px: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width_px, height_px, 1, 8, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024, 0, 0, 54 + 1024) + info + bytes(1024)


def animated(kind: str) -> bytes:
    other = Image.fromarray(255 - GRAY)
    return saved(PICTURE, kind, save_all=True, append_images=[other])


def of_12_bits_in_16() -> bytes:
    return saved(Image.fromarray(np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_pictures_keep_their_gray_values(kind):
    found = read_radiograph(saved(PICTURE, kind))
    assert found.kind == kind
    assert np.array_equal(found.pixel_HW, GRAY)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_pictures_are_read_as_pillow_reads_them(kind):
    data = saved(PICTURE, kind)
    found = read_radiograph(data)
    expected = Image.open(io.BytesIO(data)).convert("L")
    assert found.kind == kind
    assert np.array_equal(found.pixel_HW, np.asarray(expected))


def test_a_file_is_told_by_its_content(tmp_path):
    path = tmp_path / "chest.dcm"
    path.write_bytes(saved(PICTURE, "JPEG"))
    assert read_radiograph(path).kind == "JPEG"
    path.with_name("chest.jpg").write_bytes(dicom())
    assert read_radiograph(path.with_name("chest.jpg")).kind == "DICOM"


def test_pixels_are_those_of_a_store(nih_sample):
    """`prepare` and whoever is shown one image see the same, gray and RGBA files alike."""
    from harness.data.decode import to_square

    files = sorted((nih_sample / "images").iterdir())[:4]
    files += [path for path in sorted((nih_sample / "images").iterdir()) if is_rgba(path)][:1]
    for path in files:
        found = read_radiograph(path)
        assert np.array_equal(to_square(found.pixel_HW, 128), decode_gray(path, 128))


def is_rgba(path) -> bool:
    return path.read_bytes()[25] == 6


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_an_image_on_its_side_is_turned_upright_once(kind):
    upright = np.zeros((40, 64), dtype=np.uint8)
    upright[:, :32] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    lying = Image.fromarray(np.rot90(upright))
    found = read_radiograph(saved(lying, kind, exif=exif))
    assert found.pixel_HW.shape == (40, 64)
    assert np.abs(found.pixel_HW.astype(int) - upright).mean() < 8


def test_colours_palettes_alpha_and_cmyk_become_gray():
    colour = Image.merge("RGB", [PICTURE] * 3)
    for image in (colour, Image.merge("RGBA", [*[PICTURE] * 3, PICTURE]), colour.quantize(256)):
        assert np.abs(read_radiograph(saved(image)).pixel_HW.astype(int) - GRAY).mean() < 8
    smooth = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1)))
    cmyk = read_radiograph(saved(smooth.convert("CMYK"), "JPEG", quality=95)).pixel_HW
    assert np.abs(cmyk.astype(int) - np.asarray(smooth)).mean() < 8


def test_16_bits_with_their_full_range_are_read():
    value = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    found = read_radiograph(saved(Image.fromarray(value)))
    assert np.array_equal(found.pixel_HW, np.rint(value / 257))


BAD = {
    "empty": (b"", "the file is empty"),
    "text": (b"hello, world" * 20, "not an image that can be read"),
    "zeros": (bytes(4096), "not an image that can be read"),
    "noise": (np.random.default_rng(1).bytes(5000), "not an image that can be read"),
    "zip": (b"PK\x03\x04" + bytes(200), "not an image that can be read"),
    "pdf": (b"%PDF-1.7\n" + bytes(200), "not an image that can be read"),
    "html": (b"<html><script>alert(1)</script></html>", "not an image that can be read"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image that can be read"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image that can be read"),
    "gif": (saved(PICTURE, "GIF"), "not an image that can be read"),
    "signature alone": (b"\x89PNG\r\n\x1a\n", "not an image that can be read"),
    "jpeg start alone": (b"\xff\xd8\xff\xe0", "not an image that can be read"),
    "png cut off": (saved(PICTURE)[:900], "damaged or cut off"),
    "jpeg cut off": (saved(PICTURE, "JPEG")[:700], "damaged or cut off"),
    "tiff cut off": (saved(PICTURE, "TIFF")[:500], "."),
    "bmp cut off": (saved(PICTURE, "BMP")[:2000], "damaged or cut off"),
    "webp cut off": (saved(PICTURE, "WEBP")[:300], "."),
    "png without data": (png(64, 64), "damaged or cut off"),
    "png with too little data": (png(64, 64, data=bytes(100)), "damaged or cut off"),
    "png of no width": (png(0, 64), "."),
    "50,000 x 50,000": (png(50_000, 50_000), "more than the 8192 x 8192"),
    "10,000 x 10,000": (png(10_000, 10_000), "more than the 8192 x 8192"),
    "100,000 x 700": (png(100_000, 700), "more than the 8192 x 8192"),
    "a huge bmp": (bmp_header(30_000, 30_000), "more than the 8192 x 8192"),
    "a bmp of negative size": (bmp_header(-64, 64), "."),
    "compressed text bomb": (
        png(64, 64, png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26)))), "."
    ),
    "colour profile bomb": (
        png(64, 64, png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**26)))), "."
    ),
    "image data bomb": (png(64, 64, data=bytes(2**26)), "."),
    "animated png": (animated("PNG"), "it holds 2 pictures"),
    "animated webp": (animated("WEBP"), "it holds 2 pictures"),
    "many pages": (animated("TIFF"), "it holds 2 pictures"),
    "fractions": (
        saved(Image.fromarray(np.random.default_rng(0).random((64, 64), np.float32)), "TIFF"),
        "gray values are fractions",
    ),
    "32 bits": (
        saved(Image.fromarray(np.full((64, 64), 70_000, dtype=np.int32)), "TIFF"),
        "gray values from 70000",
    ),
    "blank": (saved(Image.new("L", (64, 64), 90)), "it shows nothing"),
    "12 bits in 16": (of_12_bits_in_16(), "it shows nothing: all gray values lie between 0 and 16"),
    "one pixel": (saved(Image.new("L", (1, 1))), "has 32 or more"),
    "a strip": (saved(Image.fromarray(np.tile(GRAY, (1, 5)))), "too long and narrow"),
    "negative size of a jpeg": (saved(PICTURE, "JPEG").replace(b"\0\x30\0\x40", b"\0\0\0\0"), "."),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_told_in_one_line(what):
    data, told = BAD[what]
    with pytest.raises(HarnessError) as refusal:
        read_radiograph(data)
    message = str(refusal.value)
    assert told in message or told == "."
    assert message
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_damage_anywhere_is_an_image_or_one_line(kind):
    """A byte is changed, or the end is missing, at places all over the file."""
    whole, rng = saved(PICTURE, kind), np.random.default_rng(2)
    said = said_of_damage(whole, rng.integers(0, len(whole), 30), rng)
    assert said
    assert not any("\n" in text for text in said)


def test_a_file_that_is_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(radiograph, "MAX_FILE_BYTES", 1000)
    path = tmp_path / "long.png"
    path.write_bytes(saved(PICTURE))
    for file in (path, path.read_bytes()):
        with pytest.raises(HarnessError, match="longer than the"):
            read_radiograph(file)


def test_files_that_cannot_be_opened(tmp_path):
    for path in (tmp_path, tmp_path / "none.png", tmp_path / ("x" * 300)):
        with pytest.raises(HarnessError, match="cannot be opened"):
            read_radiograph(path)
