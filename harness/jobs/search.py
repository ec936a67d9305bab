"""`search`: spaces become folders of trials, side by side, and go on from what the folders hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.ledger import Ledger
from harness.core.locks import held
from harness.core.provenance import code_version
from harness.core.recipe import Recipe
from harness.core.records import Outcome, Status
from harness.core.run import Run, RunListener
from harness.core.space import SearchSpace
from harness.core.space_checks import corners
from harness.core.space_lint import lint_space
from harness.execution.progress import ProgressDisplay
from harness.execution.ray_session import Resources, fit_resources, num_slots, start_ray
from harness.execution.storage import Storage
from harness.jobs.one_search import OneSearch
from harness.jobs.place import Place, get_ready, machine_of, open_images, open_storage
from harness.jobs.tracked import tracked
from harness.search.budget import Budget
from harness.search.control import LEDGER_FILE, LOCK_FILE, receive
from harness.search.estimate import Estimate
from harness.search.estimate import estimate as estimate_trials
from harness.search.housekeeping import Housekeeper
from harness.search.leaderboard import TrialSummary
from harness.search.mirror import StoredWeights, fetch_trials
from harness.search.plan import PLAN_FILE, SearchPlan, WarmStart, check_plan, read_plan, write_plan
from harness.search.points import check_room
from harness.search.trial_source import TrialSource
from harness.search.trial_sources import TrialSources
from harness.search.warm_start import refit, warm_start
from harness.tracking import Tracker


@dataclass(frozen=True, kw_only=True)
class SearchOrder:
    """How much is to be searched, and by which rules.

    Attributes:
        num_trials: Of each space.
        is_extension: `num_trials` is on top of what a finished search has made.
        keep: So many of the best trials keep their weights.
        accept_changes: Go on although the space, the store or the code has changed.
        warm_start: Names of searches whose winners are tried first, after the default point.
    """

    num_trials: int
    is_extension: bool = False
    seed: int = 0
    keep: int = 5
    accept_changes: bool = False
    warm_start: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)


def search(
    spaces: Mapping[str, SearchSpace], *, store: Path, order: SearchOrder, place: Place
) -> dict[str, list[TrialSummary]]:
    """Search spaces at equal budgets, or finish what was begun; their trials, best first.

    Args:
        spaces: By the name of the search of each.

    Raises:
        HarnessError: Something is wrong that can be seen before the first trial.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    with ExitStack() as stack:
        job = _Job(spaces, store, order, place)
        searches = [job.begin(plan, stack) for plan in job.plans]
        tracker = Tracker.open(place.results, place.tracking_uri)
        for each in searches:
            place.console.print(f"search {each.plan.name}: {each.counts}")
        to_run = [each for each in searches if each.source.num_to_run]
        resources = job.get_ready(to_run, stack) if to_run else None
        for each in searches:
            shown = each.tracked(tracker, job.images, place.console)
            stack.enter_context(tracked(tracker, shown))
        if resources:
            job.make(to_run, resources, tracker)
        return {each.plan.name: each.board for each in searches}


def estimate(
    spaces: Mapping[str, SearchSpace], *, store: Path, order: SearchOrder, place: Place
) -> dict[str, Estimate]:
    """What the trials that are left of each search will take; nothing is written.

    Raises:
        HarnessError: Something is wrong that would also end the search before its first trial.
    """
    job = _Job(spaces, store, order, place)
    start_ray(place.address)
    resources = fit_resources(place.resources)
    return {
        plan.name: estimate_trials(
            plan.default_recipe,
            machine_of(job.images, resources),
            settings=plan.space.search,
            resources=resources,
            num_trials=_num_left(plan, job.folder(plan)),
            num_slots=num_slots(resources),
            num_kept=plan.keep,
        )
        for plan in job.plans
    }


class _Job:
    """What the searches of one command share."""

    def __init__(
        self, spaces: Mapping[str, SearchSpace], store: Path, order: SearchOrder, place: Place
    ) -> None:
        self.order = order
        self.place = place
        self.images = open_images(store, [space.base for space in spaces.values()])
        self.storage = open_storage(place)
        self.held: set[Path] = set()
        self.plans = [self._plan(name, space) for name, space in spaces.items()]
        for plan in self.plans:
            self._check(plan)

    def folder(self, plan: SearchPlan) -> Path:
        return self.place.results / "searches" / plan.name

    def begin(self, plan: SearchPlan, stack: ExitStack) -> OneSearch:
        """The search as its folder has it, which is ours from now on; nothing is begun."""
        folder = self.folder(plan)
        is_stored = self.storage is not None and bool(self.storage.names(plan.name))
        if folder.exists() or is_stored:
            self._hold(folder, stack)
        if self.storage is not None:
            fetch_trials(self.storage, folder)
        if is_stored and not (folder / PLAN_FILE).exists():
            write_plan(plan, folder)
        source = TrialSource(plan, folder)
        if folder in self.held:
            old = receive(folder)  # of an earlier call, which has ended; a retry still holds
            source.reopen([name for request in old for name in request.trials])
        return OneSearch(plan, folder, source)

    def get_ready(self, searches: Sequence[OneSearch], stack: ExitStack) -> Resources:
        """What a trial gets, once all is there; from here on the searches exist."""
        resources = get_ready(
            self.place,
            [recipe for each in searches for recipe in recipes_of(each.plan.space)],
            self.images,
            num_runs=sum(each.source.num_to_run for each in searches),
            num_kept=sum(each.plan.keep for each in searches),
        )
        if self.order.budget.gpu_hours is not None and not resources.gpus:
            self.place.console.print(
                "--gpu-hours ends nothing here, since trials take no GPU; --hours would"
            )
        for each in searches:
            if each.folder not in self.held:
                self._hold(each.folder, stack)
                if (each.folder / PLAN_FILE).exists():
                    raise HarnessError(
                        f"search {each.plan.name!r} was begun by another process meanwhile; run "
                        "the same command again to go on with it"
                    )
            write_plan(each.plan, each.folder)
            each.source.gpus_per_trial = resources.gpus or 0.0
        return resources

    def _hold(self, folder: Path, stack: ExitStack) -> None:
        """Make the search of a folder ours until the stack is closed."""
        stack.enter_context(held(folder / LOCK_FILE))
        self.held.add(folder)

    def make(self, searches: Sequence[OneSearch], resources: Resources, tracker: Tracker) -> None:
        """The trials that are left."""
        from harness.execution.ray_tune import execute  # a finished search needs no Ray

        counts: Counter[Outcome] = Counter()
        for each in searches:
            counts.update(each.ended)
        display = ProgressDisplay(
            f"search {', '.join(each.plan.name for each in searches)}",
            total=sum(each.plan.num_trials for each in searches),
            console=self.place.console,
            done=counts,
            best=max((best for each in searches if (best := each.best)), default=None),
        )
        with display:
            execute(
                TrialSources([each.source for each in searches], self.order.budget),
                machine=machine_of(self.images, resources),
                resources=resources,
                scratch=searches[0].folder / "ray",
                listeners=[tracker, display, Housekeeping(searches, self.storage)],
                storage=self.storage,
                may_grow=self.place.address is not None,
            )

    def _plan(self, name: str, space: SearchSpace) -> SearchPlan:
        folder = self.place.results / "searches" / name
        return SearchPlan(
            name=name,
            space=space,
            store=self.images.path,
            store_fingerprint=self.images.fingerprint,
            num_trials=self._num_trials(folder),
            seed=self.order.seed,
            code=code_version(),
            keep=self.order.keep,
            warm_start=self._warm_start(folder, space),
        )

    def _warm_start(self, folder: Path, space: SearchSpace) -> WarmStart:
        """As it was when the search began, whatever has become of the others since."""
        names = self.order.warm_start
        before = read_plan(folder).warm_start if (folder / PLAN_FILE).exists() else WarmStart()
        if not names or names == before.searches:
            return refit(before, space) if names else WarmStart()
        if folder.name in names:
            raise HarnessError(f"--warm-start {folder.name}: a search cannot start from itself")

        def tell(line: str) -> None:
            self.place.console.print(f"search {folder.name}: {line}")

        return warm_start(space, names, self.place.results, tell)

    def _num_trials(self, folder: Path) -> int:
        """The trials in all. An extension that was cut short goes on, and extends no further."""
        order = self.order
        if not order.is_extension or not (folder / PLAN_FILE).exists():
            return order.num_trials
        before = read_plan(folder)
        return before.num_trials + (0 if _num_left(before, folder) else order.num_trials)

    def _check(self, plan: SearchPlan) -> None:
        folder, console = self.folder(plan), self.place.console
        changed = check_plan(plan, folder, accept_changes=self.order.accept_changes)
        if changed:
            console.print(f"search {plan.name} goes on with changes: {'; '.join(changed)}")
        check_room(plan, folder)
        for warning in lint_space(plan.space):
            console.print(f"search {plan.name}: {warning.message}")


def recipes_of(space: SearchSpace) -> list[Recipe]:
    """A recipe for each network, its input and the weights it starts from, of a space's corners."""
    points = corners(space.base, space.space)
    recipes = (space.base.with_values(values) for values in points)
    found: dict[tuple[object, ...], Recipe] = {}
    for recipe in recipes:
        found.setdefault((recipe.model.name, recipe.model.weights, recipe.data.input_px), recipe)
    return list(found.values())


def _num_left(plan: SearchPlan, folder: Path) -> int:
    """Trials of a search that have not ended."""
    last = Ledger(folder / LEDGER_FILE).last_lines
    return max(0, plan.num_trials - sum(line.outcome.is_final for line in last))


class Housekeeping(RunListener):
    """A listener that holds each search to the weights of its best trials."""

    def __init__(self, searches: Sequence[OneSearch], storage: Storage | None) -> None:
        self.keepers: dict[str, Housekeeper | StoredWeights] = {}
        for each in searches:
            keep = each.plan.keep
            if storage is None:
                keeper = Housekeeper(each.folder, keep=keep)
                keeper.tidy()
                self.keepers[each.plan.name] = keeper
            else:
                self.keepers[each.plan.name] = StoredWeights(storage, each.folder, keep=keep)

    def on_end(self, run: Run, status: Status) -> None:
        self.keepers[run.group].ended(run.directory)
