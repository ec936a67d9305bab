"""The script that a GPU is given, tried on the CPU with next to nothing."""

import json
import subprocess
import sys

import pytest
import torch

from harness.speed import gpu, gpu_parts
from harness.speed.gpu import PARTS, Bench, Row, advice, main
from harness.training import compiled
from harness.training.compiled import forget_compiled


@pytest.fixture(autouse=True, scope="module")
def without_a_compiler():
    """All but the writing of machine code, which takes minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "BACKEND", "eager")
        yield
    forget_compiled()
    torch._dynamo.reset()


@pytest.fixture(scope="module")
def told(tmp_path_factory, without_a_compiler):
    """All parts, tiny."""
    folder = tmp_path_factory.mktemp("speed")
    assert main(["--device", "cpu", "--tiny", "--out", str(folder)]) == 0
    return json.loads((folder / "gpu.json").read_text()), (folder / "gpu.md").read_text()


def test_each_part_has_its_rows(told):
    figures, page = told
    rows = {row["what"]: row for row in figures["rows"]}
    for model in gpu_parts.TINY.models:
        for batch_size in (16, 4, 8):
            assert rows[f"{model}, batch {batch_size}, speedups none"]["figure"] > 0
        assert rows[f"{model}: batch 4 per batch 16"]["goal"] == 0.70
    for words in ("DataLoader over PNG files", "ours per the usual loop", "8 trials in one process",
                  "8 trials in 4 processes at once: times as fast as cold"):  # fmt: skip
        assert any(words in what for what in rows), words
    assert "| what | figure | goal | reached |" in page
    assert "No GPU: a try of the script" in page


def test_two_trials_compile_once(told):
    (row,) = [row for row in told[0]["rows"] if "compilations" in row["what"]]
    assert (row["figure"], row["note"]) == (1, "")


def test_a_row_that_fails_says_why_and_the_next_is_measured():
    bench = Bench(gpu_parts.TINY, lambda what: None)

    def fail() -> float:
        raise RuntimeError("no compiler\nand much more")

    assert bench.measure("first", fail, unit="s", goal=2) is None
    assert bench.measure("second", lambda: 3.0, unit="s", goal=2) == 3.0
    assert [row.cells for row in bench.rows] == [
        ["first (RuntimeError: no compiler)", "-", ">= 2", ""],
        ["second", "3.00 s", ">= 2", "yes"],
    ]


def test_no_row_is_begun_when_time_is_up(monkeypatch):
    monkeypatch.setattr(gpu, "LIMIT_S", -1)
    bench = Bench(gpu_parts.TINY, lambda what: None)
    for part in PARTS.values():
        part(bench)
    assert {row.note for row in bench.rows} == {"no time was left"}


def test_compilations_are_few():
    """DenseNet-121 takes about 100 s each, and all has to end in 9 minutes."""
    bench = Bench(gpu_parts.FULL, lambda what: None)
    sizes = [len(bench._batch_sizes(model, "compile")) for model in gpu_parts.FULL.models]
    assert sizes == [2, 1, 0]


def test_advice_names_the_fastest_means():
    rates = {("a", 8, "none"): 100.0, ("a", 8, "graphs"): 450.0, ("a", 256, "none"): 1.0}
    assert advice(rates) == ["a, batch 8: --speedups graphs (4.50 x none)"]


def test_a_goal_that_is_missed_says_so():
    assert Row(what="x", figure=6499, unit="images/s", goal=6500).cells == [
        "x", "6,499 images/s", ">= 6,500", "no",
    ]  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
def test_without_a_gpu_it_says_so_in_one_line(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "harness speed gpu: torch sees no GPU here; there is nothing to measure"
    ]


def test_it_needs_nothing_but_the_torch_world():
    missing = ("ray", "mlflow", "optuna", "typer", "rich", "pyarrow", "matplotlib", "isal", "numba")
    blocked = f"import sys; sys.modules.update(dict.fromkeys({missing!r}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}; import harness.speed.gpu"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
