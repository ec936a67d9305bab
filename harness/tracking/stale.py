"""Runs that MLflow believes running, and what their directories say of them."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlflow.entities import Run as MlflowRun

from harness.core.errors import HarnessError
from harness.core.records import Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.tracking import contents
from harness.tracking.store import Store

PROCESS_ENDED = "the process that trained it ended"
DRIVER_ENDED = "the process that drove it ended; the same command goes on with it"


@dataclass(frozen=True)
class StaleRun:
    """A run, or the run of a whole search or benchmark, that is RUNNING in MLflow.

    Attributes:
        name: Of the run; of the group for the group's own run.
        kind: `trial` or `final`; `search` or `benchmark` for the group's own run.
        directory: The run's, or the group's; it may be gone.
        status: What MLflow should say, unless a process is at work on it.
    """

    group: str
    name: str
    kind: str
    mlflow_run_id: str
    directory: Path
    status: Status

    @property
    def is_group(self) -> bool:
        """True for the run of a whole search or benchmark."""
        return self.kind not in contents.GROUP_KIND

    @property
    def run(self) -> Run | None:
        """The run as its directory has it; None for a group's own, and where there is none."""
        recipe = None
        with suppress(HarnessError):
            recipe = None if self.is_group else RunDirectory(self.directory).recipe
        if recipe is None:
            return None
        kind: Literal["trial", "final"] = "trial" if self.kind == "trial" else "final"
        return Run(self.group, self.name, kind, recipe, RunDirectory(self.directory))


def running(store: Store, results: Path, group: str | None = None) -> list[StaleRun]:
    """What MLflow believes running of these results, of one group or of all."""
    wanted = "attributes.status = 'RUNNING'"
    if group is not None:
        wanted += f" AND {contents.group_filter(group)}"
    found = (_stale(run, results) for run in store.search(wanted) if store.owns(run))
    return [stale for stale in found if stale is not None]


def _stale(found: MlflowRun, results: Path) -> StaleRun | None:
    tags = found.data.tags
    kind, group = tags.get("harness.kind", ""), tags.get("harness.group", "")
    if kind not in contents.KINDS:
        return None
    is_group = kind not in contents.GROUP_KIND
    name = group if is_group else tags.get("harness.run", "")
    directory = _directory(tags.get("harness.directory", ""), results, kind, group, name)
    status = _group_status(directory) if is_group else run_status(RunDirectory(directory))
    return StaleRun(group, name, kind, found.info.run_id, directory, status)


def run_status(directory: RunDirectory) -> Status:
    """The status of a run that nobody trains."""
    if not directory.path.is_dir():
        return Status(outcome=Outcome.CANCELLED, message=f"{directory.path} is gone")
    try:
        status = directory.status
    except HarnessError as error:
        return Status(outcome=Outcome.CANCELLED, message=str(error))
    if status.outcome in contents.TERMINAL:
        return status
    return Status(outcome=Outcome.PREEMPTED, message=PROCESS_ENDED, at=status.at)


def _group_status(directory: Path) -> Status:
    if not directory.is_dir():
        return Status(outcome=Outcome.CANCELLED, message=f"{directory} is gone")
    return Status(outcome=Outcome.PREEMPTED, message=DRIVER_ENDED)


def _directory(tagged: str, results: Path, kind: str, group: str, name: str) -> Path:
    """Where the run lies: as MLflow has it, or in `results`, where those were moved."""
    folders = {
        "trial": results / "searches" / group / name,
        "final": results / group / "runs" / name,
        "search": results / "searches" / group,
        "benchmark": results / group,
    }
    return Path(tagged) if tagged and Path(tagged).is_dir() else folders[kind]
