"""The commands that the documents name can be typed as they stand; their links lead somewhere."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from harness.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]
PAGES += [f"{folder}/README.md" for folder in ("cluster", "results", "search_spaces")]
PAGES += [f"results/{folder}/README.md" for folder in ("published", "nih-sample")]
PAGES += sorted(f"docs/{path.relative_to(ROOT / 'docs')}" for path in ROOT.glob("docs/**/*.md"))

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"(?<![\w/.:-])(?<!the )harness ([a-z].*)$", re.M)
INLINE = re.compile(r"`(?:uv run )?harness ([a-z][^`]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")


def commands_of(text: str) -> list[list[str]]:
    """The words of each `harness` command of the fenced blocks, without what it prints."""
    found = []
    for kind, body in FENCE.findall(text):
        if kind == "console":
            body = "\n".join(re.findall(r"^\$ (.*)$", body, flags=re.M))
        lines = COMMAND.findall(body)
        found += [shlex.split(re.split(r"\s[|<>]", line)[0], comments=True) for line in lines]
    return found


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words lead to, and the words that are left for it."""
    command = typer.main.get_command(app)
    while words and (commands := getattr(command, "commands", None)) is not None:
        assert words[0] in commands, f"no command {words[0]!r}"
        command, words = commands[words[0]], words[1:]
    return command, words


def parse(words: list[str]) -> None:
    """Raises at a command, an option or a value that is none; nothing is run."""
    command, arguments = command_of(words)
    command.make_context(words[0], arguments)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_its_blocks_can_be_typed(page):
    for words in commands_of(text_of(page)):
        parse(words)


@pytest.mark.parametrize("page", PAGES)
def test_the_options_that_it_names_exist(page):
    for line in INLINE.findall(text_of(page)):
        words = line.split()
        command, _ = command_of([word for word in words if not word.startswith("-")])
        named = {word.partition("=")[0] for word in words if word.startswith("--")}
        known = {option for parameter in command.params for option in parameter.opts}
        unknown = named - known - {"--help"}
        assert not unknown, f"harness {line}"


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page):
    links = [link for link in LINK.findall(text_of(page)) if not re.match(r"[a-z]+:", link)]
    for link in links:
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def anchors_of(page: Path) -> set[str]:
    """What its headings are called in links: small letters, hyphens for spaces, no other signs."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(
    "words",
    [
        ["serch", "dannynet"],
        ["search", "dannynet"],
        ["search", "x", "--data", "y", "--trails", "3"],
    ],
)
def test_what_cannot_be_typed_is_found(words):
    with pytest.raises((AssertionError, typer.BadParameter.__base__)):
        parse(words)


def test_the_two_commands_of_a_newcomer_stand_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install uv && uv run harness quickstart" in text
    assert "pip install uv && uv run pytest" in text
