"""Searches that run elsewhere, or have run: how they stand, and what is asked of them."""

from typing import Self

import pandas as pd

from harness.api.board import AnySearch, search_dir
from harness.api.calls import AnyPath, called
from harness.search import standing


class Standing(standing.Standing):
    """How a search stood when it was asked; shown as `harness status` shows it.

    Attributes:
        plan: What is searched, and how much of it.
        folder: Where it lies.
        driver: The process that drives it and since when; empty where none does.
        counts: Trials by outcome, `completed`, `running` and others, as far as there are any.
        num_new: Trials that are not begun.
        running: Trials under way; without a driver, those that its death cut short.
        best: The trial with the best score so far, ended or not; None before the first score.
        failed: Trials that have failed; each of these has a `name`, `status`, `score`, `changes`.
        gpu_hours: What its trials took.
        num_bytes: What its folder takes on disk.
    """

    @classmethod
    def of(cls, found: standing.Standing) -> Self:
        """The same, for a notebook."""
        return cls(**vars(found))

    def frame(self) -> pd.DataFrame:
        """A row for each trial that is running or has failed.

        Columns: `trial`, `outcome` with the reason of a failure, `num_epochs` of `epochs`, `score`
        (validation macro AUROC at the epoch whose weights are kept), `message` of a failure.
        """
        rows = [
            {
                "trial": trial.name,
                "outcome": str(trial.status),
                "num_epochs": trial.num_epochs,
                "epochs": trial.recipe.train.epochs,
                "score": trial.score,
                "message": trial.status.message,
            }
            for trial in (*self.running, *self.failed)
        ]
        columns = ["trial", "outcome", "num_epochs", "epochs", "score", "message"]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        """The lines of `harness status`."""
        from harness.console import status_lines

        return "\n".join(status_lines(self, is_text=True))


@called
def status(name: AnySearch, *, results: AnyPath | None = None) -> Standing:
    """How a search stands, whoever drives it: trials by state, what runs, the best so far.

    Args:
        name: Of the search, or its board.

    Raises:
        HarnessError: There is no such search.
    """
    return Standing.of(standing.standing_of(search_dir(name, results)))


@called
def stop(name: AnySearch, *, results: AnyPath | None = None) -> None:
    """Let a running search begin no more trials; those that run go on.

    The call that began the search ends after them; made again, it goes on with the rest.

    Args:
        name: Of the search, or its board.

    Raises:
        HarnessError: There is no such search, or it is not running.
    """
    from harness.search.control import stop

    stop(search_dir(name, results))


@called
def cancel(name: AnySearch, *, results: AnyPath | None = None) -> list[str]:
    """End a search: no more trials, and those that run are ended. They are called cancelled.

    Args:
        name: Of the search, or its board.

    Returns:
        The trials that had not ended. Where the search is running, the process that drives it has
        yet to end them: `status` tells.

    Raises:
        HarnessError: There is no such search.
    """
    from harness.search.control import cancel

    return cancel(search_dir(name, results)).trials


@called
def retry(
    name: AnySearch, *trials: str, cancelled: bool = False, results: AnyPath | None = None
) -> list[str]:
    """Make failed trials again, from their checkpoints.

    A running search takes them up; for another, call `search` as before.

    Args:
        name: Of the search, or its board.
        trials: Such as `t0007`; without, all that failed and would not fail again.
        cancelled: Without names: the cancelled ones, too.

    Returns:
        The trials that are made again; none where no other try could mend any.

    Raises:
        HarnessError: There is no such search or trial, or the trial has not failed.
    """
    from harness.search.control import retry

    return retry(search_dir(name, results), trials, with_cancelled=cancelled).trials
