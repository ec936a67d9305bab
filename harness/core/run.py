"""`Run`: one training run as the driver process knows it, and who listens to its course."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from harness.core.recipe import Recipe
from harness.core.records import EpochReport, Status
from harness.core.run_dir import RunDirectory


@dataclass(frozen=True)
class Run:
    """A run to be made, or made.

    Attributes:
        group: Name of the search or the benchmark that it belongs to.
        name: Its own name within the group, such as `t0007-3fa2c1`.
        kind: `trial` of a search or `final` run of a benchmark.
        values: What the search sampled, by dotted recipe path.
        reports_per_epoch: How often an epoch is validated and reported, at its end included.
    """

    group: str
    name: str
    kind: Literal["trial", "final"]
    recipe: Recipe
    directory: RunDirectory
    values: Mapping[str, Any] = field(default_factory=dict)
    reports_per_epoch: int = 1

    @property
    def key(self) -> str:
        """Names the run among those of all groups."""
        return f"{self.group}/{self.name}"


class RunListener(Protocol):
    """Somebody in the driver process who follows runs: MLflow, a progress display.

    A subclass overrides what it wants to hear of; the rest does nothing.
    """

    def on_start(self, run: Run) -> None:
        return

    def on_epoch(self, run: Run, report: EpochReport) -> None:
        return

    def on_end(self, run: Run, status: Status) -> None:
        return
