"""Files arrive whole, from a server on this machine that stalls, cuts, corrupts and refuses."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import DiskFullError, HarnessError
from harness.core.locks import held
from harness.data.download import RemoteFile, download
from harness.data.http_ranges import Terms
from tests.data import file_server as answers
from tests.data.file_server import file_server

TERMS = Terms(timeout_s=1, num_tries=3, wait_s=0.01, max_wait_s=0.5)
CONTENT = np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server() as server:
        server.content["a.gz"] = CONTENT
        yield server


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "release"


def remote(server, name="a.gz", **changes):
    content = server.content[name]
    values = {
        "name": name,
        "num_bytes": len(content),
        "md5": hashlib.md5(content).hexdigest(),
        "url": f"{server.base}/{name}",
    }
    return RemoteFile(**values | changes)


def fetch(server, folder, *names, **options):
    files = [remote(server, name) for name in names or ("a.gz",)]
    download(files, folder, **{"terms": TERMS} | options)


def problem(server, folder, *names):
    with pytest.raises(HarnessError) as caught:
        fetch(server, folder, *names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def starts(server):
    """The first byte of each request."""
    return [int(told.removeprefix("bytes=").rstrip("-")) for _, told in server.asked]


def is_whole(folder, name="a.gz", content=CONTENT):
    return (folder / name).read_bytes() == content and not (folder / f"{name}.part").exists()


# What a good server gives -----------------------------------------------------------------------


def test_a_file_is_fetched_once(server, folder):
    seen = []
    fetch(server, folder, progress=lambda *counts: seen.append(counts))
    assert is_whole(folder)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    fetch(server, folder, progress=lambda *counts: seen.append(counts))
    assert starts(server) == [0]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_several_files_come_at_once(server, folder):
    """Each is answered once all have been asked for."""
    all_are_asked_for = threading.Barrier(5)

    def wait_for_all(handler, content, start):
        all_are_asked_for.wait(timeout=30)
        answers.well(handler, content, start)

    names = [f"{number}.gz" for number in range(5)]
    server.content |= {name: name.encode() * 1000 for name in names}
    server.answers = {name: [wait_for_all] for name in names}
    fetch(server, folder, *names, num_at_once=5, terms=Terms(timeout_s=60))
    assert len(server.asked) == 5
    assert all(is_whole(folder, name, server.content[name]) for name in names)


def test_a_part_is_continued(server, folder):
    folder.mkdir()
    (folder / "a.gz.part").write_bytes(CONTENT[:1_234_567])
    fetch(server, folder)
    assert starts(server) == [1_234_567]
    assert is_whole(folder)


def test_a_part_that_is_whole_is_only_checked(server, folder):
    folder.mkdir()
    (folder / "a.gz.part").write_bytes(CONTENT)
    fetch(server, folder)
    assert server.asked == []
    assert is_whole(folder)


def test_a_part_that_is_too_long_is_begun_anew(server, folder):
    folder.mkdir()
    (folder / "a.gz.part").write_bytes(CONTENT + b"x")
    fetch(server, folder)
    assert starts(server) == [0]
    assert is_whole(folder)


def test_a_file_that_changed_on_the_disk_is_fetched_again(server, folder):
    folder.mkdir()
    (folder / "a.gz").write_bytes(bytes(len(CONTENT)))
    fetch(server, folder)
    assert is_whole(folder)


# What a bad one does ----------------------------------------------------------------------------


def test_a_connection_that_is_cut_goes_on_from_there(server, folder):
    server.answers["a.gz"] = [answers.cut_after(1_000_000)] * 2
    fetch(server, folder)
    assert starts(server) == [0, 1_000_000, 2_000_000]
    assert is_whole(folder)


def test_a_connection_that_stalls_is_given_up_and_goes_on(server, folder):
    server.answers["a.gz"] = [answers.stall_after(1_000_000, seconds=900)]
    fetch(server, folder)
    assert 0 < starts(server)[1] <= 1_000_000
    assert is_whole(folder)


def test_a_corrupt_file_is_fetched_once_more(server, folder):
    server.answers["a.gz"] = [answers.corrupt]
    fetch(server, folder)
    assert starts(server) == [0, 0]
    assert is_whole(folder)


def test_a_file_that_arrives_corrupt_twice_is_reported(server, folder):
    server.answers["a.gz"] = [answers.corrupt] * 3
    text = problem(server, folder)
    wrong = hashlib.md5(answers.flipped(CONTENT)).hexdigest()
    assert f"arrived 2 times with the wrong MD5 {wrong}" in text
    assert len(server.asked) == 2
    assert [path.name for path in folder.iterdir() if "a.gz" in path.name] == []


def test_a_server_without_ranges_gives_the_whole_file(server, folder):
    folder.mkdir()
    (folder / "a.gz.part").write_bytes(CONTENT[:1000])
    server.answers["a.gz"] = [answers.without_ranges]
    fetch(server, folder)
    assert starts(server) == [1000]
    assert is_whole(folder)


def test_a_server_without_ranges_that_never_gets_further_is_given_up(server, folder):
    server.answers["a.gz"] = [answers.without_ranges_cut_after(1_000_000)] * 9
    assert "the connection ended early, 3 times in a row" in problem(server, folder)
    assert len(server.asked) == 4
    fetch_again = [answers.without_ranges]
    server.answers["a.gz"] = fetch_again
    fetch(server, folder)
    assert is_whole(folder)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 416])
def test_a_refusal_is_told_at_once(server, folder, code):
    server.answers["a.gz"] = [answers.status(code)]
    assert f"a.gz ({code} " in problem(server, folder)
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503])
def test_an_answer_that_may_change_is_asked_for_again(server, folder, code):
    server.answers["a.gz"] = [answers.status(code)] * 2
    fetch(server, folder)
    assert is_whole(folder)
    server.answers["b.gz"] = [answers.status(code)] * 9
    server.content["b.gz"] = b"b"
    assert f"{code} " in problem(server, folder, "b.gz")
    assert [name for name, _ in server.asked].count("b.gz") == TERMS.num_tries


@pytest.mark.parametrize("in_words", [False, True])
def test_a_server_that_asks_for_a_pause_gets_it(server, folder, in_words):
    after = formatdate(time.time() + 2, usegmt=True) if in_words else 1
    server.answers["a.gz"] = [answers.status(429, Retry_After=after)]
    began = time.monotonic()
    fetch(server, folder, terms=Terms(wait_s=0.01, max_wait_s=1))
    assert time.monotonic() - began >= 0.9
    assert is_whole(folder)


def test_no_pause_is_longer_than_is_borne(server, folder):
    server.answers["a.gz"] = [answers.status(503, Retry_After=86400)]
    fetch(server, folder)
    assert is_whole(folder)


def test_a_page_instead_of_the_file_leaves_the_part_alone(server, folder):
    folder.mkdir()
    (folder / "a.gz.part").write_bytes(CONTENT[:1000])
    server.answers["a.gz"] = [answers.page]
    text = problem(server, folder)
    assert f"another file is there: 11 bytes of text/html, not {len(CONTENT)}" in text
    assert (folder / "a.gz.part").read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}", "from byte 0 on, where 1000 was asked for"),
        ("bytes 1000-2000/999", "another file is there: 999 bytes"),
        ("pages 1-2/3", "neither all nor part"),
    ],
)
def test_another_range_than_was_asked_for_is_never_stored(server, folder, told, words):
    folder.mkdir()
    (folder / "a.gz.part").write_bytes(CONTENT[:1000])
    server.answers["a.gz"] = [answers.range_of(told)] * 9
    assert words in problem(server, folder)
    assert (folder / "a.gz.part").read_bytes() == CONTENT[:1000]


def test_a_server_that_sends_too_much_is_cut_short(server, folder):
    def too_much(handler, content, start):
        handler.head(200)
        handler.wfile.write(content + b"more")

    server.answers["a.gz"] = [too_much]
    fetch(server, folder)
    assert is_whole(folder)


def test_nobody_at_the_address(folder):
    file = RemoteFile("a.gz", 10, "0" * 32, "http://127.0.0.1:9/a.gz")
    with pytest.raises(HarnessError, match=r"a\.gz \(ConnectionRefusedError.*3 times in a row"):
        download([file], folder, terms=TERMS)


def test_one_file_that_fails_does_not_stop_the_others(server, folder):
    server.content |= {"b.gz": b"b" * 5000, "c.gz": b"c" * 5000}
    server.answers["b.gz"] = [answers.status(404)]
    text = problem(server, folder, "a.gz", "b.gz", "c.gz")
    assert "1 of 3 files could not be had: b.gz (404 Not Found" in text
    assert "what has arrived is kept: run it again" in text
    assert is_whole(folder)
    assert is_whole(folder, "c.gz", server.content["c.gz"])


# Addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.org/a.gz", "over plain http"),
        ("http://127.0.0.1.example.org/a.gz", "over plain http"),
        ("ftp://example.org/a.gz", "begins with https://"),
        ("file:///etc/passwd", "begins with https://"),
        ("/data/a.gz", "begins with https://"),
        ("https://", "begins with https://"),
        ("https://[::1", "not an address"),
        ("https://example.org:99999/a.gz", "not an address"),
        ("https://example.org/a b.gz", "not an address; write blanks"),
        ("https://exämple.org/a.gz", "not an address; write blanks"),
    ],
)
def test_an_address_that_is_not_safe_is_refused_before_anything_is_asked(folder, url, told):
    with pytest.raises(HarnessError, match=told):
        download([RemoteFile("a.gz", 1, "", url)], folder)
    assert not folder.exists()


def test_plain_http_is_taken_where_it_is_allowed(folder):
    file = RemoteFile("a.gz", 1, "", "http://nowhere.invalid/a.gz")
    with pytest.raises(HarnessError, match=r"could not be had: a\.gz"):
        download([file], folder, terms=Terms(num_tries=1, allow_http=True))


def test_a_redirect_is_followed_with_the_range(server, folder):
    folder.mkdir()
    (folder / "a.gz.part").write_bytes(CONTENT[:1000])
    server.content["moved.gz"] = CONTENT
    server.answers["moved.gz"] = [answers.status(302, Location="/a.gz")]
    download([remote(server, url=f"{server.base}/moved.gz")], folder, terms=TERMS)
    assert server.asked == [("moved.gz", "bytes=1000-"), ("a.gz", "bytes=1000-")]
    assert is_whole(folder)


@pytest.mark.parametrize("where", ["http://example.org/a.gz", "file:///etc/passwd"])
def test_a_redirect_to_an_address_that_is_not_safe_is_not_followed(server, folder, where):
    server.answers["a.gz"] = [answers.status(302, Location=where)]
    assert "a.gz (" in problem(server, folder)
    assert len(server.asked) == 1
    assert not (folder / "a.gz").exists()


def test_redirects_in_a_circle_end(server, folder):
    server.answers["a.gz"] = [answers.status(302, Location="/a.gz")] * 99
    assert "a.gz (302" in problem(server, folder)
    assert len(server.asked) < 20


# The disk, kills and others ---------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_told_before_anything_is_asked(server, make_disk):
    disk = make_disk(2)
    with pytest.raises(DiskFullError, match=r"3\.0 MB are to be written"):
        fetch(server, disk)
    assert server.asked == []


def test_a_disk_that_fills_up_keeps_what_has_arrived(server, make_disk, fill_disk):
    disk = make_disk(14)

    def fill_first(handler, content, start):
        fill_disk(disk)
        (disk / "filler").open("r+b").truncate((disk / "filler").stat().st_size - 1_000_000)
        answers.well(handler, content, start)

    server.answers["a.gz"] = [fill_first]
    assert "the disk or the quota is full" in problem(server, disk)
    (disk / "filler").unlink()
    arrived = (disk / "a.gz.part").stat().st_size
    assert arrived > 500_000
    fetch(server, disk)
    assert starts(server) == [0, arrived]
    assert is_whole(disk)


def test_two_at_a_time_are_refused(server, folder):
    with held(folder / ".download.lock"):
        assert "in use by" in problem(server, folder)


FETCH = """
import signal, sys
from pathlib import Path
from harness.data.download import RemoteFile, download

signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs in the background ignore
name, num_bytes, md5, url = sys.argv[1:5]
download([RemoteFile(name, int(num_bytes), md5, url)], Path(sys.argv[5]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_continues(server, folder, how):
    """Killed once a megabyte is there; an interrupt does not wait for the connection."""
    server.answers["a.gz"] = [answers.stall_after(1_500_000, seconds=900)]
    file = remote(server)
    command = [sys.executable, "-c", FETCH, file.name, str(file.num_bytes), file.md5, file.url]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    part = folder / "a.gz.part"
    with subprocess.Popen(
        [*command, str(folder)], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size < 1_000_000:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(how)
        assert process.wait(timeout=10) != 0
    arrived = part.stat().st_size
    fetch(server, folder)
    assert starts(server) == [0, arrived]
    assert is_whole(folder)
