"""Loops that NumPy has no words for, compiled to machine code on their first call."""

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code that other threads need not wait for.

    Compiling takes seconds. It is kept beside the source file for other processes, or, where
    nobody may write there or to numba's own folder, done again in each.

    Args:
        function: Of NumPy arrays and numbers.
    """
    from numba import njit

    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)
