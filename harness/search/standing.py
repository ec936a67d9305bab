"""`Standing`: how a search stands, read from its folder by anybody at any time."""

import os
from dataclasses import dataclass
from pathlib import Path

from harness.core.ledger import Ledger, moment
from harness.core.locks import holder_of
from harness.core.records import Outcome
from harness.core.run_dir import RunDirectory
from harness.search.control import LEDGER_FILE, LOCK_FILE, is_running
from harness.search.housekeeping import size_of_file
from harness.search.leaderboard import TrialSummary, count_outcomes, last_written, leaderboard
from harness.search.plan import SearchPlan, read_plan


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a search stands.

    Attributes:
        driver: The process that drives it; empty where none does.
        counts: Trials by outcome; those that nobody has asked for yet are `num_new`.
        running: The trials under way, if there is a driver.
        num_bytes: What its folder takes on disk.
    """

    plan: SearchPlan
    folder: Path
    driver: str
    counts: dict[Outcome, int]
    num_new: int
    running: list[TrialSummary]
    best: TrialSummary | None
    failed: list[TrialSummary]
    gpu_hours: float
    num_bytes: int


def standing_of(folder: Path) -> Standing:
    """How the search of a folder stands."""
    plan = read_plan(folder)
    board = leaderboard(folder, plan.default_recipe)
    ledger = Ledger(folder / LEDGER_FILE)
    counts = count_outcomes(board)
    running = [trial for trial in board if trial.status.outcome is Outcome.RUNNING]
    driver = holder_of(folder / LOCK_FILE) if is_running(folder) else ""
    # Without a driver nothing runs: it has died, and its trials with it.
    ended = [] if driver else [last_written(RunDirectory(trial.path)) for trial in running]
    scored = [trial for trial in board if trial.score is not None]
    return Standing(
        plan=plan,
        folder=folder,
        driver=driver,
        counts=counts,
        num_new=max(0, plan.num_trials - len(board)),
        running=running,
        best=max(scored, key=lambda trial: trial.score or 0.0, default=None),
        failed=[trial for trial in board if trial.status.outcome is Outcome.FAILED],
        gpu_hours=ledger.gpu_seconds(until=max(ended, default=moment())) / 3600,
        num_bytes=_num_bytes(folder),
    )


def _num_bytes(folder: Path) -> int:
    """Of all files of a folder, some of which may go while they are counted."""
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(size_of_file(path) or 0 for path in files)
