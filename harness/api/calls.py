"""What all calls share: how mistakes are told, and what folders and stores are meant."""

import inspect
import os
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from harness.core.errors import HarnessError, did_you_mean
from harness.data.store import ImageStore
from harness.words import place_of

if TYPE_CHECKING:
    from harness.jobs.place import Place

P = ParamSpec("P")
R = TypeVar("R")

AnyPath = str | os.PathLike[str]
AnyStore = AnyPath | ImageStore
"""An image store, or where it lies."""

JOINED: dict[str, str | None] = {}
"""The `address` of the Ray that this process has, once a call has asked for one."""

OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?: (?=[A-Z]))?")


def called(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose mistakes name its keywords where those of a command name its options."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except HarnessError as error:
            error.args = (in_keywords(str(error), function), *error.args[1:])
            raise

    return call


def in_keywords(message: str, function: Callable[..., object]) -> str:
    """`message` with options as keywords of `function`; what it does not take stays.

    `--warm-start NAME` as `warm_start=NAME`, `--fix` as `fix=True`, `--no-boxes` as `boxes=False`.
    """
    keywords = inspect.signature(function).parameters

    def keyword(found: re.Match[str]) -> str:
        name = found[1].replace("-", "_")
        if name in keywords:
            is_flag = isinstance(keywords[name].default, bool)
            return f"{name}=" if found[0].endswith(" ") else f"{name}=True" if is_flag else name
        bare = name.removeprefix("no_")
        return f"{bare}=False" if bare in keywords else found[0]

    return OPTION.sub(keyword, message)


def results_folder(results: AnyPath | None) -> Path:
    """The results folder, absolute; without a name that of the environment, as the commands do."""
    return Path(results or os.environ.get("HARNESS_RESULTS") or "results").resolve()


def place_at(
    results: AnyPath | None,
    address: str | None,
    cpus_per_trial: int,
    gpus_per_trial: float | None,
    storage: AnyPath | None = None,
) -> "Place":
    """Where a job runs, in the one Ray that a process has.

    Raises:
        HarnessError: The results cannot be written, or this process has the Ray of another address.
    """
    folder = results_folder(results)
    uri = None if storage is None else os.fspath(storage)
    place = place_of(folder, address, cpus_per_trial, gpus_per_trial, uri)
    from harness.execution.ray_session import is_connected

    before = JOINED.get("address", address)
    if is_connected() and before != address:
        raise HarnessError(
            f"--address {address}: this process has the Ray of {before or 'this machine'} already; "
            "restart it, a notebook's kernel, to use another"
        )
    JOINED["address"] = address
    return place


def store_path(data: AnyStore) -> Path:
    """Where an image store lies, absolute."""
    return data.path if isinstance(data, ImageStore) else Path(data).resolve()


def figure_named(name: str, figures: Mapping[str, R]) -> R:
    """What draws the figure of that name.

    Raises:
        HarnessError: There is no such figure.
    """
    if name not in figures:
        near = did_you_mean(name, figures)
        raise HarnessError(f"no figure {name!r}{near}; there are {', '.join(figures)}")
    return figures[name]


def named_words(files: "Mapping[str, AnyPath] | list[AnyPath] | AnyPath | None") -> list[str]:
    """Files by the names of their rows, as the words `NAME=FILE` of the command line."""
    if files is None:
        return []
    if isinstance(files, Mapping):
        return [f"{name}={os.fspath(file)}" for name, file in files.items()]
    return [os.fspath(file) for file in (files if isinstance(files, list) else [files])]
