"""The help of every command ends with examples that the command line takes."""

import re
import shlex
import subprocess
import sys
from inspect import cleandoc
from typing import Any

import pytest
import typer

from harness import cli

ROOT: Any = typer.main.get_command(cli.app)


def commands(group: Any, *above: str) -> dict[tuple[str, ...], Any]:
    """Every command below a group, by its words."""
    found: dict[tuple[str, ...], Any] = {}
    for name, command in group.commands.items():
        words = (*above, name)
        found |= commands(command, *words) if hasattr(command, "commands") else {words: command}
    return found


COMMANDS = commands(ROOT)


def examples(command: Any) -> list[list[str]]:
    """The words of each example of a command."""
    text = re.search(r"\bExamples?: (.*)\Z", cleandoc(command.help), re.DOTALL)
    return [shlex.split(each) for each in text[1].split(";")] if text else []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_ends_with_examples_that_are_taken(words: tuple[str, ...]) -> None:
    command = COMMANDS[words]
    found = examples(command)
    assert found
    for example in found:
        length = len(words) + 1
        assert tuple(example[:length]) == ("harness", *words)
        command.make_context(" ".join(words), example[length:])  # else it raises


def test_an_example_with_a_wrong_option_would_not_be_taken() -> None:
    with pytest.raises(cli.UsageError, match="--trails"):
        COMMANDS["search",].make_context("search", ["dannynet", "--data", "x", "--trails", "6"])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_has_words_of_help(words: tuple[str, ...]) -> None:
    bare = [each.name for each in COMMANDS[words].params if not getattr(each, "help", "")]
    assert not bare


def groups(group: Any, *above: str) -> dict[tuple[str, ...], Any]:
    """A group and every group below it, by its words."""
    found = {above: group}
    for name, command in group.commands.items():
        found |= groups(command, *above, name) if hasattr(command, "commands") else {}
    return found


GROUPS = groups(ROOT)


@pytest.mark.parametrize("words", GROUPS, ids=lambda words: " ".join(words) or "harness")
def test_no_command_is_cut_short_on_80_columns(words: tuple[str, ...]) -> None:
    width = 80 - 2 - 6 - max(map(len, GROUPS[words].commands))  # as Click lays a list out
    told = {
        name: each.get_short_help_str(width)
        for name, each in GROUPS[words].commands.items()
        if each.get_short_help_str(width).endswith("...")
    }
    assert not told


def test_the_help_is_there_before_anything_heavy() -> None:
    """It takes 0.14 s of one core, mostly Python and Typer; Rich alone would add 0.08 s."""
    heavy = ["torch", "numpy", "pandas", "ray", "optuna", "mlflow", "rich", "pydantic", "yaml"]
    code = (
        "import sys; from harness.cli import main; sys.argv = ['harness', '--help']\n"
        "try: main()\n"
        f"finally: print(sorted(set({heavy}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "quickstart" in done.stdout
