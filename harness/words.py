"""What the words of a command or of a call mean: a space, values, a place, files, a model.

The command line and the Python interface take the same ones. Nothing heavy is imported here before
it is needed, so that a mistake is told at once. Messages name what was given as the command line
does, `--data`; `harness.api` makes keywords of these.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.data.split_lists import pinned

if TYPE_CHECKING:
    from harness.benchmark.plan import BenchmarkPlan
    from harness.bundle.classifier import Classifier
    from harness.core.recipe import Recipe
    from harness.core.space import SearchSpace
    from harness.jobs.place import Place


def place_of(
    results: Path, address: str | None, cpus: int, gpus: float | None, storage: str | None
) -> "Place":
    """Where a job runs, once it seems that its results can be written."""
    results = writable(results)
    if storage and "://" not in storage:
        storage = str(Path(storage).resolve())
    from harness.execution.ray_session import Resources
    from harness.jobs.place import Place

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


def space_of(word: "str | Path | SearchSpace", values: Mapping[str, object]) -> "SearchSpace":
    """A search space, shipped, of a file or as it is given, with the `values` of `--set` fixed.

    Raises:
        HarnessError: There is no such space, or it cannot have these values.
    """
    space = _load(word)
    own = {path: space.base.get(path) for path in PLACES}
    space = space.model_copy(update={"base": space.base.with_values(_absolute(own))})
    with in_set():
        return space.with_base(values)


def _load(word: "str | Path | SearchSpace") -> "SearchSpace":
    from harness.core.space import SearchSpace

    return word if isinstance(word, SearchSpace) else SearchSpace.load(word)


def spaces_of(
    words: "Sequence[str | Path | SearchSpace]",
    search_name: str,
    values: Mapping[str, object],
    *,
    sampler: str | None,
    scheduler: str | None,
) -> dict[str, "SearchSpace"]:
    """Search spaces by the names of their searches, with `values` fixed.

    Raises:
        HarnessError: A space does not exist, or two would have one name.
    """
    if search_name and len(words) > 1:
        raise HarnessError("--name is for one space; several are named by their files")
    settings = {"sampler": sampler, "scheduler": scheduler}
    chosen = {key: value for key, value in settings.items() if value is not None}
    spaces: dict[str, SearchSpace] = {}
    for word in words:
        space = space_of(_load(word).with_search(chosen), values)
        key = checked_name(search_name or space.name)
        if key in spaces:
            raise HarnessError(f"{space.name}: another of these spaces is named {key!r}, too")
        spaces[key] = space
    return spaces


def recipe_of(
    word: "str | Path | SearchSpace", values: Mapping[str, object], *, seed: int
) -> "Recipe":
    """The recipe at the default point of a space, with the `values` of `--set` in it.

    Raises:
        HarnessError: There is no such space, or its recipe cannot have these values.
    """
    recipe = space_of(word, {}).default_recipe
    with in_set():
        recipe = recipe.with_values(dict(values))
    return recipe.with_values({"seed": seed})


@contextmanager
def in_set() -> Iterator[None]:
    """Says of a mistake that it is in `--set`."""
    try:
        yield
    except HarnessError as error:
        raise HarnessError(f"--set: {error}") from None


def settings_of(texts: list[str]) -> dict[str, object]:
    """Each `optim.lr=1e-4` as a path and a value, read as YAML reads it.

    Raises:
        HarnessError: One has no `=`, or its path has an option of its own.
    """
    from harness.core.yaml_file import scalar

    values: dict[str, object] = {}
    for path, equals, value in (text.partition("=") for text in texts):
        if not equals:
            raise HarnessError(f"--set {path}: write it as --set PATH=VALUE")
        values[path.strip()] = scalar(value.strip())
    return checked_values(values)


def checked_values(values: Mapping[str, object]) -> dict[str, object]:
    """Values by dotted recipe path; those that name files name them by their absolute paths.

    Raises:
        HarnessError: A path has an option of its own.
    """
    for path, option in {"seed": "--seed", "data.store": "--data"}.items():
        if path in values:
            raise HarnessError(f"--set {path}: give it by {option}")
    return _absolute(dict(values))


def _absolute(values: dict[str, object]) -> dict[str, object]:
    """Files that recipes name by their absolute paths: a worker may stand in another folder."""
    told = {path: PLACES[path](str(values[path])) for path in PLACES if path in values}
    return values | told


def _absolute_weights(name: str) -> str:
    return name if name in ("none", "imagenet") else str(Path(name).expanduser().resolve())


PLACES: dict[str, Callable[[str], str]] = {
    "model.weights": _absolute_weights,
    "data.split": pinned,
}
"""Recipe paths whose values may name files, and how they are told."""


def plan_of(
    word: "str | Path | BenchmarkPlan | None",
    searches: Sequence[str],
    *,
    name: str = "",
    seeds: int | None = None,
) -> "BenchmarkPlan":
    """What is compared: a plan, shipped, of a file or as it is given; or the winners of searches.

    Args:
        name: Of the benchmark, in place of the plan's own.
        seeds: Final runs of each recipe, in place of the plan's own.

    Raises:
        HarnessError: There is no such plan; both are named, or neither; or the name is no folder's.
    """
    from harness.benchmark.plan import BenchmarkPlan

    if (word is None) == (not searches):
        raise HarnessError("name a plan, or searches with --search NAME")
    name = checked_name(name) if name else ""
    if word is None:
        plan = BenchmarkPlan.of_searches(searches, name=name)
    else:
        plan = word if isinstance(word, BenchmarkPlan) else BenchmarkPlan.load(word)
    return plan.with_options(name=name or None, seeds=seeds)


def named_files(words: Iterable[str]) -> dict[str, Path]:
    """Absolute paths by name, of `NAME=FILE`; of a `FILE` alone its own name is taken.

    Raises:
        HarnessError: There is no such file, two have one name, or a name is no folder's.
    """
    from harness.benchmark.foreign import parse_named

    found: dict[str, Path] = {}
    for word in words:
        name, path = parse_named(word if "=" in word else f"{_name_of(word)}={word}")
        if checked_name(name) in found:
            raise HarnessError(f"--predictions {word}: the name {name!r} is taken; give NAME=FILE")
        found[name] = path.resolve()
    return found


def _name_of(file: str) -> str:
    return Path(file).name.partition(".")[0]


def classifier_of(model: str | None, results: Path) -> "Classifier":
    """The classifier of `models:/NAME@ALIAS` or of a bundle's folder; without, the newest champion.

    Raises:
        HarnessError: There is no such model.
    """
    if model and not model.startswith("models:"):
        from harness.bundle.bundle import Bundle

        bundle = Bundle.read(Path(model))
        from harness.bundle.classifier import Classifier  # takes seconds: mistakes are told first

        return Classifier.of(bundle)
    from harness.tracking.registry import open_classifier

    return open_classifier(model, results)


def checked_alias(alias: str) -> str:
    """An alias of a promoted model.

    Raises:
        HarnessError: MLflow would not take it.
    """
    if not alias.replace("-", "").replace("_", "").isalnum() or alias.lower() == "latest":
        raise HarnessError(f"--alias {alias!r}: use letters, digits, '_' and '-', and not 'latest'")
    return alias
