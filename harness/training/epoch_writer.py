"""`EpochWriter`: what follows an epoch is done while the next one trains.

An epoch's files, then its report, are one piece of work: who hears a report may rely on all of the
epoch being on disk. A report may take long (a driver has to answer, a storage has to be filled), or
end the run by an exception: the training loop hears of that at its next step.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class EpochWriter:
    """Does one piece of work at a time in a thread; what it raises is raised in the caller's.

    As a context it ends with its work done. Where both the work and the `with` block fail, the
    work's error counts: it is of an earlier epoch. So a run that its driver has stopped is stopped,
    whatever came to pass before it heard of that.
    """

    def __init__(self, *, in_background: bool = True) -> None:
        """`in_background` False does the work at once, in the caller's thread."""
        self._in_background = in_background
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Exception):
            self.wait()
        else:  # an interrupt is not to be replaced
            self._join()

    def start(self, work: Callable[[], None]) -> None:
        """Begin some work, once the work before it is done.

        Raises:
            BaseException: What the work before it raised.
        """
        self.wait()
        if not self._in_background:
            work()
            return
        self._thread = threading.Thread(target=self._run, args=(work,), name="epoch writer")
        self._thread.start()

    def check(self) -> None:
        """Raise what the work has raised, if it is over by now; costs next to nothing."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Return when the work is done, and raise what it has raised."""
        self._join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # also a worker's SystemExit, which ends the run
            self._error = error
