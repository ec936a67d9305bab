"""What can go wrong in a way that has a name."""

import os
import traceback
from collections.abc import Iterable
from difflib import get_close_matches


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
