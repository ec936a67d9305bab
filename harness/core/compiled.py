"""Loops that NumPy has no words for, compiled to machine code on their first call."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    """The function as machine code that other threads need not wait for.

    Compiling takes a second or two. It is kept beside the source file for other processes, or, where
    nobody may write there or to numba's own folder, done again in each.

    Args:
        function: Of NumPy arrays and numbers.
        options: More of numba's `njit`.
    """
    from numba import njit

    options = {"nogil": True, "error_model": "numpy"} | options
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(**options)(function)  # type: ignore[no-any-return]
