"""The commands of a lab on 499 real X-rays: prepare, search DannyNet, benchmark, browse."""

import json

import pytest

from harness.cli import main
from harness.core.run_dir import RunDirectory

SMALL = [
    "data.input_px=32", "data.resize_px=36", "model.weights=none", "train.epochs=5",
    "train.batch_size=32", "optim.lr=1e-3",
]  # fmt: skip


def harness(monkeypatch, *words) -> int:
    """The exit code of a command, run in this process."""
    monkeypatch.setattr("sys.argv", ["harness", *map(str, words)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.timeout(600)
def test_from_the_release_to_the_table(nih_sample, tmp_path, monkeypatch, capsys):
    store, results = tmp_path / "store", tmp_path / "results"
    prepare = ("data", "prepare", "nih", "--root", nih_sample, "--out", store, "--size", 64)
    assert harness(monkeypatch, *prepare) == 0
    assert harness(monkeypatch, "data", "show", store) == 0
    assert "Effusion" in capsys.readouterr().out

    cores = ("--cpus-per-trial", 2)
    settings = [word for value in SMALL for word in ("--set", value)]
    search = ("search", "dannynet", "--data", store, "--trials", 3, "--results", results)
    search += (*cores, *settings)
    assert harness(monkeypatch, *search) == 0
    assert "t0000-" in capsys.readouterr().out
    trials = [RunDirectory(path) for path in sorted(results.glob("searches/dannynet/t*"))]
    assert len(trials) == 3
    assert trials[0].record.val.num_images + 99 < 499
    assert trials[0].provenance.store_source == "nih"

    benchmark = ("benchmark", "--search", "dannynet", "--seeds", 1, "--results", results)
    assert harness(monkeypatch, *benchmark, *cores, "--name", "sample") == 0
    table = json.loads((results / "sample" / "table.json").read_text())
    assert table["caption"]["num_images"] == 99
    assert not table["caption"]["is_synthetic"]
    assert {row["network"] for row in table["rows"]} == {"densenet121.tv_in1k"}
    markdown = (results / "sample" / "table.md").read_text()
    assert "SYNTHETIC" not in markdown
    assert "| Effusion |" in markdown

    capsys.readouterr()
    assert harness(monkeypatch, "winners", "--results", results) == 0
    assert "dannynet" in capsys.readouterr().out
