"""Epochs and final figures of a run as points of MLflow's curves."""

from collections.abc import Sequence

from mlflow.entities import Metric

from harness.core.records import EpochReport, RunRecord, now
from harness.tracking import contents
from harness.tracking.store import MAX_BATCH

EPOCH = "epoch"
"""A metric equal to its step: its history says which epochs MLflow already has."""


def batches(reports: Sequence[EpochReport]) -> list[Sequence[EpochReport]]:
    """Whole epochs that fit into a request; one empty batch where there are none."""
    longest = max((len(report.metrics) for report in reports), default=0)
    size = max(1, MAX_BATCH // (longest + 1))
    return [reports[start : start + size] for start in range(0, len(reports), size)] or [[]]


def epoch_points(reports: Sequence[EpochReport]) -> list[Metric]:
    """Every finite metric of the epochs, and `EPOCH`."""
    moment_ms = contents.milliseconds(now())
    return [
        Metric(name, value, moment_ms, report.epoch)
        for report in reports
        for name, value in {EPOCH: float(report.epoch), **contents.finite(report.metrics)}.items()
    ]


def final_points(record: RunRecord | None, reports: Sequence[EpochReport]) -> list[Metric]:
    """The figures of the kept epoch; none without a record.

    The same points however often they are made: MLflow drops what it already has.
    """
    if record is None:
        return []
    curves = {name for report in reports for name in report.metrics}
    ended_ms = contents.milliseconds(record.provenance.started_at) + round(1000 * record.duration_s)
    metrics = contents.final_metrics(record, curves=curves)
    return [Metric(name, value, ended_ms, record.best_epoch) for name, value in metrics.items()]
