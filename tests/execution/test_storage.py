"""Storage: the same promises over a folder and over a real S3 server."""

import os
import pickle
import threading
import time

import pytest

from harness.core.errors import HarnessError
from harness.execution import whole_files
from harness.execution.storage import Storage
from tests.execution.stored_runs import RUN, contents, epoch, write


def stored_bytes(storage: Storage) -> int:
    """Of the run, as the storage itself lists it."""
    return sum(stamp.size for stamp in storage._stored(storage._path(RUN)).values())


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
    assert stored_bytes(storage) == sum(map(len, epoch(1).values())) - len(b"checkpoint 1")


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
    assert stored_bytes(storage) == total
    storage.remove(RUN, ["best.safetensors", "never-was"])
    assert stored_bytes(storage) == total - len(b"weights 1")
    storage.remove("other", list(epoch(1)))
    assert storage.names() == ["nih-dannynet"]


def test_a_missing_folder_is_no_empty_run(storage, run_dir):
    storage.push(run_dir, RUN)
    run_dir.rename(run_dir.with_name("moved"))
    with pytest.raises(HarnessError, match="no such folder"):
        storage.push(run_dir, RUN)
    assert stored_bytes(storage) > 0


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
