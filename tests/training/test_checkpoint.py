"""Checkpoints: what comes back, and what is refused."""

import os
import pickle

import pytest
import torch
from torch import nn

from harness.core.errors import DiskFullError, HarnessError
from harness.training.checkpoint import (
    load_checkpoint,
    load_weights,
    num_bytes,
    save_checkpoint,
    save_weights,
)

CPU = torch.device("cpu")


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    layer = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), fused=True)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {"weights": layer.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    save_checkpoint(tmp_path / "last.ckpt", state)
    loaded = load_checkpoint(tmp_path / "last.ckpt", CPU)
    assert loaded["epoch"] == 3
    torch.testing.assert_close(loaded, state, rtol=0, atol=0)


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "last.ckpt", CPU) is None


def test_a_cut_off_checkpoint_is_one_line(tmp_path):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"x": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(HarnessError, match="not a checkpoint") as error:
        load_checkpoint(path, CPU)
    assert "\n" not in str(error.value)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for save in (
        lambda p: torch.save({"x": Evil()}, p),
        lambda p: p.write_bytes(pickle.dumps(Evil())),
    ):
        save(tmp_path / "last.ckpt")
        with pytest.raises(HarnessError):
            load_checkpoint(tmp_path / "last.ckpt", CPU)
    assert not (tmp_path / "pwned").exists()


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"epoch": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"epoch": 2, "bad": lambda: None})
    assert load_checkpoint(path, CPU) == {"epoch": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["last.ckpt"]


def test_weights_load_strictly(tmp_path):
    layer, other = nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(tmp_path / "best.safetensors", layer.state_dict())
    load_weights(tmp_path / "best.safetensors", other)
    assert torch.equal(layer.weight, other.weight)
    with pytest.raises(HarnessError, match="do not load"):
        load_weights(tmp_path / "best.safetensors", nn.Linear(4, 2))
    with pytest.raises(HarnessError, match="do not load"):
        load_weights(tmp_path / "absent.safetensors", layer)


# Space --------------------------------------------------------------------------------------


@pytest.fixture
def saves(tmp_path):
    """The two ways to save a megabyte, by the name of the file."""
    linear = torch.nn.Linear(500, 500)
    return {
        "last.ckpt": lambda path: save_checkpoint(path, {"linear": linear.state_dict()}),
        "best.safetensors": lambda path: save_weights(path, linear.state_dict()),
    }


def test_the_bytes_of_a_state_are_those_of_its_tensors():
    eight = torch.zeros(2, dtype=torch.float32)
    assert num_bytes({"a": [eight, (eight, 3)], "b": {"c": eight.double()}, "d": "x"}) == 32


@pytest.mark.parametrize("name", ["last.ckpt", "best.safetensors"])
def test_nothing_is_written_where_it_would_not_fit(name, saves, make_disk):
    path = make_disk(8) / name
    with pytest.raises(DiskFullError, match=r"1\.0 MB are to be written and 8\.0 MB to stay free"):
        saves[name](path)
    assert list(path.parent.iterdir()) == []
    saves[name](make_disk(10) / name)


@pytest.mark.parametrize("name", ["last.ckpt", "best.safetensors"])
def test_a_disk_that_fills_up_meanwhile_leaves_the_old_file(name, saves, make_disk, monkeypatch):
    """Another process takes what was free when it was looked at."""
    path = make_disk(2) / name
    monkeypatch.setattr("harness.training.checkpoint.check_space", lambda path, num_bytes: None)
    saves[name](path)
    before = path.read_bytes()
    other = path.with_name("other")
    other.write_bytes(bytes(500_000))
    with pytest.raises(DiskFullError, match=f"{name}: could not be written"):
        saves[name](path)
    assert path.read_bytes() == before
    assert set(path.parent.iterdir()) == {path, other}
