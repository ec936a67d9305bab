"""A stranger adds one of each kind where CONTRIBUTING says, touches nothing else, and uses it.

Into a copy of the package go a line and, mostly, a function for each (`additions.py`); commands of
that copy then use them (`walk.py`, one process, as torch takes seconds to import).
"""

import ast
import filecmp
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.contracts.additions import (
    CHECK,
    DATA_SET,
    ENTRIES,
    LOSS,
    MODEL,
    OPTIMIZER,
    RULE,
    SCHEDULE,
    SPACE,
    SPACE_FILE,
    SPLIT,
    Entry,
    add,
    copy_package,
)

TINY = ("--set", "data.resize_px=32", "--set", "data.input_px=32", "--set", "train.epochs=1")
TRAINED = {
    LOSS.row: "loss.name=brier",
    OPTIMIZER.row: "optim.name=adagrad",
    SCHEDULE.row: "schedule.name=half",
    RULE.row: "evaluation.threshold_rule=precise",
    MODEL.row: "model.name=vit_nano",
    SPLIT.row: "data.split=thirds",
}
"""What `--set` gives a run to use an addition."""

CONTRACTS = (
    "tests/contracts/test_registries.py", "tests/contracts/test_spaces.py",
    "tests/contracts/test_models.py", "tests/contracts/test_cam_layers.py",
    "tests/training/test_losses.py", "tests/search/test_samplers.py",
)  # fmt: skip
OURS = "strange or brier or vit_nano or lowest or registered or (warnings and not crop)"
"""Of the contract tests, those of the additions."""


def ward_of(folder: Path) -> Path:
    """A folder as `harness/data/ward.py` reads it."""
    folder.mkdir()
    lines = ["film,bed,mass"]
    for number in range(4):
        Image.fromarray(np.full((16, 16), 60 * number, np.uint8)).save(folder / f"{number}.bmp")
        lines.append(f"{number}.bmp,bed {number},{'yes' if number % 2 else 'no'}")
    (folder / "films.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The package with all of `ENTRIES` and the space added."""
    to = copy_package(tmp_path_factory.mktemp("walk") / "copy")
    for entry in ENTRIES:
        add(entry, to)
    (to / SPACE_FILE).write_text(SPACE, encoding="utf-8")
    return to


def steps_of(copy: Path, store: Path) -> dict[str, tuple[object, ...]]:
    """The words of a command for each addition, and of others that use several."""
    out = copy.parent
    train = ("train", "dannynet-mini", "--data", store, *TINY)
    prepare = ("data", "prepare", "ward", "--root", ward_of(out / "ward"), "--size", 16)
    strange = ("train", "strange", "--data", store, "--set", "train.epochs=1")
    return {
        **{row: (*train, "--out", out / row, "--set", text) for row, text in TRAINED.items()},
        DATA_SET.row: (*prepare, "--out", out / "store"),
        CHECK.row: ("data", "check", store, "--out", out / "checked"),
        "the spaces": ("spaces",),
        "the space": ("spaces", "strange"),
        "the schema": ("spaces", "--schema", out / "schema.json"),
        "a run of the space": (*strange, "--out", out / "a run of the space"),
        "a typo": (*train, "--out", out / "none", "--set", "loss.name=brierr"),
        "contracts": ("pytest", *(copy / test for test in CONTRACTS), "-k", OURS),
        "a search": ("search", "strange", "--data", store, "--trials", 2, "--dry-run",
                     "--results", out / "results"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def told(copy, toy_store) -> dict[str, tuple[int, str]]:
    """Exit code and words of each command, by what it uses."""
    steps = steps_of(copy, toy_store.path)
    done = subprocess.run(
        [sys.executable, copy / "tests/contracts/walk.py"],
        input=json.dumps([(name, [*map(str, words)]) for name, words in steps.items()]),
        env=os.environ | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"},
        cwd=copy.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"name"')]
    return {line["name"]: (line["code"], line["said"]) for line in lines}


@dataclass(frozen=True)
class Run:
    """What lies in a run directory, whose recipe only the copy can read."""

    record: dict[str, Any]
    first_epoch: dict[str, float]
    thresholds: dict[str, float | None]


@pytest.fixture
def run_of(copy, told) -> Callable[[str], Run]:
    """The run that a command trained."""

    def read(name: str) -> Run:
        code, said = told[name]
        assert code == 0, said
        folder = copy.parent / name
        epoch = (folder / "metrics.jsonl").read_text().splitlines()[0]
        return Run(
            record=json.loads((folder / "record.json").read_text()),
            first_epoch=json.loads(epoch)["metrics"],
            thresholds=json.loads((folder / "thresholds.json").read_text())["thresholds"],
        )

    return read


# What was touched -------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.row)
def test_an_addition_is_a_line_and_one_thing_that_it_names(entry: Entry) -> None:
    assert "\n" not in entry.line
    assert len(f"    {entry.line}") <= 100
    assert bool(entry.code) != bool(entry.new_file)
    if entry.code:
        (thing,) = ast.parse(entry.code).body
        assert isinstance(thing, ast.FunctionDef)


def test_nothing_else_was_touched(copy) -> None:
    touched = {entry.file for entry in ENTRIES} | {DATA_SET.new_file, SPACE_FILE}
    for folder in ("harness", "search_spaces"):
        files = {path.relative_to(copy).as_posix() for path in (copy / folder).rglob("*.*")}
        files = {file for file in files if "__pycache__" not in file}
        added = {file for file in files if not (ROOT / file).exists()}
        assert added <= {DATA_SET.new_file, SPACE_FILE}
        same = files - added
        changed = {file for file in same if not filecmp.cmp(copy / file, ROOT / file, False)}
        assert changed == {file for file in touched - added if file.startswith(folder)}


def rows() -> dict[str, str]:
    """CONTRIBUTING's table: what to touch, by what is added."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = page.partition("| to add | touch |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = (line.strip("| ").partition(" | ") for line in lines)
    return {row: touch for row, _, touch in cells}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.row)
def test_the_row_names_the_place(entry: Entry) -> None:
    touch = rows()[entry.row]
    assert f"`{entry.registry}`" in touch
    folder = entry.file.rpartition("/")[0] + "/"
    assert f"`{entry.file}`" in touch or f"`{folder}`" in touch


@pytest.mark.parametrize("row", rows())
def test_every_place_that_a_row_names_is_there(row: str) -> None:
    places = [ROOT / place for place in re.findall(r"`(\w+/[\w/.]*)`", rows()[row])]
    files = [
        file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])
    ]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for registry in re.findall(r"`([A-Z_]+)`", rows()[row]):
        assert re.search(rf"^{registry}\b.* = ", text, re.MULTILINE), registry


# That it works ----------------------------------------------------------------------------------


def test_a_run_is_trained_with_the_loss(run_of) -> None:
    run = run_of(LOSS.row)
    assert run.record["recipe"]["loss"]["name"] == "brier"
    assert 0 < run.first_epoch["train/loss"] < 0.5, "a mean of squared errors"


def test_the_optimizer_took_steps(run_of) -> None:
    assert run_of(OPTIMIZER.row).first_epoch != run_of(RULE.row).first_epoch


def test_the_schedule_lowers_the_rate(run_of) -> None:
    assert run_of(SCHEDULE.row).first_epoch["lr"] == run_of(RULE.row).first_epoch["lr"] / 2


def test_the_rule_chooses_thresholds(run_of) -> None:
    run = run_of(RULE.row)
    assert run.record["val"]["threshold_rule"] == "precise"
    assert run.thresholds != run_of(SCHEDULE.row).thresholds


def test_the_network_is_trained(run_of) -> None:
    assert 0 < run_of(MODEL.row).record["provenance"]["num_parameters"] < 500_000


def test_the_split_is_trained_on(run_of) -> None:
    assert run_of(SPLIT.row).record["provenance"]["split"] == "thirds"


def test_a_store_is_prepared_of_the_data_set(copy, told) -> None:
    code, said = told[DATA_SET.row]
    assert code == 0, said
    assert json.loads((copy.parent / "store/manifest.json").read_text())["source"] == "ward"


def test_the_check_is_made(told) -> None:
    code, said = told[CHECK.row]
    assert code in (0, 2), said
    assert "as large as it is" in said


def test_the_space_is_listed_drawn_from_and_trained(told, run_of) -> None:
    assert re.search(r"^strange +all that a stranger has added", told["the spaces"][1], re.M)
    code, said = told["the space"]
    assert code == 0
    assert "loss.name" in said
    assert "warning" not in said
    assert run_of("a run of the space").record["recipe"]["optim"]["lr"] == 5e-3


def test_editors_are_told_the_new_names(copy, told) -> None:
    assert told["the schema"][0] == 0
    parts = json.loads((copy.parent / "schema.json").read_text())["$defs"]
    assert parts["LossRecipe"]["properties"]["name"]["enum"][0] == "brier"
    assert "lowest" in parts["SearchSettings"]["properties"]["sampler"]["enum"]


def test_a_typo_in_the_new_name_is_met_with_it(told) -> None:
    code, said = told["a typo"]
    assert code == 2
    assert "loss.name: should be 'brier', 'bce' or 'focal', not 'brierr'" in said
    assert "(did you mean 'brier'?)" in said


def test_a_search_of_the_space_with_the_sampler_is_estimated(told) -> None:
    code, said = told["a search"]
    assert code == 0, said
    assert "2 trials" in said


def test_the_contract_tests_take_it(told) -> None:
    code, said = told["contracts"]
    assert code == 0, said
    assert int(re.search(r"(\d+) passed", said)[1]) >= 20, said
