"""`Writer`: tells MLflow about runs in a thread of its own, and outlives MLflow's failures.

Whoever trains only leaves word of what happened. About once a second the thread writes all that
has gathered, one run at a time, so that a short run costs one write and not one for each epoch.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from harness.core.errors import HarnessError
from harness.core.records import EpochReport, Status
from harness.core.run import Run
from harness.tracking.store import one_line

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
SLOW_S = 1.0
"""A failure that takes longer than this is that of the whole store: nothing else is tried."""

NUM_FAILURES_BORNE = 3
"""In the background; then the rest waits for the next round."""

PAUSE_FACTOR = 10
LONGEST_PAUSE_S = 60.0
"""After a failure MLflow is left alone for ten times as long as the round took."""


@dataclass(frozen=True)
class News:
    """What is to be told of one run.

    Attributes:
        status: None where the run's directory is to be asked.
        reports: Epochs that the directory may not show yet.
        is_live: The run is trained by this process, so it is shown even if it was deleted before.
    """

    run: Run
    status: Status | None
    reports: tuple[EpochReport, ...] = ()
    is_live: bool = True

    def then(self, later: "News") -> "News":
        """Both in one; the later status counts."""
        reports, is_live = self.reports + later.reports, self.is_live or later.is_live
        return News(later.run, later.status, reports, is_live)


class Writer:
    """Passes news on to `write`; it may fail and is called again, never by two threads at once."""

    def __init__(self, write: Callable[[News], object], *, shown: str) -> None:
        self.is_failing = False
        self._write = write
        self._shown = shown
        self._waiting: dict[str, News] = {}
        self._in_hand: dict[str, News] = {}
        self._thread: threading.Thread | None = None
        self._inbox = threading.Lock()
        self._store = threading.RLock()

    @property
    def waiting(self) -> list[Run]:
        """Runs of which something has not been written."""
        with self._inbox:
            return [news.run for news in (self._in_hand | self._waiting).values()]

    def tell(self, news: News) -> None:
        """Leave word; returns at once."""
        with self._inbox:
            before = self._waiting.get(news.run.key)
            self._waiting[news.run.key] = before.then(news) if before else news
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
                self._thread.start()

    def flush(self) -> bool:
        """Write what waits, now and here; True where nothing was left."""
        self._round(num_failures_borne=len(self.waiting))
        return not self.waiting

    def attempt(self, action: Callable[[], object]) -> bool:
        """Whether `action` succeeded. Training must not die of its bookkeeping: nothing raises."""
        with self._store:
            try:
                action()
            except HarnessError as error:  # a damaged run directory: not for MLflow to mend
                log.warning("%s", error)
            except Exception as error:  # requests, SQLAlchemy, MLflow and the system's own
                if not self.is_failing:
                    log.warning("MLflow at %s: %s; the runs go on", self._shown, one_line(error))
                self.is_failing = True
                return False
        return True

    # The thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        pause_s = INTERVAL_S
        while True:
            time.sleep(pause_s)
            begin_s = time.monotonic()
            self._round(num_failures_borne=NUM_FAILURES_BORNE)
            took_s = time.monotonic() - begin_s
            pause_s = max(INTERVAL_S, PAUSE_FACTOR * took_s if self.is_failing else 0.0)
            pause_s = min(pause_s, LONGEST_PAUSE_S)
            with self._inbox:
                if not self._waiting:
                    self._thread = None
                    return

    def _round(self, *, num_failures_borne: int) -> None:
        with self._store:
            with self._inbox:
                self._in_hand, self._waiting = self._waiting, {}
            gathered, failed = list(self._in_hand.values()), list[News]()
            while gathered and len(failed) <= num_failures_borne:
                news = gathered.pop(0)
                begin_s = time.monotonic()
                if not self.attempt(partial(self._write, news)):
                    failed.append(news)
                    if time.monotonic() - begin_s > SLOW_S:
                        break
            self.is_failing = self.is_failing and bool(failed)
            self._put_back([*gathered, *failed])

    def _put_back(self, missed: Sequence[News]) -> None:
        """Those that failed come last, so that one bad run holds up no other."""
        with self._inbox:
            newer, self._in_hand = self._waiting, {}
            self._waiting = {news.run.key: news for news in missed}
            for key, news in newer.items():
                before = self._waiting.get(key)
                self._waiting[key] = before.then(news) if before else news
