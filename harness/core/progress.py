"""`Progress`: how long work tells how far it is, and where that is shown."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much: images, bytes, resamples, as the caller says."""


def ignore(done: int, total: int) -> None:
    """A `progress` for those who do not listen."""


def progress_console() -> "Console":
    """Where progress is shown: stderr; in a notebook lines of the cell's output, stderr being red.

    A block that moves would need a widget there, and leave a copy of itself for each step without.
    """
    from rich.console import Console

    if not Console().is_jupyter:
        return Console(stderr=True, markup=False, highlight=False)
    return Console(
        file=sys.stdout,
        force_jupyter=False,
        force_terminal=False,  # whatever FORCE_COLOR says, which notebooks set
        markup=False,
        highlight=False,
    )
