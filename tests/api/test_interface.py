"""What `import harness` gives: all of it, typed, documented, at once, as the commands have it."""

import inspect
import subprocess
import sys
from importlib.resources import files
from types import FunctionType

import pytest
import typer.main
from mypy import api as mypy

import harness
from harness import api
from harness.cli import app

COMMANDS = (
    "search", "status", "stop", "cancel", "retry", "train", "winners", "benchmark", "evaluate",
    "report", "explain", "promote", "export", "predict", "doctor", "gc",
    "data phantom", "data check", "data prepare chestmnist", "data prepare folder",
)  # fmt: skip
NAMES = {
    "data phantom": "make_phantom",
    "data check": "check_store",
    "data prepare chestmnist": "prepare_chestmnist",
    "data prepare folder": "prepare",
}
"""The functions that have not the name of their command."""
OTHERWISE = {
    "search": {"dry_run"},  # `estimate`
    "train": {"profile", "results"},
    "predict": {"csv"},  # `to_csv` of the frame
    "data prepare folder": {"source", "workers"},
}
"""What a command has and its function has not, or the other way round."""

SCRIPT = """
from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import pandas as pd
from matplotlib.figure import Figure

import harness

store = harness.make_phantom("phantom", images=400, size=64)
board = harness.search("dannynet-mini", data=store, trials=2, set={"train.epochs": 2})
assert_type(board, harness.Board)
assert_type(board.frame(), pd.DataFrame)
assert_type(board.best, harness.Run | None)
results = harness.benchmark(board, seeds=1, data=Path("phantom"))
assert_type(results.figure("forest"), Figure | None)
assert_type(results.page, Path)
run = harness.open_run("dannynet/t0007")
assert_type(run.predictions(), pd.DataFrame)
assert_type(harness.predict(["chest.png"], model=harness.open_model()), pd.DataFrame)
assert_type(harness.promote(run).model.uri, str)
assert_type(harness.status(board), harness.Standing)
assert_type(harness.status("dannynet").frame(), pd.DataFrame)
assert_type(harness.retry("dannynet", "t0007"), list[str])
assert_type(harness.doctor(data=store), pd.DataFrame)
assert_type(harness.gc(dry_run=True), pd.DataFrame)
assert_type(harness.check_store(store).page, Path)
assert_type(harness.prepare_chestmnist("chestmnist", size=64), harness.ImageStore)
harness.search("dannynet", trials=2)
harness.benchmark("nih", seed=3)
"""

CONFIG = """
[mypy]
plugins = pydantic.mypy
strict = True
follow_imports = silent
[mypy-torch.*,timm.*,ray.*,mlflow.*,optuna.*,sklearn.*,scipy.*,pyarrow.*,numba.*,rich.*,PIL.*]
ignore_missing_imports = True
follow_imports = skip
"""
"""What is not in the interface is passed over: torch alone takes longer than all of the rest."""


def test_a_script_is_type_checked(tmp_path):
    """Its last two lines are wrong, and no other."""
    script, config = tmp_path / "script.py", tmp_path / "mypy.ini"
    script.write_text(SCRIPT)
    config.write_text(CONFIG)
    words = ["--config-file", str(config), "--cache-dir", str(tmp_path / "cache")]
    said, _, _ = mypy.run([*words, str(script)])
    mistakes = [line.partition("script.py:")[2] for line in said.splitlines() if ": error:" in line]
    last = len(SCRIPT.splitlines())
    assert [int(line.partition(":")[0]) for line in mistakes] == [last - 1, last], said
    assert 'Missing named argument "data" for "search"' in said
    assert 'Unexpected keyword argument "seed" for "benchmark"' in said


def test_its_types_are_told_to_whoever_installs_it():
    assert (files("harness") / "py.typed").is_file()


def test_all_is_complete_and_documented():
    assert harness.__all__ == api.__all__ == sorted(harness.__all__)
    public = {name for name, value in vars(api).items() if not name.startswith("_")}
    public -= {name for name, value in vars(api).items() if inspect.ismodule(value)}
    assert public == set(harness.__all__)
    assert set(harness.__all__) <= set(dir(harness))
    for name in harness.__all__:
        value = getattr(harness, name)
        assert value is getattr(api, name)
        assert inspect.getdoc(value), name
        if inspect.isclass(value) and value.__module__.startswith("harness.api"):
            members = inspect.getmembers(value, _is_ours)
            undocumented = [
                key for key, member in members
                if not key.startswith("_") and not member.__doc__
            ]  # fmt: skip
            assert not undocumented, name


def _is_ours(member: object) -> bool:
    return isinstance(member, FunctionType) and member.__module__.startswith("harness.")


def test_every_function_is_typed():
    for name in harness.__all__:
        if not inspect.isfunction(value := getattr(harness, name)):
            continue
        signature = inspect.signature(value)
        assert signature.return_annotation is not inspect.Signature.empty, name
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {parameter}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_function_has_the_options_of_its_command(name):
    command = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    options = {
        parameter.opts[0].strip("-").replace("-", "_"): parameter for parameter in command.params
    }
    keywords = inspect.signature(getattr(harness, NAMES.get(name, name))).parameters
    assert set(options) ^ set(keywords) == OTHERWISE.get(name, set())
    for key in set(options) & set(keywords):
        theirs, ours = options[key].default, keywords[key].default
        if key != "results" and isinstance(theirs, bool | int | float | str):
            assert ours == theirs or (not ours and not theirs), key


def test_a_function_stays_one_although_a_package_has_its_name():
    import harness.benchmark.plan
    import harness.doctor
    import harness.explain.cam
    import harness.search.leaderboard

    for name in ("search", "benchmark", "explain", "doctor"):
        assert inspect.isfunction(getattr(harness, name))
        assert inspect.ismodule(sys.modules[f"harness.{name}"])


def test_the_import_is_quick_and_a_wrong_name_is_told():
    heavy = ("torch", "ray", "pandas", "mlflow", "optuna", "pydantic", "numpy")
    code = f"import sys, harness; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = harness.serach
