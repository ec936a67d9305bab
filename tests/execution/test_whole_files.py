"""Files stay whole through kills, outages and interrupts, in a folder and on a real S3 server."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution import whole_files
from harness.execution.storage import Storage
from tests.execution.stored_runs import RUN, contents, epoch, large_epoch, write

UPLOADER = """
import os, signal, sys
from pathlib import Path
from harness.execution.storage import Storage
from harness.execution.whole_files import WholeFiles

write_stream = WholeFiles._write_stream

def die_half_way(self, path, data):
    if "last.ckpt" not in path:
        return write_stream(self, path, data)
    stream = self._filesystem.open_output_stream(path)
    stream.write(data.slice(0, data.size // 2))
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)

WholeFiles._write_stream = die_half_way
Storage.open(sys.argv[1]).push(Path(sys.argv[2]), sys.argv[3])
"""


def test_a_killed_uploader_leaves_whole_files_from_which_to_go_on(storage, storage_uri, tmp_path):
    run_dir, node = tmp_path / "run", tmp_path / "node"
    write(run_dir, large_epoch(1))
    storage.push(run_dir, RUN)
    write(run_dir, large_epoch(2))
    uploader = subprocess.run(
        [sys.executable, "-c", UPLOADER, storage_uri, str(run_dir), RUN], check=False
    )
    assert uploader.returncode == -signal.SIGKILL

    # The line of epoch 2 went out before its checkpoint: a trainer drops it and does it again.
    worker = Storage.open(storage_uri)
    assert worker.pull(node, RUN)
    assert contents(node) == large_epoch(1) | {"metrics.jsonl": epoch(2)["metrics.jsonl"]}

    write(node, large_epoch(3))
    worker.push(node, RUN)
    Storage.open(storage_uri).pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == large_epoch(3)
    if storage.free_bytes() is not None:
        assert contents(Path(storage_uri, RUN)).keys() == epoch(3).keys(), "half a file was left"


def test_an_outage_of_three_seconds_is_waited_out(s3_server, s3_uri, run_dir, tmp_path, caplog):
    storage = Storage.open(s3_uri)
    storage.push(run_dir, RUN)
    write(run_dir, epoch(2))
    s3_server.stop()
    back = threading.Timer(3.0, s3_server.start)
    back.start()
    try:
        storage.push(run_dir, RUN)
    finally:
        back.join()
    assert "not reachable" in caplog.text
    assert storage.pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == epoch(2)


def test_a_longer_outage_is_an_error_and_the_next_push_catches_up(
    s3_server, s3_uri, run_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr(whole_files, "PAUSES_S", (0.05,))
    storage = Storage.open(s3_uri)
    storage.push(run_dir, RUN)
    write(run_dir, epoch(2))
    s3_server.stop()
    try:
        with pytest.raises(HarnessError, match=r"writing \S+: not reachable: Could not connect"):
            storage.push(run_dir, RUN)
    finally:
        s3_server.start()
    write(run_dir, epoch(3))
    storage.push(run_dir, RUN)
    storage.pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == epoch(3)


@pytest.fixture
def busy_parts(s3_server, monkeypatch):
    """The server answers 503 to the second part of each upload, as often as the list is long."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    answer, refusals = DomainDispatcherApplication.__call__, []

    def refuse(self, environ, start_response):
        if refusals and "partNumber=2" in environ["QUERY_STRING"]:
            refusals.pop()
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"]
        return answer(self, environ, start_response)

    monkeypatch.setattr(DomainDispatcherApplication, "__call__", refuse)
    return refusals


def test_an_upload_that_loses_a_part_never_shows_the_rest(
    s3_uri, tmp_path, busy_parts, monkeypatch
):
    monkeypatch.setattr(whole_files, "PAUSES_S", (0.05,))
    storage = Storage.open(s3_uri)
    write(tmp_path / "run", {"last.ckpt": b"1" * 21_000_000})
    storage.push(tmp_path / "run", RUN)
    write(tmp_path / "run", {"last.ckpt": b"2" * 21_000_000})
    busy_parts.extend(range(100))
    with pytest.raises(HarnessError, match="the service answers SLOW_DOWN"):
        storage.push(tmp_path / "run", RUN)
    storage.pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == {"last.ckpt": b"1" * 21_000_000}
    busy_parts[:] = [0, 0, 0]
    storage.push(tmp_path / "run", RUN)
    storage.pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == contents(tmp_path / "run")


class Interrupting:
    """A filesystem in which Ctrl-C is pressed when half of a file is written."""

    def __init__(self, filesystem):
        self.filesystem = filesystem

    def open_output_stream(self, path, **options):
        self.stream = self.filesystem.open_output_stream(path, **options)
        return self

    def write(self, data):
        self.stream.write(data.slice(0, data.size // 2))
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.02)
        self.stream.write(data.slice(data.size // 2))

    def close(self):
        self.stream.close()


def test_an_interrupt_does_not_cut_an_upload_short(s3_uri, tmp_path):
    storage = Storage.open(s3_uri)
    storage._files._filesystem = Interrupting(storage._files._filesystem)
    back = Storage.open(s3_uri)
    # A process that a shell has put in the background ignores Ctrl-C from its start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        # Many times: the press must not find a moment at which the uploader is not waited for.
        for number in range(30):
            write(tmp_path / "run", {"last.ckpt": bytes([number]) * 1_000})
            with pytest.raises(KeyboardInterrupt):
                storage.push(tmp_path / "run", RUN)
            back.pull(tmp_path / "back", RUN)
            assert contents(tmp_path / "back") == contents(tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_download_that_breaks_replaces_nothing(storage, run_dir, tmp_path, monkeypatch):
    storage.push(run_dir, RUN)
    write(tmp_path / "node", {"last.ckpt": b"what was there"})

    def breaks(stream, local, chunk):
        local.write(stream.read(4))
        raise OSError("AWS Error ACCESS_DENIED")

    monkeypatch.setattr(whole_files.shutil, "copyfileobj", breaks)
    with pytest.raises(HarnessError, match="fetching"):
        storage.pull(tmp_path / "node", RUN)
    assert contents(tmp_path / "node") == {"last.ckpt": b"what was there"}
