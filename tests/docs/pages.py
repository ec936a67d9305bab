"""The pages of `docs/` as steps: files to write, commands to type, what is shown of their output.

A page is Markdown. Of its fenced blocks these are steps:

- `console`: a line that begins with `$ ` is a command, one that ends in a backslash goes on below;
  what follows up to the next command is what the page shows of its output. In a block with a title
  that ends in `for example` that holds for its first and its last line, and what is between is of
  one machine and one version. A block with a title that begins with `terminal` is typed there and
  left running.
- any block with a title that is a file's name, such as `yaml title="mine.yaml"`: that file.

All other blocks are for reading.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(
    r'^```(?P<kind>\w+)?(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$', re.M | re.S
)
TERMINAL, EXAMPLE = "terminal", "for example"
ELLIPSIS = "..."
NUMBER = r"[-+−]?\d+\.\d+(?:e-?\d+)?"
VARYING = re.compile(
    rf"(?P<any>{re.escape(ELLIPSIS)})|(?P<number>{NUMBER})"
    r"|(?P<hash>(?<=t\d{4}-)[0-9a-f]{6}|\b[0-9a-f]{12}\b)"
)
STANDS_FOR = {"any": r"[^\n]*?", "number": NUMBER, "hash": "[0-9a-f]+"}


@dataclass(frozen=True)
class File:
    """A file that the reader is told to write."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command that the reader is told to type.

    Attributes:
        line: As it is typed, in one line.
        shown: What the page shows of its output, as `has_shown` reads it; empty for nothing.
        terminal: Of its own, in which it goes on; empty for one that is waited for.
    """

    line: str
    shown: str = ""
    terminal: str = ""


def steps_of(text: str) -> Iterator[File | Command]:
    """The steps of a page, in their order."""
    for fence in FENCE.finditer(text):
        kind, title, body = fence["kind"], fence["title"] or "", fence["body"]
        if kind == "console":
            yield from _commands(body, title)
        elif title:
            yield File(title, body)


def _commands(body: str, title: str) -> Iterator[Command]:
    body = body.replace("\\\n", " ")
    before, *parts = re.split(r"^\$ ", body, flags=re.M)
    assert not before.strip(), f"output without a command: {before!r}"
    for part in parts:
        line, _, shown = part.partition("\n")
        if title.endswith(EXAMPLE) and shown:
            first, *_, last = shown.splitlines()
            shown = f"{ELLIPSIS}\n{first}\n{ELLIPSIS}\n{last}\n"
        terminal = title.partition(",")[0] if title.startswith(TERMINAL) else ""
        yield Command(re.sub(r"\s+", " ", line).strip(), shown, terminal)


def has_shown(shown: str, printed: str) -> bool:
    """Whether what was printed is what a page shows of it.

    On the page `...` in a line stands for anything in that line, and alone for any lines. A number
    with a point stands for any such number and a hash for any other, since both may depend on the
    machine and on the version; and so many spaces are as good as others.
    """
    pattern = "".join(map(_pattern, shown.splitlines()))
    text = "".join(f"{_even(line)}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, text) is not None


def _pattern(line: str) -> str:
    line = _even(line)
    if line == ELLIPSIS:
        return r"(?:[^\n]*\n)*?"
    pattern, end = "", 0
    for found in VARYING.finditer(line):
        pattern += re.escape(line[end : found.start()]) + STANDS_FOR[str(found.lastgroup)]
        end = found.end()
    return pattern + re.escape(line[end:]) + "\n"


def _even(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()
