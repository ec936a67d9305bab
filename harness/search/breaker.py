"""`Breaker`: no more trials are begun where each fails at once, as it is not they who are at fault.

A node that has lost its GPU or its disk is free again in seconds, and would have all the trials.
"""

import logging

from harness.core.records import FailureReason, Outcome, Status

log = logging.getLogger(__name__)

MAX_IN_A_ROW = 8
"""So many trials in a row that fail before their first epoch are not chance."""


class Breaker:
    """Counts the trials of a search that fail, one after the other, before their first epoch."""

    def __init__(self, search: str) -> None:
        self.search = search
        self.in_a_row: list[str] = []

    def trips(self, trial: str, status: Status, *, has_trained: bool) -> bool:
        """True, and the user is told, where a trial that has ended is one too many.

        Args:
            has_trained: It has a score. A trial that diverged is at fault itself, too.
        """
        is_at_once = status.outcome is Outcome.FAILED and not has_trained
        if not is_at_once or status.reason is FailureReason.DIVERGED:
            self.in_a_row.clear()
            return False
        self.in_a_row.append(trial.partition("-")[0])
        if len(self.in_a_row) < MAX_IN_A_ROW:
            return False
        names = " ".join(self.in_a_row)
        log.warning(
            "search %s: %d trials in a row failed before their first epoch, so no more are begun; "
            "mend the cause, harness retry %s %s, then run the same command again",
            self.search, MAX_IN_A_ROW, self.search, names,
        )  # fmt: skip
        self.in_a_row.clear()
        return True
