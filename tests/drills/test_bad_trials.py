"""A NaN trial, one out of memory, a corrupt store, a full disk: each is named, the others go on."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from harness.core.space import find_space
from tests.drills.searches import SMALL, Search, check_mlflow, kill, wait_until


def write_space(path: Path, name: str, **parameters) -> Path:
    """The small DenseNet's space with other parameters."""
    tree = yaml.safe_load(find_space("dannynet-mini").read_text())
    tree |= {"name": name, "space": parameters, "search": {"scheduler": "none"}}
    tree["base"]["train"]["epochs"] = 2
    tree["base"]["data"] = {"input_px": 32}
    path.write_text(yaml.safe_dump(tree))
    return path


def ends(search: Search) -> list[str]:
    return sorted(search.states().values())


def test_a_nan_trial_and_one_out_of_memory_are_named(toy_store, tmp_path):
    space = write_space(
        tmp_path / "bad.yaml",
        "bad",
        **{
            "optim.lr": {"kind": "choice", "choices": [1e-3, 1e30], "default": 1e-3},
            # Validation images of 160 GB each.
            "data.resize_px": {"kind": "choice", "choices": [32, 200_000], "default": 32},
        },
    )
    search = Search(
        tmp_path / "results", space, "--name", "bad", "--data", toy_store.path, "--trials", 4,
        "--cpus-per-trial", 2,
    )  # fmt: skip
    search.finish()
    assert ends(search) == [
        "completed", "failed: diverged", "failed: diverged", "failed: host_memory",
    ], search.log.read_text()  # fmt: skip
    check_mlflow(search)


def test_a_store_that_breaks_on_the_way(toy_store, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(toy_store.path, store)
    search = Search(
        tmp_path / "results", "dannynet-mini", "--data", store, "--trials", 3, *SMALL,
        "--set", "train.epochs=5", "--scheduler", "none", "--cpus-per-trial", 2,
    )  # fmt: skip
    process = search.start()
    try:
        wait_until(lambda: "completed" in search.states().values(), process, 180)
        (store / "table.parquet").write_bytes(b"rubbish")
        assert process.wait(300) == 0, search.log.read_text()
    finally:
        kill(process)
    states = list(search.states().values())
    assert states[0] == "completed"
    assert states[-1] == "failed: data"
    assert search.runs()[0].record is not None
    check_mlflow(search)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1.3 GB: a search asks for one before it begins."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1300m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_fills_up(toy_store, small_disk, tmp_path):
    """Somebody else fills the disk while the second trial runs, and gives it back."""
    search = Search(
        small_disk / "results", "dannynet-mini", "--data", toy_store.path, "--trials", 3, *SMALL,
        "--set", "train.epochs=20", "--set", "train.early_stop_epochs=20", "--scheduler", "none",
        "--cpus-per-trial", 2, environment={"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/m.db"},
    )  # fmt: skip
    search.log = tmp_path / "log"
    process = search.start()
    try:
        wait_until(lambda: "completed" in search.states().values(), process, 180)
        wait_until(lambda: any(len(run.epochs) for run in search.runs()[1:]), process, 180)
        with (small_disk / "others").open("wb", buffering=0) as others, suppress(OSError):
            while others.write(bytes(65536)):
                pass
        wait_until(lambda: "failed: disk" in search.states().values(), process, 180)
        (small_disk / "others").unlink()
        assert process.wait(300) == 0, search.log.read_text()
    finally:
        kill(process)
    assert search.finish() == 0, search.log.read_text()  # as the message says
    states = list(search.states().values())
    assert states[:2] == ["completed", "failed: disk"], search.log.read_text()
    # The third may have met the full disk, too, and then its end may not have been written.
    assert states[2:] in (["completed"], ["failed: disk"]), search.log.read_text()
    assert search.runs()[0].record is not None
    check_mlflow(search, f"sqlite:///{tmp_path}/m.db")
