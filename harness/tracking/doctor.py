"""What MLflow believes running though nobody is at work on it: found, and closed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.tracking.contents import GROUP_KIND
from harness.tracking.entries import Group
from harness.tracking.index import MlflowIndex
from harness.tracking.stale import StaleRun, running
from harness.tracking.store import find_store, has_store, store_uri, told_in_one_line


def find_stale(
    results: Path, uri: str | None = None, *, is_alive: Callable[[str], bool]
) -> list[StaleRun]:
    """Runs, searches and benchmarks that are RUNNING in MLflow and whose group is not alive.

    Args:
        is_alive: Whether a process is at work on the search or benchmark of this name.

    Raises:
        HarnessError: The store does not answer. No store at all has nothing stale.
    """
    if not has_store(results, uri):
        return []
    store = find_store(results, uri)
    with told_in_one_line(store_uri(results, uri)):
        found = running(store, results)
    alive = {group for group in {stale.group for stale in found} if is_alive(group)}
    return [stale for stale in found if stale.group not in alive]


def close_stale(results: Path, stale: Sequence[StaleRun], uri: str | None = None) -> None:
    """Close each by what its directory says; one whose directory is gone as cancelled.

    Raises:
        HarnessError: The store does not answer.
    """
    store = find_store(results, uri)
    index = MlflowIndex(store, results)
    for group, kind in {(one.group, GROUP_KIND[one.kind]) for one in stale if not one.is_group}:
        index.add_group(Group(group, kind))
    with told_in_one_line(store_uri(results, uri)):
        for one in sorted(stale, key=lambda one: one.is_group):  # a group ends after its runs
            index.close(one)
