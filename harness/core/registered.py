"""The names that a field of a recipe may hold, where the things they name stand in a layer above.

Losses, optimizers, samplers and others are each a dict, written out in the file that defines them.
Core may not import these files, and torch with them would take seconds: it reads the dict's keys
off the source. So an entry of the dict is all that a new name needs.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class NameIn:
    """Annotates a text that must be a key of a registry; to pydantic it is a `Literal` of them.

    Attributes:
        registry: `training/losses.py:LOSSES`: a file of the package, and the dict in it.
    """

    registry: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.literal_schema(list(registered(self.registry)))


@cache
def registered(registry: str) -> tuple[str, ...]:
    """The keys of a registry (see `NameIn`), in the order in which they are written.

    Raises:
        LookupError: The file holds no such dict at its top level, with its type annotated.
    """
    file, _, name = registry.partition(":")
    for line in ast.parse((PACKAGE / file).read_text(encoding="utf-8")).body:
        if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == name:
            assert isinstance(line.value, ast.Dict), f"{registry} is not written out as a dict"
            return tuple(ast.literal_eval(key) for key in line.value.keys if key)
    raise LookupError(f"{file} has no dict {name!r}")
