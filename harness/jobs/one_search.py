"""`OneSearch`: one of the searches of a job, as its folder has it and as MLflow shows it."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from harness.core.records import Outcome
from harness.data.store import ImageStore
from harness.jobs.tracked import Tracked
from harness.search.leaderboard import (
    TrialSummary,
    describe_counts,
    leaderboard,
    leaderboard_row,
    trial_dirs,
)
from harness.search.pictures import draw_pictures
from harness.search.plan import SearchPlan
from harness.search.trial_source import TrialSource
from harness.tracking import Tracker
from harness.tracking.contents import FINGERPRINT

NUM_FIGURES = 3
"""So many of the best trials get their figures drawn in MLflow."""


@dataclass(frozen=True)
class OneSearch:
    """One of the searches of a job."""

    plan: SearchPlan
    folder: Path
    source: TrialSource

    @property
    def board(self) -> list[TrialSummary]:
        """Its trials as their folders have them, best first."""
        return leaderboard(self.folder, self.plan.default_recipe)

    @property
    def ended(self) -> dict[Outcome, int]:
        """How many trials have ended, and how."""
        return dict(Counter(run.directory.status.outcome for run in self.source.ended))

    @property
    def counts(self) -> str:
        """How its trials stand, in words."""
        return describe_counts(self.ended, self.source.num_to_run)

    @property
    def best(self) -> tuple[float, str] | None:
        """The best score so far and the key of its trial; None before the first score."""
        name = self.plan.name
        scores = (
            (trial.score, f"{name}/{trial.name}") for trial in self.board if trial.score is not None
        )
        return max(scores, default=None)

    def tracked(self, tracker: Tracker, images: ImageStore, console: Console) -> Tracked:
        """The search as MLflow shows it; the console is told what its end waits for."""

        def finish() -> None:
            completed = [trial for trial in self.board if trial.status.outcome is Outcome.COMPLETED]
            best = [self.source.run_of(trial.name) for trial in completed[:NUM_FIGURES]]
            with console.status(f"drawing the pictures of {self.plan.name}"):
                tracker.log_figures(best)
                pictures = draw_pictures(self.folder, images.manifest)
                if pictures is not None:
                    tracker.log_files(self.plan.name, [pictures])

        return Tracked(
            name=self.plan.name,
            kind="search",
            ended=self.source.ended,
            directories=partial(trial_dirs, self.folder),
            outcome=lambda: self.source.outcome,
            rows=lambda: [leaderboard_row(trial) for trial in self.board],
            finish=finish,
            tags=self.tags,
        )

    @property
    def tags(self) -> dict[str, str]:
        """How it searches, for MLflow."""
        settings, origins = self.plan.space.search, self.plan.warm_start.points
        return {
            "harness.sampler": settings.sampler,
            "harness.scheduler": settings.scheduler,
            FINGERPRINT: self.plan.store_fingerprint,
            "harness.warm_start": ", ".join(point.origin for point in origins),
        }
