"""`run_search`: a space, a store and a number of trials become a folder of run directories.

The folder is the state: running the same search again reads it and does what is left.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from harness.core.errors import HarnessError
from harness.core.files import read_json, write_json
from harness.core.machine import Machine
from harness.core.recipe import Frozen, Recipe
from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run, RunListener
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.search.leaderboard import trial_dirs, trial_number
from harness.search.ray_session import Resources
from harness.search.study import Study

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

PLAN_FILE = "search.json"
NUM_ASKS_FOR_A_NEW_POINT = 20
MAX_CHANGES = 8
"""Told where another search has the name."""


class SearchPlan(Frozen):
    """What a search is; written to `search.json` in its folder.

    Attributes:
        store_fingerprint: Of the image store that every recipe of the search is bound to.
        seed: Seeds the sampler, and the training of every trial alike.
    """

    name: str
    space: SearchSpace
    store: Path
    store_fingerprint: str
    num_trials: int
    seed: int

    def recipe(self, values: dict[str, Any]) -> Recipe:
        """The recipe of a trial, bound to the store."""
        bound = {
            "data.store": self.store_fingerprint,
            "seed": derive_seed(self.seed, "trial") % 2**31,
        }
        return self.space.recipe(values).with_values(bound)

    @property
    def published(self) -> Recipe:
        """The recipe of trial 0."""
        return self.recipe(self.space.default_values())


def check_plan(plan: SearchPlan, search_dir: Path) -> None:
    """Nothing, where the plan begins a search or goes on with the one of its name.

    Only the number of trials, and where the store lies, may change between calls.

    Raises:
        HarnessError: Another search has this name; the message lists what differs.
    """
    path = search_dir / PLAN_FILE
    changed = _changes(read_json(path), plan.model_dump(mode="json")) if path.exists() else []
    if changed:
        more = f" and {len(changed) - MAX_CHANGES} more" if len(changed) > MAX_CHANGES else ""
        raise HarnessError(
            f"search {plan.name!r} was begun with other settings: "
            f"{'; '.join(changed[:MAX_CHANGES])}{more}; take another --name, or the same settings "
            "to continue it"
        )


def write_plan(plan: SearchPlan, search_dir: Path) -> None:
    """Write the plan into the folder of its search."""
    write_json(search_dir / PLAN_FILE, plan.model_dump(mode="json"))


def _changes(before: Any, after: Any, place: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        free = {"num_trials", "store"}
        return [
            change
            for name in before | after
            if place or name not in free
            for change in _changes(before.get(name), after.get(name), f"{place}.{name}".strip("."))
        ]
    if before == after:
        return []
    if place.startswith("space.space.") and {type(before), type(after)} == {dict, type(None)}:
        was, now = ("searched", "fixed") if before else ("fixed", "searched")
        return [f"{place.removeprefix('space.space.')} was {was}, is {now}"]
    return [f"{place} was {before!r}, is {after!r}"]


class TrialSource:
    """Hands out the trials of a search: the unfinished ones first, then new points."""

    def __init__(self, plan: SearchPlan, search_dir: Path) -> None:
        self.plan = plan
        self.search_dir = search_dir
        self.study = Study(plan.space, seed=plan.seed)
        self.open_trials: dict[str, optuna.Trial] = {}
        self.run_ids: set[str] = set()
        self.ended: list[Run] = []
        self.unfinished: deque[Run] = deque()
        self.next_number = 0
        for directory in trial_dirs(search_dir):
            self._take_up(directory)

    @property
    def num_to_run(self) -> int:
        return len(self.unfinished) + max(0, self.plan.num_trials - self.next_number)

    def next_run(self) -> Run | None:
        if self.unfinished:
            run = self.unfinished.popleft()
            trial, _ = self.study.reopen(run.values)
        elif self.next_number < self.plan.num_trials:
            trial, values, recipe = self._new_point()
            run = self._run(f"t{self.next_number:04}-{recipe.run_id[:6]}", recipe, values)
            self.next_number += 1
        else:
            return None
        self.open_trials[run.name] = trial
        return run

    def on_start(self, run: Run) -> None:
        """Nothing to note: the trial was opened when it was handed out."""

    def on_epoch(self, run: Run, report: EpochReport) -> None:
        """Nothing to note: a run that goes on after a lost worker may tell an epoch twice."""

    def on_end(self, run: Run, status: Status) -> None:
        trial = self.open_trials.pop(run.name)
        if status.outcome.is_final:
            self.study.tell(trial, status.outcome, _scores(run.directory))

    def _new_point(self) -> tuple[optuna.Trial, dict[str, Any], Recipe]:
        """A point whose recipe no other trial has: an equal one would cost a training for nothing.

        Raises:
            HarnessError: The space has no more points.
        """
        for _ in range(NUM_ASKS_FOR_A_NEW_POINT):
            trial, values = self.study.ask(self.next_number)
            recipe = self.plan.recipe(values)
            if recipe.run_id not in self.run_ids:
                self.run_ids.add(recipe.run_id)
                return trial, values, recipe
            self.study.tell(trial, Outcome.FAILED, {})
        raise HarnessError(
            f"search {self.plan.name!r}: {self.next_number} trials have tried what the space "
            f"holds; ask for --trials {self.next_number} or widen it"
        )

    def _run(self, name: str, recipe: Recipe, values: dict[str, Any]) -> Run:
        return Run(
            group=self.plan.name,
            name=name,
            kind="trial",
            recipe=recipe,
            directory=RunDirectory(self.search_dir / name),
            values=values,
        )

    def _take_up(self, directory: RunDirectory) -> None:
        self.next_number = max(self.next_number, trial_number(directory) + 1)
        recipe = directory.recipe
        if recipe is None:
            return  # the driver died between making the folder and writing into it
        self.run_ids.add(recipe.run_id)
        space = self.plan.space
        values = space.active({path: recipe.get(path) for path in space.space})
        run = self._run(directory.path.name, recipe, values)
        outcome = directory.status.outcome
        if outcome.is_final:
            self.study.add(values, outcome, _scores(directory))
            self.ended.append(run)
        else:
            self.unfinished.append(run)


def _scores(directory: RunDirectory) -> dict[int, float]:
    return {report.epoch: report.metrics[SCORE] for report in directory.epochs}


def run_search(
    source: TrialSource,
    *,
    machine: Machine,
    resources: Resources,
    listeners: Sequence[RunListener] = (),
) -> None:
    """Make the trials that are left, on the Ray that `start_ray` has connected to."""
    from harness.search.execution import execute  # a finished search needs no Ray

    execute(
        source,
        machine=machine,
        resources=resources,
        scratch=source.search_dir / "ray",
        listeners=listeners,
        scheduler=_scheduler(source.plan.space),
    )


def _scheduler(space: SearchSpace) -> "TrialScheduler | None":
    from ray.tune.schedulers import ASHAScheduler

    if space.search.scheduler == "none":
        return None
    num_epochs = space.base.train.epochs
    return ASHAScheduler(
        time_attr="epoch",
        metric=SCORE,
        mode="max",
        grace_period=min(space.search.grace_epochs, num_epochs),
        reduction_factor=space.search.reduction_factor,
        max_t=num_epochs + 1,  # Ray stops a trial at max_t, and one at its end is not pruned
    )
