"""Hostile and broken releases: reported, nothing outside of the store written, never short."""

import os
import struct
import tarfile
import zlib
from functools import cache

import numpy as np
import pytest

from harness.core.errors import DiskFullError, HarnessError
from harness.data.decode import BROKEN_FILE, MAX_PIXELS, decode_gray
from harness.data.decoding import CHUNK_IMAGES
from harness.data.nih import prepare_nih
from harness.data.store import ImageStore
from tests.data.small_release import name_of, pack, pack_images, write_release


@pytest.fixture
def release(tmp_path):
    return write_release(tmp_path / "release")


def prepare(release, out, **options):
    return prepare_nih(release, out, **{"size_px": 16, "num_workers": 1, "max_bad": 0} | options)


def only_failure(release, tmp_path):
    """The reason of the one image that is left out of the store."""
    store = prepare(release, tmp_path / "store", max_bad=1)
    assert len(store) == 7
    (failure,) = store.manifest.failures
    assert failure.image == name_of(2)
    return failure.reason


def chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


@cache
def deflated_zeros(num_mb):
    return zlib.compress(bytes(num_mb * 2**20), 1)


def png_of(width_px, height_px, *, depth=8, colour=0, rows=b"", deflated=None):
    """A PNG file that claims a size and has these rows, compressed, or this deflated stream."""
    header = struct.pack(">II5B", width_px, height_px, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", deflated or zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize("packed", [False, True])
def test_a_tenth_of_the_files_cut_off(tmp_path, packed):
    root = write_release(tmp_path / "release", num_images=40)
    whole = prepare(root, tmp_path / "whole")
    cut = [name_of(number) for number in (3, 10, 17, 38)]
    for name in cut:
        file = root / "images" / name
        file.write_bytes(file.read_bytes()[: 40 + len(name) * 10])
    if packed:
        pack_images(root)
    with pytest.raises(HarnessError, match="4 images cannot be had, more than the 3"):
        prepare(root, tmp_path / "store", max_bad=3)
    assert not (tmp_path / "store").exists()
    store = prepare(root, tmp_path / "store", max_bad=4)
    assert [failure.image for failure in store.manifest.failures] == cut
    is_kept_N = ~whole.table["image"].isin(cut).to_numpy()
    assert np.array_equal(store.images, whole.images[is_kept_N])
    assert store.table["image"].tolist() == whole.table["image"][is_kept_N].tolist()
    store.verify()


@pytest.mark.parametrize(("colour", "packed"), [(0, False), (2, False), (0, True)])
def test_a_png_that_claims_to_be_huge_is_not_decoded(release, tmp_path, colour, packed):
    """20,000 x 20,000 pixels in a file of half a megabyte, gray or in colours."""
    bomb = png_of(20_000, 20_000, colour=colour, deflated=deflated_zeros(200))
    assert len(bomb) < 1_000_000
    (release / "images" / name_of(2)).write_bytes(bomb)
    if packed:
        pack_images(release)
    reason = only_failure(release, tmp_path)
    assert "20000 x 20000 pixels" in reason or "DecompressionBomb" in reason


def test_a_png_whose_data_are_longer_than_its_size_is_not_inflated_further(release, tmp_path):
    bomb = png_of(32, 32, deflated=deflated_zeros(200))
    (release / "images" / name_of(2)).write_bytes(bomb)
    store = prepare(release, tmp_path / "store", max_bad=1)
    assert store.images[2].max() == 0
    assert store.manifest.failures == ()


def test_a_size_just_above_the_limit_is_refused(tmp_path):
    file = tmp_path / "large.png"
    file.write_bytes(png_of(MAX_PIXELS + 1, 1))
    with pytest.raises(BROKEN_FILE, match=f"more than the {MAX_PIXELS}"):
        decode_gray(file, 16)


def test_a_file_of_another_kind_is_not_tried(tmp_path):
    """Pillow would call a program to draw PostScript."""
    file = tmp_path / "00000001_000.png"
    file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(BROKEN_FILE, match="cannot identify"):
        decode_gray(file, 16)


def test_a_link_out_of_the_folder_is_not_read(release, tmp_path):
    image = release / "images" / name_of(2)
    image.rename(tmp_path / "outside.png")
    image.symlink_to(tmp_path / "outside.png")
    assert only_failure(release, tmp_path) == "a link that leads out of its folder"


def test_a_link_in_an_archive_is_passed_over_and_its_image_left_out(release, tmp_path):
    secret = release / "images" / name_of(2)
    secret.rename(tmp_path / "outside.png")
    pack_images(release)
    link = tarfile.TarInfo(f"images/{name_of(2)}")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "outside.png")
    pack(release / "images_004.tar.gz", {link.name: link, f"../../{name_of(2)}": b"outside"})
    assert only_failure(release, tmp_path) == "no such file"
    (note,) = ImageStore.open(tmp_path / "store").manifest.notes
    assert note.startswith("images_004.tar.gz: 2 members passed over: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".store.lock", "outside.png", "release", "store",
    ]  # fmt: skip


def test_an_image_that_is_done_may_become_a_link(release, tmp_path):
    """As when a preparation is interrupted and the images are then moved elsewhere."""
    whole = prepare(release, tmp_path / "whole")
    (release / "images" / name_of(5)).rename(tmp_path / "later.png")
    with pytest.raises(HarnessError, match=f"{name_of(5)} .no such file"):
        prepare(release, tmp_path / "store")
    content = (tmp_path / "later.png").read_bytes()
    (release / "images" / name_of(5)).write_bytes(b"broken")
    with pytest.raises(HarnessError, match=name_of(5)):
        prepare(release, tmp_path / "store")
    image = release / "images" / name_of(2)
    image.rename(tmp_path / "outside.png")
    image.symlink_to(tmp_path / "outside.png")
    (release / "images" / name_of(5)).write_bytes(content)
    assert prepare(release, tmp_path / "store").fingerprint == whole.fingerprint


def test_a_link_to_a_file_of_the_same_folder_is_read(release, tmp_path):
    whole = prepare(release, tmp_path / "whole")
    image = release / "images" / name_of(2)
    image.rename(release / "images" / "renamed.png")
    image.symlink_to("renamed.png")
    assert prepare(release, tmp_path / "store").fingerprint == whole.fingerprint


def test_a_folder_of_images_may_lie_elsewhere(release, tmp_path):
    whole = prepare(release, tmp_path / "whole")
    (release / "images").rename(tmp_path / "elsewhere")
    (release / "images").symlink_to(tmp_path / "elsewhere")
    assert prepare(release, tmp_path / "store").fingerprint == whole.fingerprint


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(release, tmp_path, make):
    image = release / "images" / name_of(2)
    image.unlink()
    make(image)
    assert only_failure(release, tmp_path) == "not a file"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("train_val_list.txt", "names images that the label table lacks: 1, ../../secret.png"),
        ("Data_Entry_2017_v2020.csv", ":4: '../../secret.png' is not the name of an image"),
    ],
)
def test_a_path_in_a_list_or_a_table_leads_nowhere(release, tmp_path, file, told):
    text = (release / file).read_text()
    (release / file).write_text(text.replace(name_of(2), "../../secret.png"))
    with pytest.raises(HarnessError) as caught:
        prepare(release, tmp_path / "store")
    assert told in str(caught.value)


def test_random_damage_never_does_more_than_fail(tmp_path):
    """Files with a few changed bytes, gray and in colours: an image, or one of `BROKEN_FILE`."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (16, 1 + 16 * 4), dtype=np.uint8)
    rows[:, 0] = rng.integers(0, 5, 16)
    wholes = [png_of(64, 16, rows=rows.tobytes()), png_of(16, 16, colour=6, rows=rows.tobytes())]
    file, num_failed = tmp_path / "damaged.png", 0
    for number in range(400):
        content = bytearray(wholes[number % 2])
        for place in rng.integers(8, len(content), 3):
            content[place] = rng.integers(0, 256)
        file.write_bytes(content)
        try:
            assert decode_gray(file, 16).shape == (16, 16)
        except BROKEN_FILE:
            num_failed += 1
    assert 300 < num_failed <= 400


# A full disk ------------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(tmp_path, make_disk):
    disk = make_disk(1)
    root = write_release(tmp_path / "release")
    with pytest.raises(DiskFullError, match="are to be written"):
        prepare(root, disk / "store", size_px=512)
    assert [item.name for item in disk.iterdir()] == [".store.lock"]


@pytest.mark.parametrize(("num_workers", "packed"), [(1, False), (2, False), (1, True), (2, True)])
def test_a_disk_that_fills_up_on_the_way_is_told_and_continued(
    tmp_path, make_disk, fill_disk, num_workers, packed
):
    disk = make_disk(20)
    root = write_release(tmp_path / "release", num_images=2 * CHUNK_IMAGES + 5)
    whole = prepare(root, tmp_path / "whole", size_px=64)
    if packed:
        pack_images(root)
    is_filled = []

    def fill_once(done, total):
        if not is_filled:
            is_filled.append(True)
            fill_disk(disk)

    with pytest.raises(DiskFullError, match="the disk or the quota is full"):
        prepare(
            root, disk / "store", size_px=64, num_workers=num_workers, progress=fill_once
        )  # fmt: skip
    assert not (disk / "store").exists()
    (disk / "filler").unlink()
    store = prepare(root, disk / "store", size_px=64, num_workers=num_workers)
    assert store.fingerprint == whole.fingerprint
    assert store.manifest.failures == ()
    store.verify()
