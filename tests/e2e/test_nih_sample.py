"""The commands of a lab on 499 real X-rays: prepare, search DannyNet, benchmark, browse."""

import json

import pytest

from harness.core.run_dir import RunDirectory

SMALL = [
    "data.input_px=32", "data.resize_px=36", "model.weights=none", "train.epochs=2",
    "train.batch_size=32", "optim.lr=1e-3",
]  # fmt: skip


@pytest.mark.timeout(600)
def test_from_the_release_to_the_table(harness, alone, nih_sample, tmp_path):
    store, results = tmp_path / "store", tmp_path / "results"
    prepare = ("data", "prepare", "nih", "--root", nih_sample, "--out", store, "--size", 64)
    assert harness(*prepare)[0] == 0
    code, out, _ = harness("data", "show", store)
    assert code == 0
    assert "Effusion" in out

    settings = [word for value in SMALL for word in ("--set", value)]
    search = ("search", "dannynet", "--data", store, "--trials", 3, "--results", results)
    code, out, err = harness(*search, *settings, "--scheduler", "none")
    assert code == 0, err
    assert "t0000-" in out
    trials = [RunDirectory(path) for path in sorted(results.glob("searches/dannynet/t*"))]
    assert len(trials) == 3
    assert trials[0].record.val.num_images + 99 < 499
    assert trials[0].provenance.store_source == "nih"

    benchmark = ("benchmark", "--search", "dannynet", "--seeds", 1, "--results", results)
    code, _, err = harness(*benchmark, "--name", "sample", "--reproduce", "dannynet")
    assert code == 0, err
    table = json.loads((results / "sample" / "results.json").read_text())
    assert table["caption"]["num_images"] == 99
    assert not table["caption"]["is_synthetic"]
    assert {row["network"] for row in table["rows"]} == {"densenet121, from scratch"}
    assert not [row["label"] for row in table["rows"] if "published" in row["label"]], (
        "--set has changed the published recipe"
    )
    markdown = (results / "sample" / "table.md").read_text()
    assert "SYNTHETIC" not in markdown
    assert "| Effusion |" in markdown
    (theirs,) = [row for row in table["published"] if row["key"] == "dannynet"]
    assert theirs["flags"] == ["split differs", "thresholds tuned on test"]
    assert theirs["label"] in markdown
    looks = (results / "test_looks.jsonl").read_text().splitlines()
    assert len(looks) == table["caption"]["num_looks"] == len(table["rows"])

    code, out, _ = harness("winners", "--results", results)
    assert code == 0
    assert "dannynet" in out
