"""Searches: made, continued, looked at while they run or later."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.api.calls import AnyPath, AnyStore, called, place_at, results_folder, store_path
from harness.api.frames import run_row
from harness.api.run import Run
from harness.core.errors import HarnessError, did_you_mean
from harness.core.space import SearchSpace
from harness.words import checked_values, count_of, names_of, spaces_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.search.leaderboard import TrialSummary
    from harness.search.plan import SearchPlan

AnySpace = AnyPath | SearchSpace
"""A search space, its file, or the name of a shipped one."""

NUM_SHOWN = 20


@dataclass(frozen=True)
class Board:
    """The trials of one or several searches, read from their folders whenever it is asked.

    Attributes:
        results: Absolute path of the results folder.
        names: Of the searches.
    """

    results: Path
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> "Board":
        """One of the searches.

        Raises:
            HarnessError: There is no such search.
        """
        if name not in self.names:
            near = did_you_mean(name, self.names)
            raise HarnessError(f"no search {name!r} here{near}; there are {', '.join(self.names)}")
        return Board(self.results, (name,))

    @property
    def best(self) -> Run | None:
        """The completed trial with the best validation score; None before there is one."""
        completed = [
            (search, trial)
            for search, _, trial in self._trials()
            if trial.status.outcome == "completed" and trial.score is not None
        ]
        if not completed:
            return None
        search, trial = max(completed, key=lambda pair: pair[1].score or 0.0)
        return Run.of(search, trial.path, self.results)

    def frame(self) -> pd.DataFrame:
        """A row for each trial, of each search the best first: completed, then pruned, then others.

        Columns: `search`, `trial`, `outcome`, `reason` of a failure, `score` (validation macro
        AUROC at the epoch whose weights are kept), `num_epochs`, `best_epoch`, `seconds` of
        training and validation, the values of what was searched by their dotted paths, `val/...`
        (macro means at the kept epoch; completed trials only), `device` and `path`.
        """
        trials = list(self._trials())
        paths = list(dict.fromkeys(path for _, plan, _ in trials for path in plan.space.space))
        rows = [
            {
                "search": search,
                "trial": trial.name,
                **run_row(Run.of(search, trial.path, self.results).directory, paths),
            }
            for search, _, trial in trials
        ]
        return pd.DataFrame(rows)

    def figure(self, name: str = "learning") -> "Figure | None":
        """A picture of the searches, a panel each; None where there is nothing to show yet.

        Args:
            name: `learning`, `history`, `parallel` or `importance`.

        Raises:
            HarnessError: There is no such picture.
        """
        from harness.data.manifest import read_manifest
        from harness.search.history import search_history
        from harness.search.pictures import PICTURES, heading_of

        if name not in PICTURES:
            near = did_you_mean(name, PICTURES)
            raise HarnessError(f"no figure {name!r}{near}; there are {', '.join(PICTURES)}")
        plan = self._plan(self.names[0])
        histories = [search_history(self._folder(search)) for search in self.names]
        store, split = read_manifest(plan.store), plan.space.base.data.split
        return PICTURES[name](histories, heading_of(histories, store, split))

    def _repr_html_(self) -> str:
        """What a notebook shows: the best trials."""
        frame = self.frame()
        shown = frame.drop(columns=["device", "path", "seconds"], errors="ignore").head(NUM_SHOWN)
        more = len(frame) - len(shown)
        text: str = shown.dropna(axis="columns", how="all").to_html(index=False, na_rep="")
        return text + (f"<p>and {more} more: .frame() has all</p>" if more else "")

    def _trials(self) -> "Iterator[tuple[str, SearchPlan, TrialSummary]]":
        from harness.search.leaderboard import leaderboard

        for name in self.names:
            plan = self._plan(name)
            for trial in leaderboard(self._folder(name), plan.default_recipe):
                yield name, plan, trial

    def _plan(self, name: str) -> "SearchPlan":
        from harness.search.plan import read_plan

        return read_plan(self._folder(name))

    def _folder(self, name: str) -> Path:
        return self.results / "searches" / name


@called
def search(
    *spaces: AnySpace,
    data: AnyStore,
    trials: int | str,
    name: str = "",
    set: Mapping[str, Any] | None = None,
    sampler: str | None = None,
    scheduler: str | None = None,
    warm_start: str | Sequence[str] = (),
    hours: float | None = None,
    gpu_hours: float | None = None,
    keep: int = 5,
    accept_changes: bool = False,
    address: str | None = None,
    storage: AnyPath | None = None,
    cpus_per_trial: int = 1,
    gpus_per_trial: float | None = None,
    seed: int = 0,
    results: AnyPath | None = None,
) -> Board:
    """Search spaces at equal budgets on Ray, everything in MLflow; called again, it continues.

    Args:
        spaces: Search spaces, their files, or names of shipped ones.
        data: Image store, or where it lies.
        trials: Of each space; trial 0 is its default point. `"+20"`: so many more.
        name: Of the search, where there is one; without, the space's.
        set: Values of every recipe by dotted path, fixed: `{"train.epochs": 5}`.
        sampler: `gp`, `tpe` or `random`, in place of the space's.
        scheduler: `asha` or `none`, in place of the space's.
        warm_start: Earlier searches whose winners are tried right after trial 0.
        hours: The search ends after so many; called again, it goes on.
        gpu_hours: The same, of all calls together.
        keep: So many of the best trials keep their weights.
        accept_changes: Go on although space, data or code have changed.
        address: Of a Ray cluster: `auto`, or host:port; None for this machine.
        storage: Where nodes keep runs that share no results folder: a path, `s3://bucket/prefix`.
        cpus_per_trial: CPU cores, and torch threads, of a trial.
        gpus_per_trial: None for one where Ray has any.
        seed: Of all randomness.
        results: Folder of all that is written; None for `HARNESS_RESULTS`, else `results`.

    Returns:
        The trials, best first.

    Raises:
        HarnessError: Something is wrong that can be seen before the first trial.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    chosen = _spaces(spaces, name, set, sampler=sampler, scheduler=scheduler)
    num_trials, is_extension = count_of(str(trials))
    place = place_at(
        results,
        address=address,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        storage=storage,
    )
    from harness import jobs

    order = jobs.SearchOrder(
        num_trials=num_trials,
        is_extension=is_extension,
        seed=seed,
        keep=keep,
        accept_changes=accept_changes,
        warm_start=names_of(warm_start if isinstance(warm_start, str) else ",".join(warm_start)),
        budget=jobs.Budget(hours=hours, gpu_hours=gpu_hours),
    )
    jobs.search(chosen, store=store_path(data), order=order, place=place)
    return Board(place.results, tuple(chosen))


@called
def estimate(
    *spaces: AnySpace,
    data: AnyStore,
    trials: int | str,
    name: str = "",
    set: Mapping[str, Any] | None = None,
    address: str | None = None,
    cpus_per_trial: int = 1,
    gpus_per_trial: float | None = None,
    results: AnyPath | None = None,
) -> pd.DataFrame:
    """What a search would take, from steps measured on a node that will train; nothing is begun.

    Returns:
        A column of texts for each search: hours, wall clock, disk.

    Raises:
        HarnessError: Something is wrong that would also end the search before its first trial.
    """
    chosen = _spaces(spaces, name, set)
    num_trials, is_extension = count_of(str(trials))
    place = place_at(
        results, address=address, cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial
    )
    from harness import jobs

    order = jobs.SearchOrder(num_trials=num_trials, is_extension=is_extension)
    found = jobs.estimate(chosen, store=store_path(data), order=order, place=place)
    return pd.DataFrame({key: dict(each.rows()) for key, each in found.items()})


@called
def open_search(*names: str, results: AnyPath | None = None) -> Board:
    """The trials of searches that were begun, wherever they run.

    Args:
        names: Of searches; none for all that are in the results folder.

    Raises:
        HarnessError: There is no such search.
    """
    from harness.search.plan import PLAN_FILE, find_search

    folder = results_folder(results)
    if not names:
        found = sorted((folder / "searches").glob(f"*/{PLAN_FILE}"))
        names = tuple(path.parent.name for path in found)
        if not names:
            raise HarnessError(f"no search in {folder}: run harness.search first")
    for name in names:
        find_search(name, folder)
    return Board(folder, names)


@called
def winners(
    search: str | None = None, *, limit: int = 10, results: AnyPath | None = None
) -> pd.DataFrame:
    """The best completed trials of all searches, or of one, as MLflow has them.

    Returns:
        Columns `search`, `trial`, `model`, `score`, `mlflow_run_id`, and the sampled values by
        their dotted paths.

    Raises:
        HarnessError: There is no MLflow store, or no such search in it.
    """
    from harness import tracking

    rows = tracking.winners(results_folder(results), search=search, limit=limit)
    return pd.DataFrame(
        [
            {
                "search": row.search,
                "trial": row.run,
                "model": row.model,
                "score": row.score,
                "mlflow_run_id": row.mlflow_run_id,
                **row.values,
            }
            for row in rows
        ]
    )


@called
def spaces() -> pd.DataFrame:
    """What is searched in the shipped spaces: a row for each parameter of each."""
    from harness.core.space import describe_space, shipped_spaces

    found = [SearchSpace.load(path) for path in shipped_spaces().values()]
    return pd.DataFrame([
        {"space": space.name, **row} for space in found for row in describe_space(space)
    ])  # fmt: skip


def _spaces(
    words: Sequence[AnySpace],
    name: str,
    values: Mapping[str, Any] | None,
    *,
    sampler: str | None = None,
    scheduler: str | None = None,
) -> dict[str, SearchSpace]:
    if not words:
        raise HarnessError("name a search space, such as 'dannynet'; harness.spaces() lists them")
    found = [word if isinstance(word, SearchSpace) else Path(word) for word in words]
    return spaces_of(
        found, name, checked_values(values or {}), sampler=sampler, scheduler=scheduler
    )
