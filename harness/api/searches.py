"""Searches, made and continued, and what they found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.api.board import Board
from harness.api.calls import AnyPath, AnyStore, called, place_at, results_folder, store_path
from harness.core.errors import HarnessError
from harness.core.space import SearchSpace
from harness.words import checked_values, count_of, names_of, spaces_of

AnySpace = AnyPath | SearchSpace
"""A search space, its file, or the name of a shipped one."""


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
    place = place_at(results, address, cpus_per_trial, gpus_per_trial, storage)
    from harness.jobs.search import SearchOrder
    from harness.jobs.search import search as run_search
    from harness.search.budget import Budget

    order = SearchOrder(
        num_trials=num_trials,
        is_extension=is_extension,
        warm_start=names_of(warm_start if isinstance(warm_start, str) else ",".join(warm_start)),
        seed=seed,
        keep=keep,
        accept_changes=accept_changes,
        budget=Budget(hours=hours, gpu_hours=gpu_hours),
    )
    run_search(chosen, store=store_path(data), order=order, place=place)
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
    place = place_at(results, address, cpus_per_trial, gpus_per_trial)
    from harness.jobs.search import SearchOrder
    from harness.jobs.search import estimate as estimate_search

    order = SearchOrder(num_trials=num_trials, is_extension=is_extension)
    found = estimate_search(chosen, store=store_path(data), order=order, place=place)
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
