"""Storage: the same promises over a folder and over a real S3 server, through kills and outages."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution import whole_files
from harness.execution.storage import Storage

RUN = "nih-dannynet/t0007-3fa2c1"


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write as the trainer does: each file beside its place and renamed."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (half := path.with_name(f".{path.name}.new")).write_bytes(data)
        half.replace(path)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def epoch(number: int) -> dict[str, bytes]:
    """A run directory after an epoch, in the order in which the trainer writes it."""
    return {
        "recipe.json": b"{}",
        "metrics.jsonl": b"".join(b'{"epoch": %d}\n' % n for n in range(1, number + 1)),
        "last.ckpt": b"checkpoint %d" % number,
        "best.safetensors": b"weights %d" % number,
        "status.json": b'{"outcome": "running"}',
    }


@pytest.fixture
def storage(storage_uri):
    return Storage.open(storage_uri)


@pytest.fixture
def run_dir(tmp_path):
    write(tmp_path / "run", epoch(1))
    return tmp_path / "run"


# Mirroring --------------------------------------------------------------------------------------


def test_what_is_pushed_is_pulled_elsewhere_by_another_opener(storage, storage_uri, run_dir):
    write(run_dir, {"figures/roc.png": b"\x89PNG", "empty.txt": b"", "table.csv.gz": b"not gzip"})
    assert storage.push(run_dir, RUN) == sum(map(len, contents(run_dir).values()))
    other_node = run_dir.parent / "elsewhere"
    assert Storage.open(storage_uri).pull(other_node, RUN)
    assert contents(other_node) == contents(run_dir)


def test_nothing_stored_is_no_run(storage, tmp_path):
    assert storage.pull(tmp_path / "run", RUN) is False
    assert not (tmp_path / "run").exists()


def test_a_second_push_sends_only_what_changed(storage, run_dir, tmp_path):
    storage.push(run_dir, RUN)
    assert storage.push(run_dir, RUN) == 0
    write(run_dir, {"status.json": b'{"outcome": "pruned!"}'})  # as long as before
    assert storage.push(run_dir, RUN) == len(b'{"outcome": "pruned!"}')
    storage.pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == contents(run_dir)


def test_what_is_gone_is_removed_on_both_sides(storage, storage_uri, run_dir, tmp_path):
    storage.push(run_dir, RUN)
    reader, copy = Storage.open(storage_uri), tmp_path / "copy"
    reader.pull(copy, RUN)
    (run_dir / "last.ckpt").unlink()
    storage.push(run_dir, RUN)
    reader.pull(copy, RUN)
    assert "last.ckpt" not in contents(copy)
    assert contents(copy) == contents(run_dir)


def test_a_push_without_a_pull_removes_nothing(storage, storage_uri, run_dir, tmp_path):
    storage.push(run_dir, RUN)
    write(tmp_path / "fresh", {"status.json": b'{"outcome": "preempted"}'})
    Storage.open(storage_uri).push(tmp_path / "fresh", RUN)
    storage.pull(tmp_path / "back", RUN)
    assert (tmp_path / "back/last.ckpt").read_bytes() == b"checkpoint 1"


def test_the_driver_reads_without_the_heavy_files_and_may_push_a_status(
    storage, storage_uri, run_dir, tmp_path
):
    storage.push(run_dir, RUN)
    write(tmp_path / "driver", {"last.ckpt": b"old and stale"})
    driver = Storage.open(storage_uri)
    assert driver.pull(tmp_path / "driver", RUN, heavy=False)
    assert contents(tmp_path / "driver") == {
        "recipe.json": b"{}",
        "metrics.jsonl": b'{"epoch": 1}\n',
        "status.json": b'{"outcome": "running"}',
        "last.ckpt": b"old and stale",
    }
    write(tmp_path / "driver", {"status.json": b'{"outcome": "cancelled"}'})
    assert driver.push(tmp_path / "driver", RUN) == len(b'{"outcome": "cancelled"}')
    driver.pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == epoch(1) | {"status.json": b'{"outcome": "cancelled"}'}


def test_a_pull_is_known_to_the_next_push(storage, storage_uri, run_dir, tmp_path):
    storage.push(run_dir, RUN)
    worker = Storage.open(storage_uri)
    worker.pull(tmp_path / "node", RUN)
    assert worker.push(tmp_path / "node", RUN) == 0
    (tmp_path / "node/last.ckpt").unlink()
    worker.push(tmp_path / "node", RUN)
    assert storage.size_bytes(RUN) == sum(map(len, epoch(1).values())) - len(b"checkpoint 1")


def test_files_go_as_they_were_written_then_the_record_and_the_status_last(
    storage, run_dir, monkeypatch
):
    write(run_dir, {"record.json": b"{}", "predictions_val.npz": b"1", "thresholds.json": b"{}"})
    for seconds, name in enumerate(["status.json", *epoch(1), "record.json", "thresholds.json"]):
        os.utime(run_dir / name, (seconds, seconds))
    os.utime(run_dir / "status.json", (0, 0))
    sent = []
    send = whole_files.WholeFiles.send
    monkeypatch.setattr(
        whole_files.WholeFiles,
        "send",
        lambda self, source, target: sent.append(source.name) or send(self, source, target),
    )
    storage.push(run_dir, RUN)
    assert sent == [
        "recipe.json", "metrics.jsonl", "last.ckpt", "best.safetensors", "thresholds.json",
        "predictions_val.npz", "record.json", "status.json",
    ]  # fmt: skip


def test_links_temporary_files_and_locks_stay_at_home(storage, run_dir, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("x")
    (run_dir / "link").symlink_to(tmp_path / "secret")
    (run_dir / "key").symlink_to(tmp_path / "secret/key")
    write(run_dir, {".last.ckpt.17.partial.ckpt": b"half", ".lock": b"", "run.lock": b""})
    storage.push(run_dir, RUN)
    storage.pull(tmp_path / "back", RUN)
    assert contents(tmp_path / "back") == epoch(1)


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc", "a/../../b", "a//b", "a\\b", "."])
def test_a_name_that_leads_outside_is_refused(storage, run_dir, name):
    for act in (storage.push, storage.pull):
        with pytest.raises(HarnessError, match="not a name in a storage"):
            act(run_dir, name)
    with pytest.raises(HarnessError, match="not a name in a storage"):
        storage.remove(RUN, [name])


def test_a_pull_does_not_follow_a_link_out_of_the_folder(storage, run_dir, tmp_path):
    write(run_dir, {"figures/roc.png": b"1"})
    storage.push(run_dir, RUN)
    (tmp_path / "outside").mkdir()
    (tmp_path / "node").mkdir()
    (tmp_path / "node/figures").symlink_to(tmp_path / "outside")
    with pytest.raises(HarnessError, match="leads outside"):
        storage.pull(tmp_path / "node", RUN)
    assert not contents(tmp_path / "outside")


def test_remove_names_and_size(storage, run_dir):
    storage.push(run_dir, RUN)
    storage.push(run_dir, "nih-dannynet/t0008-000000")
    storage.push(run_dir, "other")
    assert storage.names() == ["nih-dannynet", "other"]
    assert storage.names("nih-dannynet") == ["t0007-3fa2c1", "t0008-000000"]
    total = sum(map(len, epoch(1).values()))
    assert storage.size_bytes(RUN) == total
    storage.remove(RUN, ["best.safetensors", "never-was"])
    assert storage.size_bytes(RUN) == total - len(b"weights 1")
    storage.remove("other", list(epoch(1)))
    assert storage.names() == ["nih-dannynet"]


def test_a_missing_folder_is_no_empty_run(storage, run_dir):
    storage.push(run_dir, RUN)
    run_dir.rename(run_dir.with_name("moved"))
    with pytest.raises(HarnessError, match="no such folder"):
        storage.push(run_dir, RUN)
    assert storage.size_bytes(RUN) > 0


def test_probe_leaves_nothing_and_free_space_is_known_for_folders_only(storage):
    storage.probe()
    assert storage.names() == []
    assert storage._stored(storage._root) == {}
    assert (storage.free_bytes() is None) == storage.uri.startswith("s3://")


def test_it_travels_as_its_uri_alone(storage, run_dir, tmp_path):
    storage.push(run_dir, RUN)
    pickled = pickle.dumps(storage)
    assert os.environ.get("AWS_SECRET_ACCESS_KEY", "no secret set").encode() not in pickled
    assert pickle.loads(pickled).pull(tmp_path / "back", RUN)
    assert "endpoint" not in repr(storage)


def test_a_storage_that_is_the_results_folder_itself_copies_nothing(tmp_path):
    write(tmp_path / "results/t0001", epoch(1))
    storage = Storage.open(str(tmp_path / "results"))
    assert storage.push(tmp_path / "results/t0001", "t0001") == 0
    assert storage.pull(tmp_path / "results/t0001", "t0001")
    assert contents(tmp_path / "results/t0001") == epoch(1)


# Kills and outages ------------------------------------------------------------------------------

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


def large_epoch(number: int) -> dict[str, bytes]:
    """An epoch whose checkpoint takes several parts to upload."""
    return epoch(number) | {
        "last.ckpt": bytes([number]) * 22_000_000,
        "status.json": b'{"epoch": %d}' % number,
    }


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


def test_a_pull_that_finds_no_rest_leaves_the_folder_as_it_was(
    storage, run_dir, tmp_path, monkeypatch
):
    storage.push(run_dir, RUN)
    write(tmp_path / "node", {"last.ckpt": b"what was there"})
    fetch = whole_files.WholeFiles.fetch

    def fetch_while_another_writes(self, source, target):
        size = fetch(self, source, target)
        write(run_dir, {"metrics.jsonl": os.urandom(next(sizes))})
        storage.push(run_dir, RUN)
        return size

    sizes = iter(range(100, 1000))
    monkeypatch.setattr(whole_files.WholeFiles, "fetch", fetch_while_another_writes)
    with pytest.raises(HarnessError, match="keeps changing"):
        storage.pull(tmp_path / "node", RUN)
    assert contents(tmp_path / "node") == {"last.ckpt": b"what was there"}


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


def test_a_pull_during_pushes_gives_whole_files_and_data_no_older_than_the_status(
    storage, storage_uri, tmp_path
):

    def state(number):
        return {name: bytes([number]) * 200_000 for name in ("last.ckpt", "status.json")}

    write(tmp_path / "run", state(0))
    storage.push(tmp_path / "run", RUN)

    def push_often():
        writer = Storage.open(storage_uri)
        for number in range(1, 6):
            write(tmp_path / "run", state(number))
            writer.push(tmp_path / "run", RUN)
            time.sleep(0.1)

    pusher = threading.Thread(target=push_often)
    pusher.start()
    while pusher.is_alive():
        storage.pull(tmp_path / "back", RUN)
        found = contents(tmp_path / "back")
        # The data may be ahead, of a push under way that ends with the status; never behind.
        assert found["last.ckpt"][0] >= found["status.json"][0]
        assert all(len(set(data)) == 1 for data in found.values())
    pusher.join()


# Opening ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s4://bucket/x", "did you mean 's3://'"),
        ("S3://bucket/x", "did you mean 's3://'"),
        ("s3:/bucket/x", "give a path or s3://bucket/prefix"),
        ("gs://name:hidden-secret@bucket/x", "no such kind of storage"),
        ("s3://", "s3://bucket/prefix"),
        ("s3://bucket/../x", "s3://bucket/prefix"),
        ("s3://bucket/x?endpoint_overide=hidden-secret", "did you mean 'endpoint_override'"),
        ("s3://bucket/x?endpoint_override=http://me:hidden-secret@host", "http://host:port"),
        ("s3://AKIA:hidden-secret@bucket/x", "AWS_ACCESS_KEY_ID"),
        ("s3://AKIA:hidden/secret@bucket/x", "AWS_ACCESS_KEY_ID"),
        ("", "give a path"),
    ],
)
def test_a_malformed_uri_is_told_in_one_line_that_repeats_no_secret(uri, told):
    with pytest.raises(HarnessError) as caught:
        Storage.open(uri)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_path_below_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(HarnessError, match="Not a directory"):
        Storage.open(str(tmp_path / "file/x"))


def test_a_relative_path_and_a_file_uri_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Storage.open("runs").uri == Storage.open(f"file://{tmp_path}/runs").uri
    assert Storage.open("runs").uri == f"{tmp_path}/runs"


def test_the_endpoint_may_come_from_the_environment(s3_server, s3_credentials, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
    Storage.open(f"s3://{s3_server.new_bucket()}").probe()


def test_an_unknown_bucket(s3_server, s3_credentials):
    with pytest.raises(HarnessError, match=r"s3://nobody/x at \S+: no such bucket$"):
        Storage.open(f"s3://nobody/x?endpoint_override={s3_server.endpoint}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("kind", ["refusing", "silent", "unknown"])
def test_an_endpoint_out_of_reach_fails_soon_and_in_one_line(s3_credentials, kind):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = {
            "refusing": f"127.0.0.1:{free_port()}",
            "silent": f"127.0.0.1:{silent.getsockname()[1]}",
            "unknown": "no-such-host.invalid:9000",
        }[kind]
        started = time.monotonic()
        with pytest.raises(HarnessError, match="not reachable") as caught:
            Storage.open(f"s3://bucket/x?endpoint_override=http://{host}")
    assert time.monotonic() - started < 15
    assert "\n" not in str(caught.value)
    assert host in str(caught.value)


@pytest.fixture
def guard(s3_server, s3_credentials, monkeypatch):
    """From now on the server checks who asks; the key and secret of a user who may do all in S3."""
    from moto import settings
    from moto.iam.models import iam_backends

    iam = iam_backends["123456789012"]["aws"]
    iam.create_user("us-east-1", "lab")
    key = iam.create_access_key("lab")
    may = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_user_policy("lab", "all", json.dumps({"Version": "2012-10-17", "Statement": [may]}))
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    yield key.access_key_id, key.secret_access_key
    iam.reset()


def test_credentials_are_needed_and_never_told(s3_uri, guard, monkeypatch):
    key_id, secret = guard
    for wrong_id, wrong_secret in (("AKIAWRONG", "wrong-secret"), (key_id, "wrong-secret")):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", wrong_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong_secret)
        with pytest.raises(HarnessError, match="credentials are not accepted") as caught:
            Storage.open(s3_uri)
        assert wrong_id not in str(caught.value)
        assert wrong_secret not in str(caught.value)
        assert "\n" not in str(caught.value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    Storage.open(s3_uri).probe()


@pytest.mark.parametrize(
    ("action", "told"),
    [("PutObject", "writing"), ("GetObject", "reading"), ("DeleteObject", "removing")],
)
def test_the_probe_tells_which_step_is_not_permitted(s3_uri, guard, monkeypatch, action, told):
    from moto.iam.models import iam_backends

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", guard[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guard[1])
    storage = Storage.open(s3_uri)
    may_not = {"Effect": "Deny", "Action": f"s3:{action}", "Resource": "*"}
    iam_backends["123456789012"]["aws"].put_user_policy(
        "lab", "less", json.dumps({"Version": "2012-10-17", "Statement": [may_not]})
    )
    with pytest.raises(HarnessError, match=rf"{told} \.probe-\w+: no perm"):
        storage.probe()


# Cost -------------------------------------------------------------------------------------------


def test_a_push_per_epoch_costs_little(storage, tmp_path, record_property):
    num_epochs, spent_s = 20, 0.0
    for number in range(1, num_epochs + 1):
        write(tmp_path / "run", epoch(number) | {"recipe.json": b"%d" % number})
        started = time.perf_counter()
        storage.push(tmp_path / "run", RUN)
        spent_s += time.perf_counter() - started
    record_property("push_ms", 1000 * spent_s / num_epochs)
    assert spent_s / num_epochs < 0.5
