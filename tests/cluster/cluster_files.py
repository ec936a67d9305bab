"""What the tests of `cluster/` share: its files, and the commands that stand in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster"
FILES = sorted(path for path in CLUSTER.iterdir() if path.is_file() and path.name != ".env")


def text_of(name: str) -> str:
    """A file of `cluster/`."""
    return (CLUSTER / name).read_text(encoding="utf-8")


def yaml_of(name: str) -> Any:
    """The only document of a YAML file of `cluster/`."""
    return yaml.safe_load(text_of(name))


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words of each command line of `program` in a file, in comments and quotes too.

    A line that ends in a backslash, or a YAML block that is folded, goes on; `...` and what is in
    capitals or brackets stand for values.
    """
    text = re.sub(r"^[ \t]*#+ ?", "  ", text, flags=re.MULTILINE)  # a comment's text
    text = re.sub(r"\\\n\s*", " ", text)
    text = re.sub(r"\n\s+(?=--[a-z])", " ", text)  # folded: options on the lines below
    start = rf"(?<![\w/.-])(?<!-n )(?<!COPY ){program} "  # no namespace, no folder of that name
    for match in re.finditer(start + r"([a-z][^\n`'\";)]*)", text):
        line = re.split(r"\s#\s|\s[|>&]|&&|\s{3,}", match[1])[0]
        yield shlex.split(line)
