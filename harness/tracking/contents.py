"""What MLflow is told about a run, made from its directory alone. Calls nothing of MLflow's."""

import csv
import json
import math
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from harness.core.files import sha256_of_file
from harness.core.recipe import Recipe, recipe_paths
from harness.core.records import Evaluation, Outcome, Provenance, RunRecord, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.evaluation.curves import pr_figure, reliability_figure, roc_figure
from harness.evaluation.figures import save_figure

ARTIFACTS = ("recipe.json", "record.json", "thresholds.json")
"""What whoever sees MLflow but not the results folder needs to make or judge a run again.

The epochs and the provenance are on the run's page as metrics and tags; predictions are large.
"""

FINDING_METRICS = ("auroc", "auprc", "f1")
"""By which runs are compared, per finding; the others are in the record. Each costs 0.2 ms."""

GroupKind = Literal["search", "benchmark"]
GROUP_KIND: dict[str, GroupKind] = {"trial": "search", "final": "benchmark"}
"""The kind of group that a run of each kind belongs to."""

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow nests runs."""

FINGERPRINT = "harness.fingerprint"
"""The tag of a search that names the image store by which its trials are ranked."""

KINDS = (*GROUP_KIND, *GROUP_KIND.values())

TERMINAL = {
    Outcome.COMPLETED: "FINISHED",
    Outcome.PRUNED: "FINISHED",
    Outcome.FAILED: "FAILED",
    Outcome.CANCELLED: "KILLED",
    Outcome.PREEMPTED: "KILLED",
}
"""MLflow's status for each outcome that ends a run."""


def filter_string(group: str, *, kind: str = "trial") -> str:
    """What to type into MLflow's search box to see the runs of a search, or `final` ones."""
    return f"{group_filter(group)} AND tags.harness.kind = '{kind}'"


def group_filter(group: str) -> str:
    """Finds a group's own run and all runs of the group."""
    return f"tags.harness.group = {quoted(group)}"


def run_filter(group: str, name: str) -> str:
    """Finds one run."""
    return f"{group_filter(group)} AND tags.harness.run = {quoted(name)}"


def quoted(text: str) -> str:
    """A text as a filter of MLflow's may hold it; there is no way to escape one."""
    quote = '"' if "'" in text else "'"
    return f"{quote}{text}{quote}"


def params_of(recipe: Recipe) -> dict[str, str]:
    """Every dotted path of the recipe with its value."""
    return {path: str(recipe.get(path)) for path in recipe_paths()}


def tags_of(run: Run) -> dict[str, str]:
    """What is known of a run before it starts; flat, so that one filter finds it."""
    return {
        "harness.group": run.group,
        "harness.kind": run.kind,
        "harness.run": run.name,
        "harness.run_id": run.recipe.run_id,
        "harness.model": run.recipe.model.name,
        "harness.values": json.dumps(dict(run.values)),
        "harness.directory": str(run.directory.path),
    }


def group_tags(group: str, kind: GroupKind) -> dict[str, str]:
    """The tags of a group's own run, and the description that MLflow's page shows."""
    of_runs = filter_string(group, kind="trial" if kind == "search" else "final")
    return {
        "harness.group": group,
        "harness.kind": kind,
        "harness.outcome": str(Outcome.RUNNING),
        "mlflow.note.content": f"Its runs: `{of_runs}`",
    }


def provenance_tags(provenance: Provenance | None) -> dict[str, str]:
    """Code, data, device and versions; nothing where there is no provenance yet."""
    if provenance is None:
        return {}
    dirty = {True: "true", False: "false", None: "unknown"}[provenance.git_dirty]
    tags = {
        "mlflow.source.git.commit": provenance.git_commit,
        "harness.git_dirty": dirty,
        "harness.device": provenance.device,
        "harness.split": provenance.split,
        "harness.split_sha256": provenance.split_sha256,
        "harness.store": provenance.store_source,
        "harness.labels_sha256": provenance.labels_sha256,
        "harness.pretrained": provenance.weights,
        "harness.memory_level": str(provenance.memory_level),
        "harness.num_parameters": str(provenance.num_parameters or ""),
    }
    versions = {f"harness.version.{name}": text for name, text in provenance.versions.items()}
    return {name: text for name, text in (tags | versions).items() if text}


def status_tags(status: Status) -> dict[str, str]:
    """The outcome, and its reason and message: empty ones too, to replace those of a past one."""
    attempts = getattr(status, "attempts", None)
    tags = {"harness.attempts": str(attempts)} if attempts else {}
    return tags | {
        "harness.outcome": str(status.outcome),
        "harness.reason": str(status.reason or ""),
        "harness.message": status.message[:1000],
    }


def weights_tags(directory: RunDirectory) -> dict[str, str]:
    """Where the kept weights lie, and their hash; MLflow does not get the weights themselves."""
    path = directory.best_weights
    if not path.exists():
        return {}
    return {"harness.best_weights": str(path), "harness.best_weights_sha256": sha256_of_file(path)}


def final_metrics(record: RunRecord, *, curves: set[str]) -> dict[str, float]:
    """The figures of the kept epoch: the record's, macro means, and those of each finding.

    Names that the epochs have already reported (`curves`) are left to the epochs.
    """
    metrics = _macro_metrics(record.val) | record.metrics | _finding_metrics(record.val)
    return finite({name: value for name, value in metrics.items() if name not in curves})


def finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """The entries with a finite value."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if value is not None and math.isfinite(value)
    }


def stage_artifacts(run: Run, folder: Path) -> None:
    """Copy the small files of a run into `folder`."""
    for name in ARTIFACTS:
        path = run.directory.path / name
        if path.exists():
            shutil.copyfile(path, folder / name)


def stage_figures(run: Run, folder: Path) -> bool:
    """Draw the curves of a run's validation into `folder`; False where it has no predictions."""
    predictions, record = run.directory.predictions("val"), run.directory.record
    if predictions is None or record is None:
        return False
    thresholds = run.directory.thresholds
    title = f"{run.group} {run.name}: {record.provenance.store_source}, validation"
    figures = {
        "roc": roc_figure(predictions, title, thresholds),
        "precision_recall": pr_figure(predictions, title, thresholds),
        "reliability": reliability_figure(predictions, title),
    }
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")
    return True


def write_leaderboard(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write `leaderboard.csv`, and `leaderboard.json` in the form that MLflow shows as a table."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    table = json.dumps({"columns": columns, "data": cells}, allow_nan=False)
    (folder / "leaderboard.json").write_text(table, encoding="utf-8")
    with (folder / "leaderboard.csv").open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([columns, *cells])


def milliseconds(moment: str) -> int:
    """An ISO 8601 moment as MLflow wants it, since 1970."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int | str | None) else str(value)


def _macro_metrics(val: Evaluation) -> dict[str, float | None]:
    return {f"best/{name}_macro": value for name, value in val.macro.items()}


def _finding_metrics(val: Evaluation) -> dict[str, float | None]:
    return {
        f"{val.part}/{name}/{finding}": getattr(figures, name)
        for finding, figures in val.findings.items()
        for name in FINDING_METRICS
    }
