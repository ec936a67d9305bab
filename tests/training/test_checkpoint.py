"""Checkpoints: what comes back, and what is refused."""

import os
import pickle

import pytest
import torch
from torch import nn

from harness.core.errors import HarnessError
from harness.training.checkpoint import (
    load_checkpoint,
    load_weights,
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
    save_weights(tmp_path / "best.safetensors", layer)
    load_weights(tmp_path / "best.safetensors", other)
    assert torch.equal(layer.weight, other.weight)
    with pytest.raises(HarnessError, match="do not load"):
        load_weights(tmp_path / "best.safetensors", nn.Linear(4, 2))
    with pytest.raises(HarnessError, match="do not load"):
        load_weights(tmp_path / "absent.safetensors", layer)
