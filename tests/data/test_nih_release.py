import gzip
import hashlib

import pytest

from harness.core.errors import HarnessError
from harness.data import nih_release
from harness.data.nih_release import ARCHIVES, address_of, check_labels
from tests.data import file_server as answers
from tests.data.file_server import file_server
from tests.data.small_release import pack_images, write_release

NAMES = [f"images_{number:03d}.tar.gz" for number in range(1, 13)]


def test_twelve_archives_of_45_gb():
    assert [name for name, *_ in ARCHIVES] == NAMES
    assert sum(num_bytes for _, _, num_bytes, _ in ARCHIVES) == 45_079_862_784
    assert all(len(share) == 32 and share.isalnum() for _, share, _, _ in ARCHIVES)
    assert len({md5 for *_, md5 in ARCHIVES if int(md5, 16) >= 0 and len(md5) == 32}) == 12


def test_the_address_is_the_share_or_the_mirror():
    assert address_of("a.tar.gz", "xyz", "") == "https://nihcc.box.com/shared/static/xyz.gz"
    assert address_of("a.tar.gz", "xyz", "https://m.org/nih/") == "https://m.org/nih/a.tar.gz"


@pytest.fixture
def whole_labels(tmp_path, shared_data):
    """The release's own label files."""
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"):
        (folder / name).write_bytes(gzip.decompress((shared_data / f"{name}.gz").read_bytes()))
    for name in ("train_val_list.txt", "test_list.txt"):
        (folder / name).write_bytes((shared_data / "official_split" / name).read_bytes())
    return folder


def test_the_release_s_label_files_are_known(whole_labels):
    labels = check_labels(whole_labels)
    assert labels.absent == ()
    assert labels.found == (
        "Data_Entry_2017_v2020.csv: 112120 images, labels v2020",
        "train_val_list.txt: 86524 images",
        "test_list.txt: 25596 images",
        "BBox_List_2017.csv: 984 boxes",
    )


def test_a_label_file_that_is_not_whole_is_refused(whole_labels):
    file = whole_labels / "test_list.txt"
    file.write_text(file.read_text()[:-17])
    with pytest.raises(HarnessError, match=r"test_list\.txt: has 25595 rows, .* has 25596"):
        check_labels(whole_labels)


def test_label_files_that_are_absent_are_named(tmp_path):
    labels = check_labels(tmp_path)
    assert labels.found == ()
    assert labels.absent == (
        "Data_Entry_2017_v2020.csv", "train_val_list.txt", "test_list.txt", "BBox_List_2017.csv",
    )  # fmt: skip


# The command, from a mirror on this machine -----------------------------------------------------


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server of twelve small archives, which take the place of the release's."""
    archives = pack_images(write_release(tmp_path / "origin", num_images=24), num_archives=12)
    content = {path.name: path.read_bytes() for path in archives}
    small = tuple(
        (name, "share", len(content[name]), hashlib.md5(content[name]).hexdigest())
        for name in NAMES
    )
    monkeypatch.setattr(nih_release, "ARCHIVES", small)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server() as server:
        server.content = content
        yield server


def test_the_command_fetches_checks_and_says_what_is_next(mirror, tmp_path, harness):
    code, out, err = harness(
        "data", "download", "nih", "--out", tmp_path / "nih", "--base", mirror.base
    )
    assert (code, err.count("harness:")) == (0, 0)
    assert sorted(name for name, _ in mirror.asked) == NAMES
    for name in NAMES:
        assert (tmp_path / "nih" / name).read_bytes() == mirror.content[name]
    attribution = (tmp_path / "nih" / "ATTRIBUTION.txt").read_text()
    assert "Wang X, Peng Y" in attribution
    assert attribution in out
    assert "fetch by hand from https://nihcc.app.box.com/v/ChestXray-NIHCC:" in out
    assert "Data_Entry_2017_v2020.csv, train_val_list.txt, test_list.txt" in out
    assert f"next: harness data prepare nih --root {tmp_path / 'nih'}" in out


def test_what_was_fetched_can_be_prepared(mirror, tmp_path, harness):
    folder = tmp_path / "nih"
    assert harness("data", "download", "nih", "--out", folder, "--base", mirror.base)[0] == 0
    for name in ("Data_Entry_2017_v2020.csv", "train_val_list.txt", "test_list.txt"):
        (folder / name).write_bytes((tmp_path / "origin" / name).read_bytes())
    code, out, _ = harness(
        "data",
        "prepare",
        "nih",
        "--root",
        folder,
        "--out",
        tmp_path / "store",
        "--size",
        32,
        "--workers",
        1,
    )
    assert code == 0
    assert "24 images of 32 px, source nih" in out
    assert "labels v2020" in out


def test_a_failure_is_one_line_and_exit_code_2(mirror, tmp_path, harness):
    mirror.answers["images_005.tar.gz"] = [answers.status(403)]
    code, _, err = harness(
        "data", "download", "nih", "--out", tmp_path / "nih", "--base", mirror.base
    )
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("harness:")]
    assert "1 of 12 files could not be had: images_005.tar.gz (403 Forbidden" in line
    assert len(list((tmp_path / "nih").glob("images_*.tar.gz"))) == 11


def test_plain_http_needs_leave(tmp_path, harness):
    code, _, err = harness(
        "data", "download", "nih", "--out", tmp_path / "nih", "--base", "http://mirror.example"
    )
    assert code == 2
    assert "--allow-http" in err
    assert not (tmp_path / "nih").exists()
