"""Which run somebody means, and where the image store lies that it was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.benchmark.comparison import COMPARISON_FILE, Comparison
from harness.core.errors import HarnessError, did_you_mean
from harness.core.run_dir import RunDirectory
from harness.data.manifest import read_manifest
from harness.search.plan import PLAN_FILE, read_plan

SHORTEST_ID = 6
MAX_TOLD = 5


@dataclass(frozen=True)
class FoundRun:
    """A run that lies in some folder.

    Attributes:
        group: The search or benchmark that it belongs to; empty for a run of `harness train`.
    """

    group: str
    directory: RunDirectory

    @property
    def name(self) -> str:
        """`dannynet/t0007-3fa2c1`, or the folder's own name."""
        name = self.directory.path.name
        return f"{self.group}/{name}" if self.group else name


def find_run(word: str, results: Path) -> FoundRun:
    """The run that `word` names.

    Args:
        word: A run directory; `SEARCH/TRIAL` or `BENCHMARK/RUN`; the name of either alone; or the
            run's id. The end of a name or an id may be left out where no other begins so.
        results: Absolute path of the results folder.

    Raises:
        HarnessError: No run is named so, or several are.
    """
    path = Path(word).expanduser()
    if path.is_dir() and RunDirectory(path.resolve()).recipe is not None:
        return _of_path(path.resolve(), results)
    runs = list(all_runs(results))
    found = [run for run in runs if word in (run.name, run.directory.path.name)]
    if not found and (of_group := [run.name for run in runs if run.group == word]):
        raise HarnessError(f"{word}: a search or a benchmark; name a run of it: {of_group[0]}")
    found = found or [run for run in runs if _begins(run, word)]
    if not found:
        near = did_you_mean(word, [run.name for run in runs])
        raise HarnessError(
            f"{word}: neither a run directory nor a run in {results}{near}; `harness winners` "
            "lists the best"
        )
    if len(found) > 1:
        told = ", ".join(run.name for run in found[:MAX_TOLD])
        more = f" and {len(found) - MAX_TOLD} more" if len(found) > MAX_TOLD else ""
        raise HarnessError(f"{word}: several runs are named so: {told}{more}; give more of it")
    return found[0]


def store_of(found: FoundRun, results: Path, given: Path | None = None) -> Path:
    """The image store that a run was trained on, by its fingerprint.

    Args:
        given: Where somebody says that it lies; else it is looked for where the run or its search
            says and in the results folder.

    Raises:
        HarnessError: It is not there, or another store is.
    """
    recipe = found.directory.recipe
    wanted = recipe.data.store if recipe else ""
    if given is not None:
        if (there := read_manifest(given).fingerprint) != wanted:
            raise HarnessError(
                f"--data {given}: the run {found.name} belongs to the store {wanted[:12]}, this "
                f"one is {there[:12]}"
            )
        return given
    for path in _known_stores(found, results):
        if _fingerprint(path) == wanted:
            return path
    raise HarnessError(
        f"{found.name}: the image store {wanted[:12]} that it was trained on is not where it was; "
        "say where it lies: --data STORE"
    )


def _of_path(path: Path, results: Path) -> FoundRun:
    for run in all_runs(results):
        if run.directory.path == path:
            return run
    return FoundRun("", RunDirectory(path))


def all_runs(results: Path) -> Iterator[FoundRun]:
    """The runs of all searches and benchmarks, by name."""
    places = [(path.name, path) for path in sorted((results / "searches").glob("*"))]
    places += [(path.parent.name, path) for path in sorted(results.glob("*/runs"))]
    for group, place in places:
        for path in sorted(place.glob("*/recipe.json")):
            yield FoundRun(group, RunDirectory(path.parent))


def _begins(run: FoundRun, word: str) -> bool:
    name = run.name if "/" in word else run.directory.path.name
    if word and name.startswith(word):
        return True
    if len(word) < SHORTEST_ID or (recipe := run.directory.recipe) is None:
        return False
    return recipe.run_id.startswith(word)


def _known_stores(found: FoundRun, results: Path) -> Iterator[Path]:
    """Where the run, its search or those of its benchmark had it; then the results' own stores."""
    if (own := found.directory.store) is not None:
        yield own
    searches = [found.group] if found.group else []
    if found.group and (results / found.group / COMPARISON_FILE).is_file():
        searches += list(Comparison.read(results / found.group).searches)
    for name in searches:
        if (results / "searches" / name / PLAN_FILE).is_file():
            yield read_plan(results / "searches" / name).store
    yield from sorted((results / "stores").glob("*"))


def _fingerprint(store: Path) -> str | None:
    try:
        return read_manifest(store).fingerprint
    except HarnessError:
        return None
