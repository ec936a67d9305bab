"""YAML files with the line of every value, so that a mistake in one is shown where it stands.

Scalars are those of YAML 1.2 (its core schema, https://yaml.org/spec/1.2.2/#103-core-schema):
`1e-5` is a number, and `on` and `yes` are text. Keys are text. Tags and aliases are refused: a file
of settings needs neither, and without them nothing can be built that is not written out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.core.errors import HarnessError, did_you_mean

Place = tuple[str | int, ...]
"""The keys (and places in lists) that lead to a value; () is the whole file."""

SCALARS: tuple[tuple[str, Callable[[str], Any]], ...] = (
    (r"~|null|Null|NULL|", lambda text: None),
    (r"true|True|TRUE", lambda text: True),
    (r"false|False|FALSE", lambda text: False),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text[2:], 8)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text, 16)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", lambda text: float(text.replace(".", ""))),
)
PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file says.

    Attributes:
        tree: The mapping at the top of the file.
        lines: Line, counted from 1, of every value that is written in the file.
    """

    path: Path
    tree: dict[str, Any]
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of a value, or of the nearest value around it that is written."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


class Problems:
    """The mistakes of one YAML file, shown all together."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.found: list[tuple[int, str]] = []

    def add(self, place: Place, message: str) -> None:
        """Note one mistake, under the line of its place."""
        self.found.append((self.file.line(place), message))

    def add_invalid(
        self, error: ValidationError, *, model: type[BaseModel], under: Place = ()
    ) -> None:
        """Add every complaint of pydantic about the part of the file at `under`."""
        for item in error.errors():
            message = describe_invalid(dict(item), model=model, under=under)
            self.add(under + _without_marks(item["loc"]), message)

    def raise_if_any(self) -> None:
        """Raise one `HarnessError` with a line `FILE:LINE: message` for each problem."""
        if self.found:
            lines = [f"{self.file.path}:{line}: {what}" for line, what in sorted(set(self.found))]
            raise HarnessError("\n".join(lines))


def load_yaml(path: Path) -> YamlFile:
    """Read a YAML file whose top is a mapping.

    Raises:
        HarnessError: The file cannot be read, or is not the YAML described above; every repeated
            key is shown, with both of its lines.
    """
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise HarnessError(f"{path}:{_line_of(error, text)}: {_message_of(error)}") from None
    if not isinstance(root, yaml.MappingNode):
        raise HarnessError(f"{path}:1: expected `key: value` lines, found none")
    reader = _Reader()
    tree = reader.read(root, ())
    file = YamlFile(path, tree, reader.lines)
    problems = Problems(file)
    problems.found = reader.found
    problems.raise_if_any()
    return file


def describe_invalid(item: dict[str, Any], *, model: type[BaseModel], under: Place = ()) -> str:
    """One of pydantic's errors in our words: the place, what is wrong, and the value.

    Args:
        item: An entry of `ValidationError.errors()`.
        model: The model that refused the value; names the keys that it does have.
        under: What stands before the place in the file.
    """
    loc = _without_marks(item["loc"])
    place = show(under + loc)
    if item["type"] == "extra_forbidden":
        near = did_you_mean(str(loc[-1]), known_keys(model, loc[:-1]))
        return f"unknown key {place!r}{near}"
    if item["type"] == "missing":
        return f"missing key {place!r}"
    if item["type"] == "value_error":
        message = item["msg"].removeprefix("Value error, ")
        return message if not place or place in message else f"{place}: {message}"
    if item["type"] in ("model_type", "dict_type"):
        return f"{place}: expected keys with values under it, not {item['input']!r}"
    message = re.sub(r"^(Input|Value|String|List|Tuple|Dictionary) ", "", item["msg"])
    if item["type"] == "too_short":
        return f"{place}: {message}"
    near = did_you_mean(item["input"], _literals(item)) if item["type"] == "literal_error" else ""
    return f"{place}: {message}, not {item['input']!r}{near}"


def _literals(item: Mapping[str, Any]) -> list[str]:
    """The texts of a closed set that pydantic has named as `'bce', 'focal' or 'x'`."""
    return re.findall(r"'([^']*)'", item["ctx"]["expected"])


def known_keys(model: Any, loc: Place) -> list[str]:
    """The keys that `model` has at a place below it."""
    kind: Any = model
    for part in loc:
        if _is_model(kind):
            leaf = kind.model_fields.get(str(part))
            kind = leaf.annotation if leaf else None
        else:  # list[Model], dict[str, Model]
            kind = next((arg for arg in get_args(kind) if _is_model(arg)), None)
    return list(kind.model_fields) if _is_model(kind) else []


def show(place: Place) -> str:
    """`base.optim.lr`, `runs[2].name`."""
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in place
    ).removeprefix(".")


def _without_marks(loc: Place) -> Place:
    """Pydantic marks a complaint about a key, not its value, by a last part `[key]`."""
    return tuple(part for part in loc if part != "[key]")


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


class _Loader(yaml.BaseLoader):
    """Leaves every scalar a text: `_Reader` decides what it means."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not read here", mark)
        return super().compose_node(parent, index)


class _Reader:
    """Turns nodes into values, keeping their lines and what is wrong with them."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.found: list[tuple[int, str]] = []

    def read(self, node: yaml.Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if node.tag not in PLAIN_TAGS:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self.found.append((line, f"tags ({tag}) are not read here"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*place, index)) for index, item in enumerate(node.value)]
        is_quoted = getattr(node, "style", None) is not None
        return node.value if is_quoted else scalar(node.value)

    def _read_mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.found.append((line, "a key must be plain text"))
                continue
            here = (*place, key_node.value)
            if key_node.value in tree:
                first = self.lines[here]
                self.found.append((line, f"{show(here)!r} is written twice, first in line {first}"))
                continue
            self.lines[here] = line
            tree[key_node.value] = self.read(value_node, here)
        return tree


def scalar(text: str) -> Any:
    """The value of an unquoted scalar by the core schema of YAML 1.2; text where nothing fits."""
    for pattern, convert in SCALARS:
        if re.fullmatch(pattern, text):
            return convert(text)
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise HarnessError(f"{path}: {error.strerror}") from None


def _line_of(error: yaml.YAMLError, text: str) -> int:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return int(error.problem_mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1


def _message_of(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(part for part in (error.context, error.problem) if part)
    return str(error).splitlines()[0]
