"""The mutants of a source file: copies with one small fault each, which a test should notice.

Faults are those that hands make: a comparison, an operator or a condition turned, a number moved, a
word changed, a call's twin (min for max), a keyword or a slice's end forgotten, a statement left
out, nothing returned. Not touched: docstrings, annotations, decorators, the words of errors, of
logs and of f-strings, `assert` and the `strict` of `zip`.
"""

import ast
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

Replacement = Callable[[Any], Iterator[ast.AST]]
"""From a node to what may stand in its place."""


@dataclass(frozen=True)
class Mutant:
    """One fault in one file.

    Attributes:
        function: Qualified name of the function or class around it; empty at the top of the file.
        before, after: The statement's line as it was and as it is, in `ast.unparse`'s form.
        source: The whole file with the fault.
    """

    line: int
    function: str
    before: str
    after: str
    source: str


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a file, from top to bottom; none equal to another."""
    tree = ast.parse(source)
    whole = ast.unparse(tree).splitlines()
    found: dict[str, Mutant] = {}
    for place in list(_places(tree, "")):
        for replacement in REPLACEMENTS.get(type(place.node), ()):
            for new in replacement(place.node):
                text = place.unparse_with(new, tree)
                if text.splitlines() == whole or text in found:
                    continue
                before, after = _first_difference(whole, text.splitlines())
                found[text] = Mutant(place.line, place.function, before, after, text)
    return list(found.values())


def _first_difference(before: list[str], after: list[str]) -> tuple[str, str]:
    pairs = zip_longest(before, after, fillvalue="")
    return next((one.strip(), two.strip()) for one, two in pairs if one != two)


# Where a file may be changed --------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A node, and the field of its parent that holds it."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    line: int
    function: str

    def unparse_with(self, new: ast.AST, tree: ast.AST) -> str:
        """The file with `new` in this place."""
        try:
            self._put(new)
            return ast.unparse(tree)
        finally:
            self._put(self.node)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


LEFT_OUT = {"annotation", "returns", "decorator_list", "type_params", "format_spec"}
GUARD = "strict"
"""Of `zip`: like an `assert`, it guards against our own mistakes."""
LOGS = {"debug", "info", "warning", "error", "exception"}


def _places(node: ast.AST, function: str, *, has_words: bool = False) -> Iterator[_Place]:
    """Every node below one; strings are passed over where `has_words` says that they are read."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    has_words = has_words or isinstance(node, ast.Raise | ast.JoinedStr) or _is_log(node)
    for field, value in ast.iter_fields(node):
        if field in LEFT_OUT:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_passed_over(child):
                continue
            if has_words and isinstance(child, ast.Constant) and isinstance(child.value, str):
                continue
            line = getattr(child, "lineno", getattr(node, "lineno", 0))
            yield _Place(child, node, field, index, line, function)
            is_formatted = isinstance(child, ast.FormattedValue)
            yield from _places(child, function, has_words=has_words and not is_formatted)


def _is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") in LOGS


def _is_passed_over(node: ast.AST) -> bool:
    """Docstrings, and what guards against our own mistakes."""
    if isinstance(node, ast.keyword):
        return node.arg == GUARD
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or isinstance(node, ast.Assert)


# What may stand in a node's place ---------------------------------------------------------------


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with other fields."""
    new = copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
TWINS = {
    one: two
    for pair in (
        "min max", "any all", "argmin argmax", "floor ceil", "startswith endswith", "find rfind",
        "removeprefix removesuffix", "ones_like zeros_like", "ones zeros", "sum mean",
    )
    for one, two in (pair.split(), pair.split()[::-1])
}  # fmt: skip
BUILTINS = {"min", "max", "any", "all"}
UNWRAPPED = {"sorted", "abs", "set", "float", "int", "list"}
"""Calls of one argument that may be forgotten."""


def _other_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for index, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            yield _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])


def _other_operator(node: ast.BinOp | ast.AugAssign) -> Iterator[ast.AST]:
    if type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())


def _other_connective(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _without_sign(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _other_constant(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, float):
        near = (round(value * 1.1, 12), round(value * 0.9, 12)) if value else (1.0, -1.0)
        yield from map(ast.Constant, near)
    elif isinstance(value, str):
        yield ast.Constant(value + "~")
    elif isinstance(value, bytes):
        yield ast.Constant(value + b"~")


def _turned_condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[ast.AST]:
    """Comparisons, `not`, `and` and `or` are turned as such."""
    if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))


def _without_filter(node: ast.comprehension) -> Iterator[ast.AST]:
    for index in range(len(node.ifs)):
        yield _with(node, ifs=node.ifs[:index] + node.ifs[index + 1 :])


def _other_call(node: ast.Call) -> Iterator[ast.AST]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in UNWRAPPED and len(node.args) == 1:
        yield node.args[0]
    if isinstance(function, ast.Name) and TWINS.get(function.id) in BUILTINS:
        yield _with(node, func=ast.Name(TWINS[function.id]))
    if isinstance(function, ast.Attribute) and function.attr in TWINS:
        yield _with(node, func=_with(function, attr=TWINS[function.attr]))
    for index, keyword in enumerate(node.keywords):
        if keyword.arg not in (None, GUARD):
            yield _with(node, keywords=node.keywords[:index] + node.keywords[index + 1 :])


def _without_end(node: ast.Slice) -> Iterator[ast.AST]:
    yield from (_with(node, **{end: None}) for end in ("lower", "upper", "step"))


def _nothing_returned(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None:
        yield ast.Return(ast.Constant(None))


def _left_out(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.Pass()


def _left_out_on_a_thing(node: ast.Assign) -> Iterator[ast.AST]:
    """A variable that is never set would be noticed by all tests: no fault worth counting."""
    if any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
        yield ast.Pass()


REPLACEMENTS: dict[type[ast.AST], tuple[Replacement, ...]] = {
    ast.Compare: (_other_comparison,),
    ast.BinOp: (_other_operator,),
    ast.AugAssign: (_other_operator, _left_out),
    ast.BoolOp: (_other_connective,),
    ast.UnaryOp: (_without_sign,),
    ast.Constant: (_other_constant,),
    ast.If: (_turned_condition,),
    ast.While: (_turned_condition,),
    ast.IfExp: (_turned_condition,),
    ast.comprehension: (_without_filter,),
    ast.Call: (_other_call,),
    ast.Slice: (_without_end,),
    ast.Return: (_nothing_returned,),
    ast.Assign: (_left_out_on_a_thing,),
    ast.Expr: (_left_out,),
    ast.Raise: (_left_out,),
    ast.Continue: (_left_out,),
    ast.Break: (_left_out,),
}
