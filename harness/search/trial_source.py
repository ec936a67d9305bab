"""`TrialSource`: the trials of a search, from its folder or from the sampler, and their ends.

Built from the ledger and the run directories each time: a search that was cut off at any moment
goes on as if it had not been.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger, LedgerLine
from harness.core.recipe import Recipe
from harness.core.records import EarlyReport, EpochReport, FailureReason, Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.core.selection import score_of
from harness.execution.run_book import RunSource
from harness.search.asha import Asha
from harness.search.breaker import Breaker
from harness.search.control import LEDGER_FILE, Request, receive, reopen
from harness.search.leaderboard import last_written, trial_dirs, trial_number
from harness.search.plan import SearchPlan
from harness.search.points import untried
from harness.search.samplers import num_epochs_of, point_key
from harness.search.study import Study

NUM_ASKS_FOR_A_NEW_POINT = 200
SECONDS_BETWEEN_LOOKS = 1.0
"""At requests from other terminals, and at the clock."""


class TrialSource(RunSource):
    """Hands out the trials of one search: the unfinished ones first, then new points."""

    def __init__(self, plan: SearchPlan, search_dir: Path, *, gpus_per_trial: float = 0.0) -> None:
        self.plan = plan
        self.search_dir = search_dir
        self.gpus_per_trial = gpus_per_trial
        self.ledger = Ledger(search_dir / LEDGER_FILE)
        self.study = Study(plan.space, seed=plan.seed, first=plan.first_points)
        self.asha = Asha(plan.space.search, num_epochs=num_epochs_of(plan.space))
        self.points: set[Any] = set()
        self.ended: list[Run] = []
        self.unfinished: deque[Run] = deque()
        self.next_number = 0
        self.is_stopped = False
        self.breaker = Breaker(plan.name)
        self.ending: Status | None = None
        self._looked_s = 0.0
        found = [(run, self._status(run)) for run in self._runs_so_far()]
        # Who has ended first: an unfinished trial is judged by all that were scored before.
        for run, status in sorted(found, key=lambda pair: not pair[1].outcome.is_final):
            self._take_up(run, status)

    @property
    def num_to_run(self) -> int:
        """Trials that have not ended, begun or not."""
        return len(self.unfinished) + max(0, self.plan.num_trials - self.next_number)

    @property
    def outcome(self) -> Outcome:
        """How this call of the search ended, once nothing runs."""
        if self.ending is not None:
            return self.ending.outcome
        return Outcome.PREEMPTED if self.num_to_run else Outcome.COMPLETED

    @property
    def share_done(self) -> float:
        """The part of the trials that have been handed out."""
        return 1 - self.num_to_run / max(1, self.plan.num_trials)

    # The source -----------------------------------------------------------------------------

    def next_run(self) -> Run | None:
        if self.is_stopped:
            return None
        if self.unfinished:
            run = self.unfinished.popleft()
            self.study.begin(trial_number(run.name), run.values)
            self._teach(run, Status(outcome=Outcome.QUEUED), scores_of(run.directory))
        elif self.next_number < self.plan.num_trials:
            run = self._new_run()
        else:
            return None
        return run

    def goes_on(self, run: Run, report: EpochReport | EarlyReport) -> bool:
        score = score_of(report)
        self.study.note(trial_number(run.name), report.epoch, score)
        is_last = report.epoch >= run.recipe.train.epochs
        return self.asha.goes_on(run.name, report.epoch, score) or is_last

    def end_now(self, run: Run) -> Status | None:
        if time.monotonic() - self._looked_s >= SECONDS_BETWEEN_LOOKS:
            self._looked_s = time.monotonic()
            for request in receive(self.search_dir):
                self.obey(request)
        return self.ending

    def obey(self, request: Request) -> None:
        """Do what another terminal asks for."""
        if request.what == "retry":
            self.reopen(request.trials)
            return
        self.is_stopped = True
        if request.what == "cancel":
            self.ending = Status(outcome=Outcome.CANCELLED, message="harness cancel")

    def reopen(self, trials: Sequence[str]) -> None:
        """Make ended trials again, from their checkpoints where they are.

        What is asked for twice is made once: two workers must not have one folder.
        """
        last = {name: self.ledger.last(name) for name in trials}
        again = [name for name, line in last.items() if line and line.outcome.is_final]
        reopen(self.search_dir, self.ledger, again)
        self.ended = [run for run in self.ended if run.name not in again]
        self.unfinished.extend(self.run_of(name) for name in again)

    def run_of(self, name: str) -> Run:
        """A trial of the search by its name."""
        run = self._found(name)
        assert run is not None, name
        return run

    def end_by(self, reason: str) -> None:
        """No new trials, and the running ones are cut short, to go on in another call."""
        self.is_stopped = True
        self.ending = Status(outcome=Outcome.PREEMPTED, message=reason)

    # The listener ---------------------------------------------------------------------------

    def on_start(self, run: Run) -> None:
        line = LedgerLine(trial=run.name, outcome=Outcome.RUNNING, gpus=self.gpus_per_trial)
        self.ledger.append(line)

    def on_fault(self, run: Run, message: str) -> None:
        line = LedgerLine(trial=run.name, outcome=Outcome.QUEUED, message=f"again after: {message}")
        self.ledger.append(line)

    def on_end(self, run: Run, status: Status) -> None:
        scores = scores_of(run.directory)
        self.ledger.note(run.name, status, num_epochs=_num_epochs(scores))
        if status.outcome.is_final:
            self._end(run, status, scores)
        if self.breaker.trips(run.name, status, has_trained=bool(scores)):
            self.is_stopped = True

    # New points -----------------------------------------------------------------------------

    def _new_run(self) -> Run:
        values = self._new_point()
        recipe = self.plan.recipe(values)
        run = self._run(f"t{self.next_number:04}-{recipe.run_id[:6]}", recipe, values)
        self.ledger.append(LedgerLine(trial=run.name, outcome=Outcome.QUEUED, values=values))
        self.study.begin(self.next_number, values)
        self.next_number += 1
        return run

    def _new_point(self) -> dict[str, Any]:
        """A point that no other trial has: an equal one would cost a training for nothing.

        Raises:
            HarnessError: The space has no more points.
        """
        for attempt in range(NUM_ASKS_FOR_A_NEW_POINT):
            values = self.study.ask(self.next_number, attempt)
            if point_key(values) not in self.points:
                break
        else:  # chance may have passed over the last ones
            rest = untried(self.plan.space, self.points)
            if not rest:
                raise HarnessError(
                    f"search {self.plan.name!r}: {self.next_number} trials have tried what the "
                    f"space holds; ask for --trials {self.next_number} or widen it"
                )
            values = rest[derive_seed(self.plan.seed, "rest", self.next_number) % len(rest)]
        self.points.add(point_key(values))
        return values

    def _run(self, name: str, recipe: Recipe, values: Mapping[str, Any]) -> Run:
        return Run(
            group=self.plan.name,
            name=name,
            kind="trial",
            recipe=recipe,
            directory=RunDirectory(self.search_dir / name),
            values=values,
            reports_per_epoch=self.plan.space.search.reports_per_epoch,
        )

    # What the folder holds ------------------------------------------------------------------

    def _runs_so_far(self) -> list[Run]:
        names = {directory.path.name for directory in trial_dirs(self.search_dir)}
        runs = []
        for name in sorted(names | set(self.ledger.trials)):
            self.next_number = max(self.next_number, trial_number(name) + 1)
            run = self._found(name)
            if run is not None:
                runs.append(run)
        return runs

    def _found(self, name: str) -> Run | None:
        """The run of a name; None where a crash, or the user, has left nothing of it."""
        recipe = RunDirectory(self.search_dir / name).recipe
        values = self.ledger.values(name)
        if recipe is None and values is None:
            return None
        if values is None:
            assert recipe is not None
            values = self._values_of(recipe)
        return self._run(name, recipe or self.plan.recipe(dict(values)), values)

    def _values_of(self, recipe: Recipe) -> Mapping[str, Any]:
        space = self.plan.space
        values = {path: recipe.get(path) for path in space.space}
        return space.active(values) if self._fits(values) else values

    def _fits(self, values: Mapping[str, Any]) -> bool:
        """False for the values of a trial of a space that has been changed since."""
        try:
            self.plan.space.recipe(self.plan.space.active(values))
        except HarnessError:
            return False
        return True

    def _status(self, run: Run) -> Status:
        """How a trial stands: what its folder says, or the ledger where the folder is gone.

        Where a full disk had room for the ledger's line alone, the folder is told now.
        """
        status = run.directory.status
        line = self.ledger.last(run.name)
        if status.outcome is not Outcome.QUEUED or line is None or not line.outcome.is_final:
            return status
        if run.directory.path.is_dir():
            run.directory.set_status(line.status)
        return line.status

    def _take_up(self, run: Run, status: Status) -> None:
        self.points.add(point_key(run.values))
        scores = scores_of(run.directory)
        is_ours = run.recipe.data.store == self.plan.store_fingerprint
        if not status.outcome.is_final:
            status = self._cut_short(run, status, scores, is_ours=is_ours)
        elif is_ours:
            went_on = status.outcome is not Outcome.PRUNED
            self.asha.replay(run.name, scores, went_on=went_on)
        self.ledger.note(run.name, status, num_epochs=_num_epochs(scores))
        if is_ours and self.study.begin(trial_number(run.name), run.values):
            self._teach(run, status, scores)
        (self.ended if status.outcome.is_final else self.unfinished).append(run)

    def _teach(self, run: Run, status: Status, scores: Mapping[float, float]) -> None:
        """Tell the study what the folder of a trial holds."""
        if status.outcome.is_final:
            self._end(run, status, scores)
            return
        for epoch, score in scores.items():
            self.study.note(trial_number(run.name), epoch, score)

    def _end(self, run: Run, status: Status, scores: Mapping[float, float]) -> None:
        self.study.end(
            trial_number(run.name),
            status.outcome,
            scores,
            is_diverged=status.reason is FailureReason.DIVERGED,
        )

    def _cut_short(
        self, run: Run, status: Status, scores: Mapping[float, float], *, is_ours: bool
    ) -> Status:
        """How a trial stands whose driver died: perhaps ASHA had yet to speak about its epoch."""
        if not is_ours:
            status = Status(outcome=Outcome.CANCELLED, message="it belongs to another image store")
        elif not self.asha.replay(run.name, scores) and run.recipe.train.epochs not in scores:
            status = Status(outcome=Outcome.PRUNED)
        elif status.outcome is Outcome.RUNNING:
            died = last_written(run.directory)
            return Status(outcome=Outcome.PREEMPTED, message="its driver ended", at=died)
        else:
            return status
        run.directory.set_status(status)
        return status


def scores_of(directory: RunDirectory) -> dict[float, float]:
    """All scores that a run has reported, by the epochs trained until then."""
    reports: list[EpochReport | EarlyReport] = [*directory.early, *directory.epochs]
    return {report.epoch: score_of(report) for report in reports}


def _num_epochs(scores: Mapping[float, float]) -> int:
    """Whole epochs among those that were scored."""
    return sum(float(epoch).is_integer() for epoch in scores)
