import math
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.errors import HarnessError
from harness.core.yaml_file import Problems, YamlFile, known_keys, load_yaml, scalar, show


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = Field(default=1, gt=0)


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str
    leaves: list[Leaf] = []
    named: dict[str, Leaf] = {}
    best: Leaf | None = None


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "file.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def message_of(path: Path) -> str:
    with pytest.raises(HarnessError) as caught:
        load_yaml(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5), ("1E+3", 1000.0), ("-.5", -0.5), ("3.", 3.0), ("+7", 7), ("007", 7),
        ("0x1F", 31), ("0o17", 15), ("-.inf", -math.inf), ("true", True), ("False", False),
        ("~", None), ("", None), ("null", None),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text, value) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["on", "off", "yes", "no", "y", "1_000", "12:30", "2020-01-01", "1e", "e5", ".", "tRUE"]
)
def test_what_yaml_1_1_would_bend_stays_text(text) -> None:
    assert scalar(text) == text


def test_nan_is_read() -> None:
    assert math.isnan(scalar(".nan"))


def test_tree_and_lines(write) -> None:
    path = write(
        "# first\nname: x\nspace:\n  optim.lr: {low: 1e-5,\n    high: '1'}\nlist:\n- a\n- b\n"
    )
    file = load_yaml(path)
    assert file.tree == {
        "name": "x",
        "space": {"optim.lr": {"low": 1e-5, "high": "1"}},
        "list": ["a", "b"],
    }
    assert file.lines[("space", "optim.lr")] == 4
    assert file.lines[("space", "optim.lr", "low")] == 4
    assert file.lines[("space", "optim.lr", "high")] == 5
    assert file.lines[("list", 1)] == 8


def test_line_of_what_is_not_written_is_that_of_its_surroundings(write) -> None:
    file = load_yaml(write("a: 1\nb:\n  c: 2\n"))
    assert file.line(("b", "d", "e")) == 2
    assert file.line(("z",)) == 1


def test_quoted_numbers_are_text_and_keys_are_always_text(write) -> None:
    tree = load_yaml(write("\"1\": '2'\non: 3\n4: true\n")).tree
    assert tree == {"1": "2", "on": 3, "4": True}


def test_every_repeated_key_is_shown_with_both_lines(write) -> None:
    path = write("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n")
    assert message_of(path).splitlines() == [
        f"{path}:4: 'b.c' is written twice, first in line 3",
        f"{path}:5: 'a' is written twice, first in line 1",
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\nb: [1, 2\n", 3, "expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a: 1\n---\nb: 2\n", 2, "document"),
        ("a: &x 1\nb: *x\n", 2, "aliases"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "!!python/object:os.system"),
        ("? [1, 2]\n: 3\n", 1, "plain text"),
        ("a: 1\nb: \x07\n", 2, "special characters"),
        ("", 1, "found none"),
        ("- a\n", 1, "found none"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(write, text, line, part) -> None:
    path = write(text)
    message = message_of(path)
    assert message.startswith(f"{path}:{line}: ")
    assert part in message.replace("\\t", "tab")
    assert "\n" not in message


def test_files_that_are_none(tmp_path: Path) -> None:
    assert message_of(tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: no such file"
    assert message_of(tmp_path).startswith(f"{tmp_path}: ")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    assert "UTF-8" in message_of(tmp_path / "latin.yaml")


def test_pydantic_complaints_get_lines_values_and_suggestions(write) -> None:
    file = load_yaml(write("titel: x\nleaves:\n- size: 0\n- sise: 2\nbest: 3\n"))
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate(file.tree)
    problems = Problems(file)
    problems.add_invalid(caught.value, model=Tree)
    with pytest.raises(HarnessError) as shown:
        problems.raise_if_any()
    assert str(shown.value).splitlines() == [
        f"{file.path}:1: missing key 'title'",
        f"{file.path}:1: unknown key 'titel' (did you mean 'title'?)",
        f"{file.path}:3: leaves[0].size: should be greater than 0, not 0",
        f"{file.path}:4: unknown key 'leaves[1].sise' (did you mean 'size'?)",
        f"{file.path}:5: best: expected keys with values under it, not 3",
    ]


def test_problems_are_sorted_by_line_and_shown_once() -> None:
    file = YamlFile(Path("x.yaml"), {"b": 1, "a": 2}, {("b",): 1, ("a",): 12, ("c",): 2})
    problems = Problems(file)
    problems.raise_if_any()
    for place in ("a", "c", "b", "b"):
        problems.add((place,), f"about {place}")
    with pytest.raises(HarnessError) as shown:
        problems.raise_if_any()
    assert str(shown.value) == "x.yaml:1: about b\nx.yaml:2: about c\nx.yaml:12: about a"


def test_known_keys_below_lists_and_mappings() -> None:
    assert known_keys(Tree, ()) == ["title", "leaves", "named", "best"]
    assert known_keys(Tree, ("leaves", 0)) == ["size"]
    assert known_keys(Tree, ("named", "x")) == ["size"]
    assert known_keys(Tree, ("title",)) == []


def test_show() -> None:
    assert show(("runs", 2, "name")) == "runs[2].name"
    assert show(()) == ""
