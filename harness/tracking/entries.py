"""What is known of the groups and runs that MLflow has: small records, one for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow.entities import Run as MlflowRun

from harness.core.records import Outcome
from harness.tracking import contents

SYNCED = "harness.synced"
"""The last tag of an ended run: the end up to which MLflow has all that belongs to it."""

FIGURES = "harness.figures"
"""The end of the run whose figures were drawn."""


@dataclass
class Child:
    """A run as MLflow has it; `epochs` is None until it is asked, and once the run has ended."""

    mlflow_id: str
    parent_id: str
    directory: str
    status: str = "RUNNING"
    outcome: str = str(Outcome.RUNNING)
    synced: str = ""
    figures: str = ""
    has_params: bool = False
    has_provenance: bool = False
    is_deleted: bool = False
    epochs: set[int] | None = None


@dataclass
class Group:
    """A search or a benchmark and its runs by name.

    Attributes:
        parent_id: Of the group's own run in MLflow; None until one is found or made.
        is_loaded: MLflow was asked for what it has of the group.
        is_open: This process has opened the group's own run.
        doubtful: Names of runs at which a request failed, which may have been carried out or not.
        deleted: Names of runs that were deleted in MLflow, and not told of for that reason.
    """

    name: str
    kind: contents.GroupKind
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    parent_id: str | None = None
    is_loaded: bool = False
    is_open: bool = False
    children: dict[str, Child] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)


def kind_of(found: MlflowRun) -> str:
    """`trial`, `final`, `search` or `benchmark`; empty for a run that is none of ours."""
    return str(found.data.tags.get("harness.kind", ""))


def is_deleted(found: MlflowRun) -> bool:
    """True for a run that somebody has deleted in MLflow, where it can be restored."""
    return bool(found.info.lifecycle_stage == "deleted")


def keep(children: dict[str, Child], found: MlflowRun) -> None:
    """Add a found run; of two of one name the first counts that is not deleted."""
    tags = found.data.tags
    name = tags.get("harness.run", "")
    if name in children and (is_deleted(found) or not children[name].is_deleted):
        return
    children[name] = Child(
        mlflow_id=found.info.run_id,
        parent_id=tags.get(contents.PARENT, ""),
        directory=tags.get("harness.directory", ""),
        status=found.info.status,
        outcome=tags.get("harness.outcome", ""),
        synced=tags.get(SYNCED, ""),
        figures=tags.get(FIGURES, ""),
        has_params=bool(found.data.params),
        has_provenance="harness.split" in tags,
        is_deleted=is_deleted(found),
    )
