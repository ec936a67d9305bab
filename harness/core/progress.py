"""`Progress`: how long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much: images, bytes, resamples, as the caller says."""


def ignore(done: int, total: int) -> None:
    """A `progress` for those who do not listen."""
