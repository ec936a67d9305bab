"""What can go wrong in a way that has a name, and the words that messages share."""

import os
import traceback
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

NUM_NAMED = 3


class HarnessError(Exception):
    """A mistake that the user can mend: shown as one line, exit code 2."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it, which asks for this: the line, without a trace."""
        if "HARNESS_DEBUG" in os.environ:
            return traceback.format_exception(self)
        return [f"{type(self).__name__}: {self}"]


class DiskFullError(HarnessError):
    """There is too little space for what is about to be written; the run ends as `failed: disk`."""


class DivergedError(Exception):
    """Training met a loss or a score that is not finite; the run ends as `failed: diverged`."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the option nearest to `name`, or an empty string."""
    matches = get_close_matches(str(name), [str(option) for option in options], n=1, cutoff=0.6)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def named(names: Sequence[object]) -> str:
    """`a, b, c, ...`: the first three of the names."""
    more = ", ..." if len(names) > NUM_NAMED else ""
    return ", ".join(map(str, names[:NUM_NAMED])) + more


def first_line(error: BaseException) -> str:
    """What an error says first, or its kind where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
