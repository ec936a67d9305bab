"""Which speed-ups a machine means."""

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.training.runtime import resolve_speedups

STORE = Path("/store")


@pytest.mark.parametrize(("asked", "meant"), [("auto", "none"), ("compile", "compile")])
def test_what_is_asked_for_is_taken_and_auto_takes_nothing(asked, meant):
    assert resolve_speedups(Machine(store=STORE, device="cpu", speedups=asked)) == meant


@pytest.mark.parametrize("asked", ["graphs", "both"])
def test_graphs_need_a_gpu(asked):
    with pytest.raises(HarnessError, match="need a GPU"):
        resolve_speedups(Machine(store=STORE, device="cpu", speedups=asked))
