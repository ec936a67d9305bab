"""Which speed-ups a machine means."""

from pathlib import Path

import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.training.runtime import resolve_speedups

STORE = Path("/store")


@pytest.fixture(params=[False, True], ids=["cpu", "gpu"])
def has_gpu(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param)
    return request.param


def test_auto_is_graphs_on_a_gpu_and_nothing_else(has_gpu):
    assert resolve_speedups(Machine(store=STORE)) == ("graphs" if has_gpu else "none")
    assert resolve_speedups(Machine(store=STORE, device="cpu")) == "none"


@pytest.mark.parametrize("asked", ["auto", "none", "compile", "graphs", "both"])
def test_where_memory_is_short_none_is_used(asked, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    machine = Machine(store=STORE, speedups=asked)
    assert resolve_speedups(machine, memory_level=1) == "none"
    assert resolve_speedups(machine) == ("graphs" if asked == "auto" else asked)


@pytest.mark.parametrize("asked", ["graphs", "both"])
def test_graphs_need_a_gpu(asked):
    with pytest.raises(HarnessError, match="need a GPU"):
        resolve_speedups(Machine(store=STORE, device="cpu", speedups=asked))
