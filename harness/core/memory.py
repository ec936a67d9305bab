"""`MemoryLevel`: how thrifty a run must be with memory, which changes nothing about its numbers.

It belongs to a run directory (`RunDirectory.memory`), not to the recipe. What a level means for a
network stands in `training/thrift.py`.
"""

from typing import Annotated, Self

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.recipe import Frozen
from harness.core.records import FailureReason, now


class MemoryShortage(Frozen):
    """One time at which a run did not fit, on the GPU or on the host."""

    why: str
    reason: FailureReason = FailureReason.HOST_MEMORY
    at: str = Field(default_factory=now)


class MemoryLevel(Frozen):
    """How far the memory that a run takes has been lowered.

    Attributes:
        level: 0 trains as the recipe says; each further level needs less memory and more time.
        shortages: When and why the run did not fit, the latest last.
    """

    level: Annotated[int, Field(ge=0)] = 0
    shortages: tuple[MemoryShortage, ...] = ()

    def __int__(self) -> int:
        return self.level

    def after(self, shortage: MemoryShortage) -> Self:
        """The next level, which needs less."""
        return type(self)(level=self.level + 1, shortages=(*self.shortages, shortage))

    def one_back(self) -> Self:
        """The level before, of all that has happened nothing forgotten."""
        return self.model_copy(update={"level": self.level - 1})


class MemoryFloorError(HarnessError):
    """A run does not fit, and no level needs less; it ends as `failed:` with `reason`."""

    def __init__(self, message: str, reason: FailureReason) -> None:
        super().__init__(message)
        self.reason = reason
