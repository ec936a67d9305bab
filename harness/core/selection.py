"""Choosing among runs, by validation figures only."""

from collections.abc import Iterable

from harness.core.records import EarlyReport, EpochReport, RunRecord

SCORE = "best/auroc_macro"
"""The figure that ranks runs: validation macro AUROC at the epoch whose weights are kept."""


def score_of(report: EpochReport | EarlyReport) -> float:
    """The score that a run reports, after an epoch or within one."""
    return report.score if isinstance(report, EarlyReport) else report.metrics[SCORE]


def rank_runs(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records with a score, best first; equal scores in the order of their run ids."""
    scored = [record for record in records if SCORE in record.metrics]
    return sorted(scored, key=lambda record: (-record.metrics[SCORE], record.run_id))
