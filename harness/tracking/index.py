"""`MlflowIndex`: the groups and runs in MLflow, each found again by its tags, never made twice.

Raises whatever MLflow raises; `Writer` is the one that survives it.
"""

import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Run as MlflowRun
from mlflow.entities import ViewType

from harness.core.errors import HarnessError
from harness.core.records import EpochReport, Outcome, RunRecord, Status, now
from harness.core.run import Run
from harness.tracking import contents
from harness.tracking.entries import FIGURES, SYNCED, Child, Group, is_deleted, keep, kind_of
from harness.tracking.points import EPOCH, batches, epoch_points, final_points
from harness.tracking.stale import StaleRun, run_status, running
from harness.tracking.store import RESULTS_ID, Store
from harness.tracking.writer import News


class MlflowIndex:
    """The runs of an experiment, in as few requests as can be."""

    def __init__(self, store: Store, results: Path) -> None:
        self._store = store
        self._client = store.client
        self._results = results
        self._groups: dict[str, Group] = {}

    def add_group(self, group: Group) -> None:
        """Announce a group; it is looked up, or made, when first needed."""
        self._groups[group.name] = group

    def num_deleted(self, group: str) -> int:
        """How many runs of the group were left alone since they were deleted in MLflow."""
        return len(self._groups[group].deleted)

    # Runs -----------------------------------------------------------------------------------

    def write(self, news: News) -> Child | None:
        """Log all that is told of a run and MLflow lacks; None where it leaves the run alone."""
        run = news.run
        status = news.status or run.directory.status
        if status.outcome is Outcome.QUEUED:
            return None
        if news.status is None:
            status = run_status(run.directory)
        ended = contents.TERMINAL.get(status.outcome)
        reports, record = news.reports, run.directory.record if ended else None
        if ended:  # read now, so that a damaged directory leaves nothing half told
            reports = (*reports, *run.directory.epochs)
        try:
            child = self._child(run, is_live=news.is_live)
            if child is not None and ended:
                self._end(run, child, status, reports=reports, record=record)
            elif child is not None:
                self._go_on(run, child, reports)
        except Exception:
            if run.group in self._groups:
                self._groups[run.group].doubtful.add(run.name)
            raise
        return child

    def close_running(self, group: str) -> None:
        """Close the runs of the group that MLflow believes running, by their directories."""
        self.parent_id(group)
        for stale in running(self._store, self._results, group):
            if not stale.is_group:
                self.close(stale)

    def close(self, stale: StaleRun) -> None:
        """Bring what nobody is at work on in step with its directory."""
        run, status, child = stale.run, stale.status, None
        try:
            child = self.write(News(run, status, is_live=False)) if run else None
        except HarnessError as error:  # what is damaged cannot be told, but the run has ended
            status = status.model_copy(update={"message": str(error)})
        if child is None or child.mlflow_id != stale.mlflow_run_id:
            self._store.log(stale.mlflow_run_id, tags=contents.status_tags(status))
            self._terminate(stale.mlflow_run_id, status)

    def log_figures(self, run: Run) -> None:
        """Draw the curves of an ended run, where that was not done yet."""
        child, mark = self._child(run, is_live=False), run.directory.status.at
        if child is None or child.figures == mark:
            return
        with tempfile.TemporaryDirectory() as folder:
            if not contents.stage_figures(run, Path(folder)):
                return
            self._client.log_artifacts(child.mlflow_id, folder, "figures")
        tags = contents.weights_tags(run.directory) | {FIGURES: mark}
        self._store.log(child.mlflow_id, tags=tags)
        child.figures = mark

    # Groups ---------------------------------------------------------------------------------

    def parent_id(self, group: str) -> str:
        """The id of the group's own run in MLflow, found or made, and opened by this process."""
        known = self._load(group)
        if known.parent_id is None or not known.is_open:
            known.parent_id = self._open_parent(known)
            known.is_open = True
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
        self._terminate(parent_id, status)

    def log_files(self, group: str, paths: Iterable[Path]) -> None:
        """Copy files and folders to the parent."""
        parent_id = self.parent_id(group)
        for path in paths:
            if path.is_dir():
                self._client.log_artifacts(parent_id, str(path), path.name)
            else:
                self._client.log_artifact(parent_id, str(path))

    def forget_parent(self, group: str) -> None:
        """Ask for the group's own run anew, after a fault that may have changed it."""
        self._groups[group].is_loaded = False

    def _load(self, group: str) -> Group:
        """What MLflow has of a group; nothing is made or changed there."""
        known = self._groups[group]
        if not known.is_loaded:
            known.parent_id, known.children, known.doubtful = None, {}, set()
            for found in self._find(contents.group_filter(group)):
                if kind_of(found) == known.kind and not is_deleted(found):
                    known.parent_id = known.parent_id or found.info.run_id
                elif contents.GROUP_KIND.get(kind_of(found)) == known.kind:
                    keep(known.children, found)
            known.is_loaded = True
        return known

    def _open_parent(self, group: Group) -> str:
        tags = {**group.tags, **contents.group_tags(group.name, group.kind), **self._owner_tag()}
        if group.parent_id is None:
            parent = self._client.create_run(
                self._store.experiment_id, tags=tags, run_name=group.name
            )
        else:
            parent = self._client.get_run(group.parent_id)
            self._client.update_run(group.parent_id, "RUNNING")
        params = {name: str(value) for name, value in group.params.items()}
        new = {name: value for name, value in params.items() if name not in parent.data.params}
        self._store.log(parent.info.run_id, params=new, tags=tags)
        return str(parent.info.run_id)

    def _find(self, wanted: str) -> Iterable[MlflowRun]:
        found = self._store.search(wanted, view=ViewType.ALL)
        return (run for run in found if self._store.owns(run))

    def _owner_tag(self) -> dict[str, str]:
        return {RESULTS_ID: self._store.results_id} if self._store.results_id else {}

    def _terminate(self, mlflow_id: str, status: Status) -> None:
        ended_ms = contents.milliseconds(status.at)
        self._client.set_terminated(mlflow_id, contents.TERMINAL[status.outcome], ended_ms)

    # One run --------------------------------------------------------------------------------

    def _child(self, run: Run, *, is_live: bool) -> Child | None:
        if run.group not in self._groups:
            self.add_group(Group(run.group, contents.GROUP_KIND[run.kind]))
        group = self._load(run.group)
        if run.name in group.doubtful:
            group.children.pop(run.name, None)
            for found in self._find(contents.run_filter(run.group, run.name)):
                keep(group.children, found)
            group.doubtful.discard(run.name)
        child = group.children.get(run.name)
        if child is not None and child.is_deleted and not is_live:
            group.deleted.add(run.name)
            return None
        if child is None or child.is_deleted:
            child = group.children[run.name] = self._make_child(run)
        return child

    def _make_child(self, run: Run) -> Child:
        parent_id = self.parent_id(run.group)
        provenance, directory = run.directory.provenance, str(run.directory.path)
        made = self._client.create_run(
            self._store.experiment_id,
            start_time=contents.milliseconds(provenance.started_at if provenance else now()),
            tags=contents.tags_of(run)
            | contents.status_tags(Status(outcome=Outcome.RUNNING))
            | contents.provenance_tags(provenance)
            | {contents.PARENT: parent_id}
            | self._owner_tag(),
            run_name=run.name,
        )
        has_provenance = provenance is not None
        return Child(
            made.info.run_id, parent_id, directory, has_provenance=has_provenance, epochs=set()
        )

    def _go_on(self, run: Run, child: Child, reports: Sequence[EpochReport]) -> None:
        """Show the run as running, with the epochs that it has reported."""
        tags: dict[str, str] = {}
        if child.status != "RUNNING":
            self._client.update_run(child.mlflow_id, "RUNNING")
            child.status = "RUNNING"
        if child.outcome != Outcome.RUNNING:
            running_tags = contents.status_tags(Status(outcome=Outcome.RUNNING))
            tags = contents.tags_of(run) | running_tags | {SYNCED: ""}
        if not child.has_provenance:
            tags |= contents.provenance_tags(run.directory.provenance)
        if tags or reports or not child.has_params:
            self._log(run, child, reports, tags=tags)
        child.outcome = str(Outcome.RUNNING)
        child.has_provenance = child.has_provenance or "harness.split" in tags

    def _end(
        self,
        run: Run,
        child: Child,
        status: Status,
        *,
        reports: Sequence[EpochReport],
        record: RunRecord | None,
    ) -> None:
        """Log what is left of an ended run, and close it."""
        num_epochs = len({report.epoch for report in reports})
        mark = f"{status.outcome} at {status.at} after {num_epochs} epochs"
        if _is_synced(child, mark, self._groups[run.group].parent_id, run, status):
            return
        tags = contents.status_tags(status) | contents.provenance_tags(run.directory.provenance)
        tags |= {"harness.directory": str(run.directory.path)}
        if record is None:
            tags |= {SYNCED: mark}
        self._log(run, child, reports, tags=tags, record=record)
        self._terminate(child.mlflow_id, status)
        if record is not None:
            with tempfile.TemporaryDirectory() as folder:
                contents.stage_artifacts(run, Path(folder))
                self._client.log_artifacts(child.mlflow_id, folder)
            self._store.log(child.mlflow_id, tags={SYNCED: mark})
        child.status, child.outcome = contents.TERMINAL[status.outcome], str(status.outcome)
        child.synced, child.directory, child.epochs = mark, str(run.directory.path), None

    def _log(
        self,
        run: Run,
        child: Child,
        reports: Sequence[EpochReport],
        *,
        tags: dict[str, str],
        record: RunRecord | None = None,
    ) -> None:
        """Log whole epochs, a request at a time, and with the last of them all the rest."""
        if child.epochs is None:
            history = self._client.get_metric_history(child.mlflow_id, EPOCH)
            child.epochs = {point.step for point in history}
        by_epoch = {report.epoch: report for report in reports}
        new = [by_epoch[epoch] for epoch in sorted(by_epoch) if epoch not in child.epochs]
        *earlier, last = batches(new)
        for batch in earlier:
            self._store.log(child.mlflow_id, metrics=epoch_points(batch))
            child.epochs.update(report.epoch for report in batch)
        parent_id = self._groups[run.group].parent_id
        if parent_id and parent_id != child.parent_id:  # its parent of before was deleted
            tags = tags | {contents.PARENT: parent_id}
        self._store.log(
            child.mlflow_id,
            metrics=[*epoch_points(last), *final_points(record, reports)],
            params={} if child.has_params else contents.params_of(run.recipe),
            tags=tags,
        )
        child.epochs.update(report.epoch for report in last)
        child.has_params, child.parent_id = True, parent_id or child.parent_id


def _is_synced(child: Child, mark: str, parent_id: str | None, run: Run, status: Status) -> bool:
    return (
        child.synced == mark
        and child.status == contents.TERMINAL[status.outcome]
        and child.parent_id == (parent_id or child.parent_id)
        and child.directory == str(run.directory.path)
    )
