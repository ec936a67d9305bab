"""What the options of the commands are, and what their words mean: a space, values, a place.

Nothing heavy is imported here before it is needed, so that a mistake is told at once.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.core.errors import HarnessError
from harness.data.split_lists import pinned

if TYPE_CHECKING:
    from harness.core.space import SearchSpace
    from harness.jobs import Place

Results = Annotated[
    Path, typer.Option("--results", envvar="HARNESS_RESULTS", help="Folder of all that is written.")
]
Store = Annotated[Path, typer.Option("--data", help="Image store, made by `harness data prepare`.")]
Address = Annotated[
    str | None,
    typer.Option("--address", help="Ray cluster: `auto`, or host:port. Without: this machine."),
]
StorageUri = Annotated[
    str | None,
    typer.Option(
        "--storage",
        help="Where nodes keep runs that share no results folder: a path, or s3://bucket/prefix",
    ),
]
CpusPerTrial = Annotated[int, typer.Option(min=1, help="CPU cores, and torch threads, of a run.")]
GpusPerTrial = Annotated[
    float | None, typer.Option(min=0, help="GPUs of a run. Without: 1 where Ray has any.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder of the store to write.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all randomness.")]

RESULTS = Path("results")


def place_of(
    results: Path, address: str | None, cpus: int, gpus: float | None, storage: str | None
) -> "Place":
    results = writable(results)
    if storage and "://" not in storage:
        storage = str(Path(storage).resolve())
    from harness.execution.ray_session import Resources
    from harness.jobs import Place

    resources = Resources(cpus=cpus, gpus=gpus)
    return Place(results=results, address=address, resources=resources, storage=storage)


def writable(results: Path) -> Path:
    """The results folder, absolute, once it seems that it can be written or made.

    Raises:
        HarnessError: It cannot.
    """
    results = results.resolve()
    nearest = next(path for path in (results, *results.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        what = "may not be written" if nearest.is_dir() else "is not a folder"
        raise HarnessError(f"--results {results}: {nearest} {what}; name another folder")
    return results


def count_of(trials: str) -> tuple[int, bool]:
    """`60` and `+20` as a number, and whether it comes on top of what there is.

    Raises:
        HarnessError: It is neither.
    """
    text = trials.strip()
    number = text.removeprefix("+")
    if not number.isdecimal() or int(number) < 1:
        raise HarnessError(f"--trials {trials}: give a number such as 60, or +20 for 20 more")
    return int(number), text.startswith("+")


def speedups_of(name: str) -> Any:
    """The name of a speed-up, checked.

    Raises:
        HarnessError: There is no such one.
    """
    from typing import get_args

    from harness.core.errors import did_you_mean
    from harness.core.machine import Speedups

    names = ("auto", *get_args(Speedups))
    if name not in names:
        raise HarnessError(
            f"--speedups {name}: give one of {', '.join(names)}{did_you_mean(name, names)}"
        )
    return name


def names_of(text: str) -> tuple[str, ...]:
    """`a,b` as names, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def checked_name(name: str) -> str:
    """The name of a search or a benchmark, which is also its folder.

    Raises:
        HarnessError: It would lead elsewhere, or trouble a shell.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
        raise HarnessError(
            f"--name {name!r}: begin with a letter or a digit, and use no more than letters, "
            "digits, '_', '.' and '-'"
        )
    return name


def space_of(path_or_name: str, values: dict[str, object]) -> "SearchSpace":
    """A search space with the `values` of `--set` fixed.

    Raises:
        HarnessError: There is no such space, or it cannot have these values.
    """
    from harness.core.space import SearchSpace

    space = SearchSpace.load(path_or_name)
    own = {path: space.base.get(path) for path in PLACES}
    space = space.model_copy(update={"base": space.base.with_values(_absolute(own))})
    with in_set():
        return space.with_base(values)


def spaces_of(
    names: list[str],
    search_name: str,
    values: dict[str, object],
    *,
    sampler: str | None,
    scheduler: str | None,
) -> dict[str, "SearchSpace"]:
    """Search spaces by the names of their searches, with `values` fixed.

    Raises:
        HarnessError: A space does not exist, or two would have one name.
    """
    if search_name and len(names) > 1:
        raise HarnessError("--name is for one space; several are named by their files")
    settings = {"sampler": sampler, "scheduler": scheduler}
    chosen = {key: value for key, value in settings.items() if value is not None}
    spaces: dict[str, SearchSpace] = {}
    for name in names:
        space = space_of(name, values).with_search(chosen)
        key = checked_name(search_name or space.name)
        if key in spaces:
            raise HarnessError(f"{name}: another of these spaces is named {key!r}, too")
        spaces[key] = space
    return spaces


@contextmanager
def in_set() -> Iterator[None]:
    """Says of a mistake that it is in `--set`."""
    try:
        yield
    except HarnessError as error:
        raise HarnessError(f"--set: {error}") from None


def settings_of(texts: list[str]) -> dict[str, object]:
    """`optim.lr=1e-4` as a path and a value, read as YAML reads it.

    Raises:
        HarnessError: It has no `=`, or the path has an option of its own.
    """
    from harness.core.yaml_file import scalar

    values: dict[str, object] = {}
    for path, equals, value in (text.partition("=") for text in texts):
        name = path.strip()
        if not equals:
            raise HarnessError(f"--set {path}: write it as --set PATH=VALUE")
        if option := {"seed": "--seed", "data.store": "--data"}.get(name):
            raise HarnessError(f"--set {path}: give it by {option}")
        values[name] = scalar(value.strip())
    return _absolute(values)


def _absolute(values: dict[str, object]) -> dict[str, object]:
    """Files that recipes name by their absolute paths: a worker may stand in another folder."""
    told = {path: PLACES[path](str(values[path])) for path in PLACES if path in values}
    return values | told


def _absolute_weights(name: str) -> str:
    return name if name in ("none", "imagenet") else str(Path(name).resolve())


PLACES: dict[str, Callable[[str], str]] = {
    "model.weights": _absolute_weights,
    "data.split": pinned,
}
"""Recipe paths whose values may name files, and how they are told."""
