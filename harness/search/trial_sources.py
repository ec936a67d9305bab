"""`TrialSources`: the trials of several searches as one source, within one budget."""

import logging
import time
from collections.abc import Sequence

from harness.core.ledger import moment
from harness.core.records import EarlyReport, EpochReport, Status
from harness.core.run import Run
from harness.execution.run_book import RunSource
from harness.search.budget import Budget
from harness.search.trial_source import SECONDS_BETWEEN_LOOKS, TrialSource

log = logging.getLogger(__name__)


class TrialSources(RunSource):
    """The trials of several searches: each gets on as fast as the others, within one budget."""

    def __init__(self, sources: Sequence[TrialSource], budget: Budget) -> None:
        self.sources = {source.plan.name: source for source in sources}
        self.budget = budget
        self._looked_s = 0.0

    def next_run(self) -> Run | None:
        self._look_at_budget()
        for source in sorted(self.sources.values(), key=lambda source: source.share_done):
            run = source.next_run()
            if run is not None:
                return run
        return None

    def goes_on(self, run: Run, report: EpochReport | EarlyReport) -> bool:
        return self.sources[run.group].goes_on(run, report)

    def end_now(self, run: Run) -> Status | None:
        self._look_at_budget()
        return self.sources[run.group].end_now(run)

    def on_start(self, run: Run) -> None:
        self.sources[run.group].on_start(run)

    def on_fault(self, run: Run, message: str) -> None:
        self.sources[run.group].on_fault(run, message)

    def on_end(self, run: Run, status: Status) -> None:
        self.sources[run.group].on_end(run, status)

    def gpu_seconds(self) -> float:
        """GPU seconds of all searches, in all their calls so far."""
        return sum(source.ledger.gpu_seconds(until=moment()) for source in self.sources.values())

    def _look_at_budget(self) -> None:
        if time.monotonic() - self._looked_s < SECONDS_BETWEEN_LOOKS:
            return
        self._looked_s = time.monotonic()
        reason = self.budget.spent(self.gpu_seconds)
        for source in self.sources.values() if reason else ():
            if not source.is_stopped:
                log.warning("search %s: %s", source.plan.name, reason)
                source.end_by(reason)
