"""`MlflowIndex`: the groups and runs in MLflow, each found again by its tags, never made twice.

Raises whatever MLflow raises; `Tracker` is the one that survives it.
"""

import json
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import Metric
from mlflow.entities import Run as MlflowRun

from harness.core.records import EpochReport, Outcome, RunRecord, Status, now
from harness.core.run import Run
from harness.tracking import contents
from harness.tracking.store import Store

EPOCH = "epoch"
"""A metric equal to its step: its history says which epochs MLflow already has."""

SYNCED = "harness.synced"
"""The last tag of a finished run: how far it was logged with everything that belongs to it."""


@dataclass
class Child:
    """A run as MLflow has it; `epochs` is None until it is asked."""

    mlflow_id: str
    status: str = "RUNNING"
    synced: str = ""
    has_params: bool = False
    epochs: set[int] | None = None


@dataclass
class Group:
    """A search or a benchmark and its runs by name; `parent_id` is None until it is known."""

    name: str
    kind: contents.GroupKind
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    parent_id: str | None = None
    children: dict[str, Child] = field(default_factory=dict)


class MlflowIndex:
    """The runs of an experiment, in as few requests as can be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client = store.client
        self._groups: dict[str, Group] = {}

    def add_group(self, group: Group) -> None:
        """Announce a group; it is looked up, or made, when first needed."""
        self._groups[group.name] = group

    def forget(self) -> None:
        """Drop what is known, after a fault that may have changed it; it is asked anew."""
        for group in self._groups.values():
            group.parent_id = None

    # Runs -----------------------------------------------------------------------------------

    def start(self, run: Run) -> None:
        """Find or make the run, and show it as running."""
        self._set_running(run, self._child(run))

    def log_epochs(self, run: Run, reports: Sequence[EpochReport]) -> None:
        """Log the epochs that MLflow does not have yet."""
        child = self._child(run)
        self._store.log(child.mlflow_id, metrics=self._new_points(child, reports))
        self._epochs(child).update(report.epoch for report in reports)

    def sync(self, run: Run, status: Status) -> None:
        """Log all that the run's directory holds and MLflow lacks."""
        if status.outcome is Outcome.QUEUED:
            return
        child, reports = self._child(run), run.directory.epochs
        if status.outcome not in contents.TERMINAL:
            self._set_running(run, child)
            self.log_epochs(run, reports)
            return
        mark = f"{status.outcome} after {len(reports)} epochs"
        if child.synced != mark:
            self._log_results(run, child, status)
            self._terminate(child, status)
            self._log_artifacts(run, child)
            self._store.log(child.mlflow_id, tags={SYNCED: mark})
            child.synced = mark

    def close_stale(self, group: str, live: Collection[str]) -> None:
        """Close the runs that MLflow believes running and that are not among the `live` names."""
        self.parent_id(group)
        status = Status(outcome=Outcome.CANCELLED, message="the process that ran it is gone")
        for name, child in self._groups[group].children.items():
            if child.status == "RUNNING" and name not in live:
                self._store.log(child.mlflow_id, tags=contents.status_tags(status))
                self._terminate(child, status)

    # Parents --------------------------------------------------------------------------------

    def parent_id(self, group: str) -> str:
        """The id of the group's own run in MLflow; finds it and its children, or makes it."""
        known = self._groups[group]
        if known.parent_id is None:
            found = list(self._store.search(contents.group_filter(group)))
            parents = [run for run in found if _kind(run) == known.kind]
            known.children = {}
            for run in found:
                if contents.GROUP_KIND.get(_kind(run)) == known.kind:
                    known.children.setdefault(run.data.tags.get("harness.run", ""), _child_of(run))
            known.parent_id = self._open_parent(known, parents[0] if parents else None)
        return known.parent_id

    def end_group(self, group: str, status: Status, rows: list[dict[str, Any]]) -> None:
        """Log the leaderboard and close the parent."""
        parent_id, tags = self.parent_id(group), contents.status_tags(status)
        if rows:
            with tempfile.TemporaryDirectory() as folder:
                contents.write_leaderboard(Path(folder), rows)
                self._client.log_artifacts(parent_id, folder)
            table = [{"path": "leaderboard.json", "type": "table"}]
            tags["mlflow.loggedArtifacts"] = json.dumps(table)  # where the UI looks for tables
        self._store.log(parent_id, tags=tags)
        ended = contents.TERMINAL.get(status.outcome, "FINISHED")
        self._client.set_terminated(parent_id, ended, contents.milliseconds(status.at))

    def log_files(self, group: str, paths: Iterable[Path]) -> None:
        """Copy files and folders to the parent."""
        parent_id = self.parent_id(group)
        for path in paths:
            if path.is_dir():
                self._client.log_artifacts(parent_id, str(path), path.name)
            else:
                self._client.log_artifact(parent_id, str(path))

    def _open_parent(self, group: Group, parent: MlflowRun | None) -> str:
        tags = {**group.tags, **contents.group_tags(group.name, group.kind)}
        if parent is None:
            parent = self._client.create_run(
                self._store.experiment_id, tags=tags, run_name=group.name
            )
        else:
            self._client.update_run(parent.info.run_id, "RUNNING")
        params = {name: str(value) for name, value in group.params.items()}
        new = {name: value for name, value in params.items() if name not in parent.data.params}
        self._store.log(parent.info.run_id, params=new, tags=tags)
        return str(parent.info.run_id)

    # Children -------------------------------------------------------------------------------

    def _child(self, run: Run) -> Child:
        if run.group not in self._groups:
            self.add_group(Group(run.group, contents.GROUP_KIND[run.kind]))
        parent_id = self.parent_id(run.group)
        children = self._groups[run.group].children
        if run.name not in children:
            children[run.name] = self._make_child(run, parent_id)
        child = children[run.name]
        if not child.has_params:
            self._store.log(child.mlflow_id, params=contents.params_of(run.recipe))
            child.has_params = True
        return child

    def _make_child(self, run: Run, parent_id: str) -> Child:
        provenance = run.directory.provenance
        made = self._client.create_run(
            self._store.experiment_id,
            start_time=contents.milliseconds(provenance.started_at if provenance else now()),
            tags=contents.tags_of(run) | {"mlflow.parentRunId": parent_id},
            run_name=run.name,
        )
        return Child(made.info.run_id, epochs=set())

    def _set_running(self, run: Run, child: Child) -> None:
        status = Status(outcome=Outcome.RUNNING)
        tags = contents.status_tags(status) | contents.provenance_tags(run.directory.provenance)
        if child.synced:
            tags[SYNCED] = child.synced = ""
        self._store.log(child.mlflow_id, tags=tags)
        if child.status != "RUNNING":
            self._client.update_run(child.mlflow_id, "RUNNING")
            child.status = "RUNNING"

    def _terminate(self, child: Child, status: Status) -> None:
        child.status = contents.TERMINAL[status.outcome]
        ended_ms = contents.milliseconds(status.at)
        self._client.set_terminated(child.mlflow_id, child.status, ended_ms)

    def _log_results(self, run: Run, child: Child, status: Status) -> None:
        reports, record = run.directory.epochs, run.directory.record
        points = self._new_points(child, reports)
        if record is not None:
            curves = {name for report in reports for name in report.metrics}
            points += _final_points(record, contents.final_metrics(record, curves=curves))
        tags = (
            contents.status_tags(status)
            | contents.provenance_tags(run.directory.provenance)
            | contents.weights_tags(run.directory)
        )
        self._store.log(child.mlflow_id, metrics=points, tags=tags)
        self._epochs(child).update(report.epoch for report in reports)

    def _log_artifacts(self, run: Run, child: Child) -> None:
        with tempfile.TemporaryDirectory() as folder:
            contents.stage_artifacts(run, Path(folder))
            self._client.log_artifacts(child.mlflow_id, folder)

    def _epochs(self, child: Child) -> set[int]:
        if child.epochs is None:
            history = self._client.get_metric_history(child.mlflow_id, EPOCH)
            child.epochs = {point.step for point in history}
        return child.epochs

    def _new_points(self, child: Child, reports: Sequence[EpochReport]) -> list[Metric]:
        logged, moment_ms = self._epochs(child), contents.milliseconds(now())
        return [
            Metric(name, value, moment_ms, report.epoch)
            for report in reports
            if report.epoch not in logged
            for name, value in {
                EPOCH: float(report.epoch),
                **contents.finite(report.metrics),
            }.items()
        ]


def _kind(found: MlflowRun) -> str:
    return str(found.data.tags.get("harness.kind", ""))


def _child_of(found: MlflowRun) -> Child:
    tags = found.data.tags
    return Child(
        mlflow_id=found.info.run_id,
        status=found.info.status,
        synced=tags.get(SYNCED, ""),
        has_params=bool(found.data.params),
    )


def _final_points(record: RunRecord, metrics: Mapping[str, float]) -> list[Metric]:
    """The same points however often they are made: MLflow drops what it already has."""
    ended_ms = contents.milliseconds(record.provenance.started_at) + round(1000 * record.duration_s)
    return [Metric(name, value, ended_ms, record.best_epoch) for name, value in metrics.items()]
