"""Two hundred and more uploads that are no well-made radiograph, made one after the other.

Everything is drawn from seeds; nothing takes more than some MB on disk or in memory to make.
"""

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.uid import (
    MPEG4HP41,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.data.dicom_files import dicom, ramp

Upload = tuple[str, bytes]

SIDE_PX = 96
HUGE_PX = 50_000


def malformed() -> Iterator[Upload]:
    """Names and contents."""
    for make in (
        nothing, noise, truncated, damaged, wrong_types, huge_headers, bombs, animated,
        odd_modes, odd_dicoms, polyglots, odd_names,
    ):  # fmt: skip
        yield from make()


def gray() -> np.ndarray:
    """Something with contrast, which compresses little."""
    rng = np.random.default_rng(5)
    ramp_HW = np.add.outer(np.arange(SIDE_PX), np.arange(SIDE_PX))
    return (ramp_HW + rng.integers(0, 20, (SIDE_PX, SIDE_PX))).clip(0, 255).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def good() -> dict[str, bytes]:
    """Files that are well."""
    image = Image.fromarray(gray())
    kinds = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "webp": "WEBP"}
    return {end: saved(image, kind) for end, kind in kinds.items()} | {"dcm": dicom(ramp(96))}


def nothing() -> Iterator[Upload]:
    for end in ("png", "dcm", ""):
        yield f"empty.{end}", b""
    for content in (b"\0", b"\xff", b"\n", b"DICM", b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"BM"):
        yield f"{len(content)} bytes.png", content


def noise() -> Iterator[Upload]:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        yield f"random {seed}.png", rng.bytes(int(rng.integers(1, 100_000)))
    for value in (0, 65, 255):
        yield f"only {value}.dcm", bytes([value]) * 200_000


def truncated() -> Iterator[Upload]:
    for end, content in good().items():
        for tenth in (1, 3, 5, 7, 9):
            yield f"cut at {tenth}.{end}", content[: len(content) * tenth // 10]
        yield f"one byte short.{end}", content[:-1]


def damaged() -> Iterator[Upload]:
    for end, content in good().items():
        for seed in range(8):
            rng = np.random.default_rng(seed)
            changed = bytearray(content)
            first = 140 if end == "dcm" else 8  # what tells the type is left
            for place in rng.integers(first, len(changed), 12):
                changed[place] = int(rng.integers(256))
            yield f"damaged {seed}.{end}", bytes(changed)


def wrong_types() -> Iterator[Upload]:
    html = b"<html><script>alert(document.domain)</script></html>"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("a.png", b"x")
    array = io.BytesIO()
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    yield "page.png", html
    yield "drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
    yield "entities.xml", b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>' * 100
    yield "weights.png", pickle.dumps({"state": [1, 2]})
    yield "array.png", array.getvalue()
    yield "archive.png", archive.getvalue()
    yield "packed.png", gzip.compress(b"x" * 100)
    yield "document.pdf", b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"
    yield "script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    yield "program.png", b"MZ" + bytes(500)
    yield "library.png", b"\x7fELF" + bytes(500)
    yield "table.csv", b"a,b\n=1+1,2\n"
    yield "facts.json", json.dumps({"a": [1] * 100}).encode()
    yield "icon.ico", saved(Image.fromarray(gray()), "ICO", sizes=[(32, 32)])
    yield "graphic.pcx", saved(Image.fromarray(gray()), "PCX")
    yield "far.ppm", saved(Image.fromarray(gray()), "PPM")
    yield "movie.mp4", b"\0\0\0\x18ftypmp42" + bytes(300)
    yield "shell.sh", b"#!/bin/sh\necho x\n"


def huge_headers() -> Iterator[Upload]:
    """Headers that promise what nobody can hold."""
    for side_px in (HUGE_PX, 2**31 - 1, 0):
        yield f"png of {side_px}.png", _png(side_px, side_px)
    yield "thin.png", _png(10_000_000, 1)
    jpeg = bytearray(good()["jpg"])
    place = jpeg.index(b"\xff\xc0") + 5
    for height, width in ((65_535, 65_535), (0, 0), (1, 65_535)):
        jpeg[place : place + 4] = struct.pack(">HH", height, width)
        yield f"jpeg of {height} x {width}.jpg", bytes(jpeg)
    bitmap = bytearray(good()["bmp"])
    for side_px in (HUGE_PX, 2**31 - 1, -(2**31), 0):
        bitmap[18:26] = struct.pack("<ii", side_px, side_px)
        yield f"bitmap of {side_px}.bmp", bytes(bitmap)
    yield "tiff of 50000.tif", _tiff(HUGE_PX)
    for side in (HUGE_PX, 65_535, 0, 1):
        yield f"dicom of {side}.dcm", dicom(Rows=side, Columns=side)


def bombs() -> Iterator[Upload]:
    """Little files that unpack to much."""
    zeros = zlib.compressobj(9)
    packed = b"".join(zeros.compress(bytes(2**20)) for _ in range(50)) + zeros.flush()
    yield "pixels.png", _png(7_000, 7_000, packed)
    yield "more than promised.png", _png(64, 64, packed)
    for chunk in (b"zTXt", b"iCCP"):
        yield f"{chunk.decode()}.png", _png(64, 64, extra=_chunk(chunk, b"a\0\0" + packed))
    yield "iTXt.png", _png(64, 64, extra=_chunk(b"iTXt", b"a\0\1\0\0\0" + packed))
    yield "text.png", _png(64, 64, extra=_chunk(b"tEXt", b"a\0" + b"x" * 5_000_000))
    yield "a million chunks.png", _png(64, 64, extra=_chunk(b"tEXt", b"a\0b") * 100_000)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for number in range(8):
            members.writestr(f"{number}.png", bytes(2**22))
    yield "zip bomb.zip", archive.getvalue()
    yield "gzip bomb.dcm", gzip.compress(bytes(2**24))
    raw = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = b"".join(raw.compress(bytes(2**20)) for _ in range(130)) + raw.flush()
    head = dicom(PixelData=None, syntax=DeflatedExplicitVRLittleEndian)
    yield "deflate bomb.dcm", head[: _end_of_meta(head)] + deflated
    runs = b"\x81\x00" * 1_000_000
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + runs
    yield "run lengths.dcm", dicom(syntax=RLELossless, PixelData=_encapsulated(frame))
    yield "long name.dcm", dicom(PatientComments="x" * 3_000_000)


def animated() -> Iterator[Upload]:
    frames = [Image.fromarray(np.roll(gray(), step, axis=1)) for step in range(3)]
    for kind, end in (("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")):
        yield (
            f"animated.{end}",
            saved(frames[0], kind, save_all=True, append_images=frames[1:]),
        )


def odd_modes() -> Iterator[Upload]:
    image = Image.fromarray(gray())
    wide = gray().astype(np.uint16) * 257
    yield "cmyk.jpg", saved(image.convert("CMYK"), "JPEG")
    yield "cmyk.tif", saved(image.convert("CMYK"), "TIFF")
    yield "16 bits.png", saved(Image.fromarray(wide), "PNG")
    yield "12 of 16 bits.png", saved(Image.fromarray(wide // 4096), "PNG")
    yield "16 bits.tif", saved(Image.fromarray(wide), "TIFF")
    yield "palette.png", saved(image.convert("P"), "PNG")
    yield "transparent.png", saved(image.convert("LA"), "PNG")
    yield "rgba.png", saved(image.convert("RGBA"), "PNG")
    yield "one bit.png", saved(image.convert("1"), "PNG")
    yield "lab.tif", saved(image.convert("RGB").convert("LAB"), "TIFF")
    yield "fractions.tif", saved(Image.fromarray(gray() / np.float32(255)), "TIFF")
    yield "nan.tif", saved(Image.fromarray(np.full((96, 96), np.nan, np.float32)), "TIFF")
    yield "negative.tif", saved(Image.fromarray(gray().astype(np.int32) - 100), "TIFF")
    yield "blank.png", saved(Image.new("L", (96, 96), 7), "PNG")
    yield "tiny.png", saved(Image.new("L", (1, 1), 7), "PNG")
    yield "long.png", saved(Image.fromarray(np.tile(gray()[:33], (1, 9))), "PNG")
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "<script>alert(1)</script>" * 1000)
    yield "commented.png", saved(image, "PNG", pnginfo=text)
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "turned.jpg", saved(image, "JPEG", exif=turned)
    yield "broken exif.jpg", saved(image, "JPEG", exif=b"Exif\0\0II*\0" + b"\xff" * 40)


def odd_dicoms() -> Iterator[Upload]:
    yield "no pixels.dcm", dicom(PixelData=None)
    yield "half of the pixels.dcm", dicom(PixelData=ramp().tobytes()[:4096])
    yield "too many pixels.dcm", dicom(PixelData=ramp().tobytes() * 3)
    yield "frames.dcm", dicom(NumberOfFrames=3, PixelData=ramp().tobytes() * 3)
    yield "minus one frame.dcm", dicom(NumberOfFrames=-1)
    yield "palette.dcm", dicom(PhotometricInterpretation="PALETTE COLOR")
    yield "no interpretation.dcm", dicom(PhotometricInterpretation=None)
    yield "nonsense.dcm", dicom(PhotometricInterpretation="<b>")
    yield "monochrome1.dcm", dicom(PhotometricInterpretation="MONOCHROME1")
    yield "no rows.dcm", dicom(Rows=None)
    yield "64 bits.dcm", dicom(BitsAllocated=64)
    yield "12 bits.dcm", dicom(BitsAllocated=12)
    yield "no bits.dcm", dicom(BitsStored=0)
    yield "report.dcm", dicom(Modality="SR", PixelData=None)
    yield "tomogram.dcm", dicom(Modality="CT")
    for centre, width in ((2000, 0), (2000, -5), (1e300, 1e-300), (0, 1)):
        yield f"window {width}.dcm", dicom(WindowCenter=centre, WindowWidth=width)
    for slope in (0, -1, 1e30):
        yield f"slope {slope}.dcm", dicom(RescaleSlope=slope, RescaleIntercept=-1024)
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [65535, 0, 16], b"\0\1"
    yield "short table.dcm", dicom(VOILUTSequence=[table])
    nested = Dataset()
    for _ in range(60):
        outer = Dataset()
        outer.RequestAttributesSequence = [nested]
        nested = outer
    yield "deep.dcm", dicom(RequestAttributesSequence=[nested])
    for syntax in (JPEGBaseline8Bit, JPEG2000Lossless, MPEG4HP41, RLELossless):
        pixels = _encapsulated(b"\xff\xd8not an image" * 5)
        yield f"{UID(syntax).name}.dcm", dicom(syntax=syntax, PixelData=pixels)
    frame = saved(Image.fromarray(gray()), "JPEG")
    yield (
        "size of another.dcm",
        dicom(gray(), Rows=32, syntax=JPEGBaseline8Bit, PixelData=_encapsulated(frame)),
    )
    yield "big endian.dcm", dicom(syntax=ExplicitVRBigEndian)
    yield (
        "unknown syntax.dcm",
        good()["dcm"].replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.9"),
    )


def polyglots() -> Iterator[Upload]:
    files = good()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("x.pkl", pickle.dumps(1))
    yield "png and zip.png", files["png"] + archive.getvalue()
    yield "jpeg and page.jpg", files["jpg"] + b"<script>alert(1)</script>"
    yield "gif before png.png", b"GIF89a" + files["png"]
    yield "pdf before jpeg.jpg", b"%PDF-1.4\n" + files["jpg"]
    yield "tiff before dicom.dcm", b"II*\0" + bytes(124) + files["dcm"][128:]
    yield "png before dicom.dcm", files["png"][:128] + files["dcm"][128:]
    yield "page before dicom.dcm", b"<script>".ljust(128, b"x") + files["dcm"][128:]
    yield "dicom named png.png", files["dcm"]
    yield "png named dicom.dcm", files["png"]
    yield "jpeg without an end", files["jpg"]


def odd_names() -> Iterator[Upload]:
    """Good and bad files under names that mean something to somebody."""
    names = (
        "<img src=x onerror=alert(1)>.png", "<script>document.title='owned'</script>.png",
        "**bold** [link](https://evil.example).png", ":red[x] :material/home: $x^2$.png",
        "https://evil.example/a.png", "www.evil.example", "=HYPERLINK(\"http://x\").png", "+1.png",
        "@SUM(A1).png", "-1.png", "../../etc/passwd", "C:\\Windows\\a.png", "a\nb\r\nc.png",
        "a,b;c\".png", "\u202egnp.exe", "\u0000.png", "Röntgen 胸部 🩻.png", "x" * 3000, ".png",
        " ", "{{7*7}}.png", "%s%n.png", "${jndi:x}.png", "a\x1b[31mb.png", "|a|b|.png", "`rm`.png",
    )  # fmt: skip
    content = good()["png"]
    for number, name in enumerate(names):
        yield name, content if number % 2 else content[:100]


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _png(width_px: int, height_px: int, packed: bytes | None = None, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(64 * 65)) if packed is None else packed
    chunks = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _tiff(side_px: int) -> bytes:
    """One strip of gray that is not there."""
    tags = ((256, side_px), (257, side_px), (258, 8), (259, 1), (262, 1), (273, 8), (278, side_px))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    length = struct.pack("<HHII", 279, 4, 1, min(side_px**2, 2**32 - 1))
    return b"II*\0" + struct.pack("<IH", 8, 8) + entries + length + struct.pack("<I", 0)


def _encapsulated(frame: bytes) -> bytes:
    """One frame with an empty offset table (PS3.5, annex A.4)."""
    frame += b"\0" * (len(frame) % 2)
    item, end = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
    return item + bytes(4) + item + struct.pack("<I", len(frame)) + frame + end + bytes(4)


def _end_of_meta(content: bytes) -> int:
    """Where the elements of group 2 end: at what its first one says (PS3.10, section 7.1)."""
    return 144 + int(struct.unpack("<I", content[140:144])[0])
