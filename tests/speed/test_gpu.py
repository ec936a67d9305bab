"""The script that a GPU is given, tried on the CPU with next to nothing."""

import json
import subprocess
import sys

import pytest
import torch

from harness.speed import gpu_parts
from harness.speed.gpu import PARTS, main, told
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
def tried(tmp_path_factory, without_a_compiler):
    """All parts, tiny."""
    folder = tmp_path_factory.mktemp("speed")
    assert main(["--device", "cpu", "--tiny", "--out", str(folder)]) == 0
    return json.loads((folder / "gpu.json").read_text()), (folder / "gpu.md").read_text()


def test_each_part_has_its_rows(tried):
    figures, page = tried
    rows = {row["what"]: row for row in figures["rows"]}  # of two alike, the last
    for model in gpu_parts.TINY.models:
        for batch_size in (16, 4, 8):
            assert rows[f"{model}, batch {batch_size}, speedups none"]["ours"] > 0
        assert rows[f"{model}, batch 4, speedups none"]["goal"] == 0.70
        assert rows[f"{model}, batch 4, speedups none"]["peer_name"] == "batch 16, speedups none"
    assert "DataLoader" in rows["densenet_mini, batch 16, speedups none"]["peer_name"]
    assert "new process" in rows["8 trials in one process"]["peer_name"]
    assert rows["8 trials in 4 processes at once"]["goal"] == 2
    assert "No GPU: a try of the script" in page


def test_two_trials_compile_once(tried):
    (row,) = [row for row in tried[0]["rows"] if "compilations" in row["what"]]
    assert (row["ours"], row["note"], row["holds"]) == (1, "", True)


def test_the_fastest_means_are_told_beside_the_rows():
    speed = told([], {("a", 8, "none"): 100.0, ("a", 8, "graphs"): 450.0}, "A GPU", remark="Twice.")
    assert "- a, batch 8: --speedups graphs (4.50 x none)" in speed.notes
    assert "A GPU. Images" in speed.notes
    assert "\nTwice.\n" in speed.notes


def test_parts_are_known_by_the_words_of_the_command():
    assert list(PARTS) == ["steps", "loop", "trials", "compiled", "compilations"]


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
