"""The commands that the documents name exist."""

import re
from pathlib import Path

import pytest
import typer.main

from harness.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]
PAGES += [f"{folder}/README.md" for folder in ("cluster", "results", "search_spaces")]


def options_of(words: list[str]) -> set[str]:
    """The options of the command that `words` lead to."""
    command = typer.main.get_command(app)
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None:
            break
        assert word in commands, f"no command {word!r} in {words}"
        command = commands[word]
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?:uv run )?harness ([a-z].*)$", text, flags=re.MULTILINE)
    lines += re.findall(r"`(?:uv run )?harness ([a-z][^`]*)`", text)
    for line in lines:
        words = line.partition("#")[0].split()
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        unknown = set(options) - options_of([word for word in words if not word.startswith("-")])
        assert not unknown, f"{page}: harness {line}"


def test_the_two_commands_of_a_newcomer_stand_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install uv && uv run harness quickstart" in text
    assert "pip install uv && uv run pytest" in text
