"""The faults that are put into a file, counted by hand."""

import ast

import pytest

from tests.mutation.mutants import mutants_of


def changes(source: str) -> set[tuple[str, str]]:
    return {(mutant.before, mutant.after) for mutant in mutants_of(source)}


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("a < b", {"a <= b", "a >= b", "pass"}),
        ("x = a + b", {"x = a - b"}),
        ("x = a and b", {"x = a or b"}),
        ("x = not a", {"x = a"}),
        ("x = 3", {"x = 4", "x = 2"}),
        ("x = 0.5", {"x = 0.55", "x = 0.45"}),
        ("x = True", {"x = False"}),
        ("x = 'train'", {"x = 'train~'"}),
        ("x = b if a else c", {"x = b if not a else c"}),
        ("x = [a for a in b if a]", {"x = [a for a in b]"}),
        ("x = min(a, key=b)", {"x = max(a, key=b)", "x = min(a)"}),
        ("x = a[b:c]", {"x = a[:c]", "x = a[b:]"}),
        ("a.x = b", {"pass"}),
        ("a += b", {"a -= b", "pass"}),
        ("raise ValueError('words')", {"pass"}),
    ],
)
def test_the_faults_of_a_line(line, faults):
    assert changes(line) == {(line, fault) for fault in faults}


def test_a_default_and_a_return_value_are_changed_and_annotations_are_not():
    source = "@dataclass(frozen=True)\ndef f(a: Literal['x']=1) -> Literal['y']:\n    return a"
    assert changes(source) == {
        ("def f(a: Literal['x']=1) -> Literal['y']:", "def f(a: Literal['x']=2) -> Literal['y']:"),
        ("def f(a: Literal['x']=1) -> Literal['y']:", "def f(a: Literal['x']=0) -> Literal['y']:"),
        ("return a", "return None"),
    }


def test_words_for_people_stay_and_what_is_reckoned_within_them_does_not():
    source = '"""Doc."""\nraise ValueError(f"has {x[:3]} and {y}")'
    assert {after for _, after in changes(source)} == {
        "pass",
        "raise ValueError(f'has {x[:4]} and {y}')",
        "raise ValueError(f'has {x[:2]} and {y}')",
        "raise ValueError(f'has {x[:]} and {y}')",
    }


def test_mutants_know_their_place_and_are_whole_files():
    source = "import math\n\nclass A:\n    def f(self):\n        return math.floor(self.x)\n"
    mutants = mutants_of(source)
    assert {(mutant.line, mutant.function) for mutant in mutants} == {(5, "A.f")}
    for mutant in mutants:
        assert "import math" in mutant.source
        ast.parse(mutant.source)
    assert len({mutant.source for mutant in mutants}) == len(mutants) == 2
