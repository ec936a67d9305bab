"""Locks between real processes, of which one is killed."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.locks import LockedError, held, holder_of, is_held

HOLD = """
import sys, time
from pathlib import Path
from harness.core.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "run" / ".lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_lock_is_held_within_the_block_only(lock: Path) -> None:
    assert not is_held(lock)
    with held(lock):
        assert is_held(lock)
        told = json.loads(lock.read_text())
        assert (told["pid"], told["host"]) == (os.getpid(), socket.gethostname())
    assert not is_held(lock)
    assert lock.read_text() == ""


def test_it_is_let_go_when_the_block_fails(lock: Path) -> None:
    with pytest.raises(KeyError), held(lock):
        raise KeyError
    assert not is_held(lock)


def test_the_same_process_does_not_get_it_twice(lock: Path) -> None:
    with held(lock), pytest.raises(LockedError, match=f"process {os.getpid()}"), held(lock):
        pass


def test_another_process_holds_it_until_it_is_killed(lock: Path, holder) -> None:
    """`kill -9` gives it no chance to clean up, and whoever waits gets the lock at once."""
    assert is_held(lock)
    with pytest.raises(LockedError) as caught, held(lock):
        pass
    assert f"{lock.parent}: in use by process {holder.pid} on {socket.gethostname()}" in str(
        caught.value
    )
    holder.send_signal(signal.SIGKILL)
    started = time.monotonic()
    with held(lock, wait_s=60):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert time.monotonic() - started < 30
    assert not is_held(lock)


def test_waiting_ends(lock: Path, holder) -> None:
    started = time.monotonic()
    with pytest.raises(LockedError), held(lock, wait_s=0.5):
        pass
    assert 0.5 <= time.monotonic() - started < 20


def test_where_the_file_system_has_no_locks_it_is_told_and_gone_on(
    lock: Path, monkeypatch, caplog
) -> None:
    def flock(stream, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with held(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert caplog.messages[0] == f"{lock}: this file system has no locks (No locks available)"


def test_another_fault_of_the_file_system_is_none_of_locks(lock: Path, monkeypatch) -> None:
    def flock(stream, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error"), held(lock):
        pass


def test_looking_never_takes_the_lock_from_whoever_wants_it(lock: Path) -> None:
    look = "import sys\nfrom pathlib import Path\nfrom harness.core.locks import is_held\n"
    look += "print('on', flush=True)\nwhile True: is_held(Path(sys.argv[1]))"
    lock.parent.mkdir()
    lock.touch()
    with subprocess.Popen(
        [sys.executable, "-c", look, str(lock)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(100):
            with held(lock):
                pass
        process.kill()


def test_a_holder_without_a_name_is_another_process(lock: Path) -> None:
    assert holder_of(lock) == "another process"
    lock.parent.mkdir()
    lock.write_text('{"pid"')
    assert holder_of(lock) == "another process"
