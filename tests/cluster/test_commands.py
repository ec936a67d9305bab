"""Every `harness` command that stands in `cluster/` is one that the command line takes."""

import re

import pytest
import typer.main

from harness.cli import app
from tests.cluster.cluster_files import FILES, ROOT, commands, text_of

WITH_COMMANDS = [path.name for path in FILES if path.name != ".env.example"]


def mistake_in(words: list[str]) -> str | None:
    """What is wrong with the words after `harness`, or None."""
    command, path = typer.main.get_command(app), "harness"
    while words and (below := getattr(command, "commands", None)):
        if words[0] not in below:
            return f"{path} has no command {words[0]!r}"
        path, command, words = f"{path} {words[0]}", below[words[0]], words[1:]
    known = {option: param for param in command.params for option in param.opts}
    for word in (word for word in words if word.startswith("--") and word not in ("--", "--help")):
        if word.partition("=")[0] not in known:
            return f"{path} has no option {word!r}"
    return None


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_harness_commands_exist(name):
    mistakes = {
        f"harness {' '.join(words)}": mistake
        for words in commands(text_of(name), "harness")
        if (mistake := mistake_in(words))
    }
    assert not mistakes, f"cluster/{name}: {mistakes}"


def test_commands_are_found_where_they_stand():
    found = {name: len(list(commands(text_of(name), "harness"))) for name in WITH_COMMANDS}
    for name in ("README.md", "aws.yaml", "kuberay-rayjob.yaml", "slurm.sh"):
        assert found[name] >= 1, name


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        ("serach x", "no command 'serach'"),
        ("search x --trails 3", "no option '--trails'"),
        ("data prepare nih --rooot x", "no option '--rooot'"),
    ],
)
def test_a_mistake_is_seen(words, mistake):
    assert mistake in (mistake_in(words.split()) or "")


def test_a_command_over_several_lines_is_read_whole():
    text = "# sbatch x harness search a \\\n#   --trials 3\n  harness search b\n    --results r\n"
    assert [words[-1] for words in commands(text, "harness")] == ["3", "r"]


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_extras_are_those_of_the_package(name):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project.get("optional-dependencies", {}))
    assert set(re.findall(r"--extra (\w+)", text_of(name))) <= extras


@pytest.mark.parametrize("name", [path.name for path in FILES])
def test_no_secret_and_no_path_of_one_machine(name):
    text = text_of(name)
    assert not re.search(r"AKIA[0-9A-Z]{16}|-----BEGIN|hf_[A-Za-z0-9]{20}", text)
    assert not re.search(r"/(?:root|work)\b", text)
