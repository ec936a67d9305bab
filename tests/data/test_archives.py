"""Archives are read as they come, hostile and damaged ones too, and never unpacked."""

import gzip
import io
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import HarnessError
from harness.data.archives import ArchiveReport, images_in
from harness.data.decode import MAX_FILE_BYTES
from harness.data.nih import prepare_nih
from tests.data.small_release import name_of, pack, pack_images, write_release


def read(archive, rows):
    report = ArchiveReport()
    content = {row: stream.read() for row, stream in images_in(archive, rows, report)}
    return content, report


def link(name, target, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_wanted_images_come_with_their_rows(tmp_path):
    content = {"images/": b"", "images/a.png": b"A", "b.png": b"B", "deep/er/c.png": b"C"}
    archive = pack(tmp_path / "images_001.tar.gz", content)
    assert read(archive, {"a.png": 7, "c.png": 0, "z.png": 1}) == (
        {7: b"A", 0: b"C"},
        ArchiveReport(),
    )


def test_links_devices_and_paths_that_lead_elsewhere_are_passed_over(tmp_path):
    content = {
        "../../a.png": b"outside",
        "/etc/b.png": b"outside",
        "c.png": link("images/c.png", "/etc/passwd", tarfile.SYMTYPE),
        "d.png": link("images/d.png", "images/e.png", tarfile.LNKTYPE),
        "f.png": link("images/f.png", "", tarfile.CHRTYPE),
        "g.png": link("images/g.png", "", tarfile.FIFOTYPE),
        "images/e.png": b"E",
    }
    archive = pack(tmp_path / "images_001.tar.gz", content)
    found, report = read(archive, {f"{letter}.png": ord(letter) for letter in "abcdefg"})
    assert found == {ord("e"): b"E"}
    assert report.damage == ""
    assert report.passed_over == [
        "../../a.png (its path leads out of the archive)",
        "/etc/b.png (its path leads out of the archive)",
        *(f"images/{letter}.png (neither a file nor a folder)" for letter in "cdfg"),
    ]


def test_a_name_that_stands_in_an_archive_twice_comes_twice(tmp_path):
    archive = pack(tmp_path / "images_001.tar.gz", {"images/a.png": b"A", "more/a.png": b"other"})
    found = [
        (row, stream.read()) for row, stream in images_in(archive, {"a.png": 3}, ArchiveReport())
    ]
    assert found == [(3, b"A"), (3, b"other")]


def archive_of_noise(tmp_path):
    noise = np.random.default_rng(0).bytes(200_000)
    return pack(tmp_path / "images_001.tar.gz", {"a.png": b"A", "b.png": noise, "c.png": b"C"})


def test_an_archive_that_is_cut_off_is_told(tmp_path):
    archive = archive_of_noise(tmp_path)
    archive.write_bytes(archive.read_bytes()[:-20])
    found, report = read(archive, {"a.png": 0})
    assert found == {0: b"A"}
    assert report.damage.startswith("EOFError")


def test_a_flipped_bit_is_told_though_every_file_can_be_read(tmp_path):
    archive = archive_of_noise(tmp_path)
    plain = bytearray(archive.read_bytes())
    plain[100_000] ^= 1
    archive.write_bytes(plain)
    found, report = read(archive, {"a.png": 0, "c.png": 2})
    assert found[0] == b"A"
    assert "CRC" in report.damage or "Error" in report.damage


@pytest.mark.parametrize(
    "content", [b"", b"no archive", gzip.compress(b"x" * 5000)], ids=["empty", "text", "gzip"]
)
def test_what_is_no_archive_is_told(tmp_path, content):
    archive = tmp_path / "images_001.tar.gz"
    archive.write_bytes(content)
    found, report = read(archive, {"a.png": 0})
    assert found == {}
    assert report.damage


def test_a_header_that_claims_to_be_huge_is_not_read(tmp_path):
    """A GNU long name of 1 TB would otherwise be read into memory."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 10**12
    archive = tmp_path / "images_001.tar.gz"
    archive.write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(10_000)))
    found, report = read(archive, {"a.png": 0})
    assert found == {}
    assert "claims" in report.damage


# Whole releases in archives ---------------------------------------------------------------------


@pytest.fixture
def release(tmp_path):
    return write_release(tmp_path / "release")


def prepare(release, out, **options):
    return prepare_nih(release, out, **{"size_px": 16, "num_workers": 1, "max_bad": 0} | options)


def content_of(archive):
    with tarfile.open(archive) as members:
        return {name: members.extractfile(name).read() for name in members.getnames()}


@pytest.mark.parametrize("num_workers", [1, 2])
def test_archives_give_the_store_that_folders_give(release, tmp_path, num_workers):
    whole = prepare(release, tmp_path / "whole")
    before = sorted(path.name for path in tmp_path.iterdir())
    pack_images(release)
    seen = []
    store = prepare(
        release, tmp_path / "store", num_workers=num_workers,
        progress=lambda *counts: seen.append(counts),
    )  # fmt: skip
    assert store.fingerprint == whole.fingerprint
    assert seen[-1] == (8, 8)
    assert {path.name for path in tmp_path.iterdir()} == {*before, "store", ".store.lock"}
    assert not (release / "images").exists()


def test_what_folders_lack_is_taken_from_archives(release, tmp_path):
    whole = prepare(release, tmp_path / "whole")
    kept = (release / "images" / name_of(0)).read_bytes()
    pack_images(release)
    (release / "images").mkdir()
    (release / "images" / name_of(0)).write_bytes(kept)
    assert prepare(release, tmp_path / "store").fingerprint == whole.fingerprint


def test_a_damaged_archive_is_refused_and_mended_without_reading_the_others(release, tmp_path):
    whole = prepare(release, tmp_path / "whole")
    archives = pack_images(release)
    content = archives[1].read_bytes()
    archives[1].write_bytes(content[: len(content) // 2])
    with pytest.raises(HarnessError, match=r"images_002\.tar\.gz \(EOFError.*damaged or cut off"):
        prepare(release, tmp_path / "store", max_bad=8)
    assert not (tmp_path / "store").exists()
    archives[1].write_bytes(content)
    for archive in (archives[0], archives[2]):
        size, times = archive.stat().st_size, archive.stat()
        archive.write_bytes(bytes(size))  # whoever reads it again finds no archive
        os.utime(archive, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert prepare(release, tmp_path / "store").fingerprint == whole.fingerprint


def test_images_that_no_archive_has_are_missing(release, tmp_path):
    archives = pack_images(release)
    archives[2].unlink()
    with pytest.raises(HarnessError, match=rf"2 images cannot be had.*{name_of(2)} \(no such file"):
        prepare(release, tmp_path / "store", max_bad=1)
    store = prepare(release, tmp_path / "store", max_bad=2)
    assert len(store) == 6
    assert {failure.image for failure in store.manifest.failures} == {name_of(2), name_of(5)}


def test_an_archive_with_a_broken_image_is_read_again_once_it_is_mended(release, tmp_path):
    whole = prepare(release, tmp_path / "whole")
    archives = pack_images(release, num_archives=1)
    content = content_of(archives[0])
    broken = content | {f"images/{name_of(3)}": content[f"images/{name_of(3)}"][:300]}
    pack(archives[0], broken)
    with pytest.raises(HarnessError, match=rf"1 images cannot be had.*{name_of(3)}.*truncated"):
        prepare(release, tmp_path / "store")
    pack(archives[0], content)
    assert prepare(release, tmp_path / "store").fingerprint == whole.fingerprint


def test_what_was_passed_over_stands_in_the_manifest_after_a_failure_too(release, tmp_path):
    archives = pack_images(release)
    content = content_of(archives[0])
    pack(archives[0], {"../evil.png": b"evil"} | content)
    last = archives[2].read_bytes()
    archives[2].write_bytes(last[:100])
    with pytest.raises(HarnessError, match="damaged"):
        prepare(release, tmp_path / "store")
    archives[2].write_bytes(last)
    store = prepare(release, tmp_path / "store")
    assert store.manifest.notes == (
        "images_001.tar.gz: 1 members passed over: ../evil.png (its path leads out of the archive)",
    )
    assert not list(tmp_path.rglob("evil.png"))


def test_what_was_passed_over_is_told_beside_an_image_that_fails(release, tmp_path):
    archives = pack_images(release, num_archives=1)
    content = content_of(archives[0])
    content[f"images/{name_of(3)}"] = b"broken"
    pack(archives[0], {f"../{number}.png": b"evil" for number in range(5)} | content)
    store = prepare(release, tmp_path / "store", max_bad=1)
    assert [failure.image for failure in store.manifest.failures] == [name_of(3)]
    (note,) = store.manifest.notes
    assert note.startswith("images_001.tar.gz: 5 members passed over: ../0.png (")
    assert note.endswith(", ...")


def test_a_member_that_is_too_long_fails_alone(release, tmp_path):
    archives = pack_images(release, num_archives=1)
    content = content_of(archives[0])
    pack(archives[0], content | {f"images/{name_of(2)}": bytes(MAX_FILE_BYTES + 1)})
    store = prepare(release, tmp_path / "store", max_bad=1)
    (failure,) = store.manifest.failures
    assert failure.image == name_of(2)
    assert "longer than" in failure.reason


def test_every_archive_ends_where_images_do(tmp_path):
    """The pixels of a member are its own, though the stream goes on."""
    gray = np.arange(1024, dtype=np.uint16).astype(np.uint8).reshape(32, 32)
    stream = io.BytesIO()
    Image.fromarray(gray).save(stream, "PNG")
    archive = pack(tmp_path / "images_001.tar.gz", {"a.png": stream.getvalue(), "b.png": b"B"})
    found, _ = read(archive, {"a.png": 0, "b.png": 1})
    assert found == {0: stream.getvalue(), 1: b"B"}


# One name, two files ----------------------------------------------------------------------------


def test_the_same_file_in_two_archives_is_stored_once(release, tmp_path):
    whole = prepare(release, tmp_path / "whole")
    archives = pack_images(release)
    content = content_of(archives[0])
    pack(release / "images_004.tar.gz", {f"copies/{name}": file for name, file in content.items()})
    store = prepare(release, tmp_path / "store", num_workers=2)
    assert store.fingerprint == whole.fingerprint
    assert store.manifest.failures == ()


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("place", ["images_001.tar.gz", "images_003.tar.gz"])
def test_two_files_of_one_name_are_left_out_and_told(release, tmp_path, place, num_workers):
    """In two archives, and twice in one: image 0 is in the first."""
    whole = prepare(release, tmp_path / "whole")
    pack_images(release)
    content = content_of(release / place)
    other = content_of(release / "images_002.tar.gz")[f"images/{name_of(1)}"]
    pack(release / place, content | {f"again/{name_of(0)}": other})
    with pytest.raises(
        HarnessError, match=rf"1 images cannot be had.*{name_of(0)} .*files of this name in"
    ):
        prepare(release, tmp_path / "store", num_workers=num_workers)
    store = prepare(release, tmp_path / "store", num_workers=num_workers, max_bad=1)
    (failure,) = store.manifest.failures
    assert failure.image == name_of(0)
    both = {
        "images_001.tar.gz": "two files of this name in images_001.tar.gz differ",
        "images_003.tar.gz": "files of this name in images_001.tar.gz and images_003.tar.gz differ",
    }
    assert failure.reason == both[place]
    assert np.array_equal(store.images, whole.images[1:])


@pytest.mark.parametrize("mended", ["images_001.tar.gz", "images_003.tar.gz"])
def test_whichever_of_two_files_is_taken_away_the_other_is_stored(release, tmp_path, mended):
    whole = prepare(release, tmp_path / "whole")
    pack_images(release)
    first, last = release / "images_001.tar.gz", release / "images_003.tar.gz"
    in_first, in_last = content_of(first), content_of(last)
    own = in_first[f"images/{name_of(0)}"]
    other = content_of(release / "images_002.tar.gz")[f"images/{name_of(1)}"]
    pack(last, in_last | {f"again/{name_of(0)}": other})
    with pytest.raises(
        HarnessError,
        match=r"files of this name in images_001\.tar\.gz and images_003\.tar\.gz differ",
    ):
        prepare(release, tmp_path / "store")
    if mended == last.name:
        pack(last, in_last)
    else:
        pack(first, in_first | {f"images/{name_of(0)}": b""})
        pack(first, {name: file for name, file in in_first.items() if file != own})
    store = prepare(release, tmp_path / "store")
    assert store.manifest.failures == ()
    row = 0 if mended == last.name else 1
    assert np.array_equal(store.images[0], whole.images[row])
    assert np.array_equal(store.images[1:], whole.images[1:])


def test_two_files_are_told_though_a_kill_came_between_them(release, tmp_path, monkeypatch):
    """The first archive is read to its end and noted; the second is met by a later process."""
    pack_images(release)
    last = release / "images_003.tar.gz"
    other = content_of(release / "images_002.tar.gz")[f"images/{name_of(1)}"]
    pack(last, content_of(last) | {f"again/{name_of(0)}": other})
    hidden = last.rename(tmp_path / last.name)
    with pytest.raises(HarnessError, match="no such file"):
        prepare(release, tmp_path / "store")
    hidden.rename(last)
    with pytest.raises(HarnessError, match=rf"{name_of(0)} .*files of this name in"):
        prepare(release, tmp_path / "store")
    with pytest.raises(HarnessError, match=rf"{name_of(0)} .*files of this name in"):
        prepare(release, tmp_path / "store")
