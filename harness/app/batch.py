"""Many images at once: an answer each, a table, a CSV file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from harness.app import plain
from harness.app.findings_chart import FindingRow
from harness.bundle import predict
from harness.core.findings import readable

MAX_FILES = 500


@dataclass(frozen=True)
class BatchEntry:
    """One file.

    Attributes:
        name: As uploaded; foreign text.
        rows: Of its findings; empty where it could not be read.
        problem: Why it could not be read, or an empty string.
    """

    name: str
    rows: tuple[FindingRow, ...] = ()
    problem: str = ""

    @property
    def said(self) -> str:
        """What was found, in words."""
        if self.problem:
            return f"not read: {self.problem}"
        flagged = [readable(row.finding) for row in self.rows if row.is_flagged]
        return ", ".join(flagged) or "nothing flagged"


HEAD = (*predict.HEAD, "problem", "model")
"""The first six are those of `harness predict --csv`; thresholds apply to scores."""


def csv_of(entries: Sequence[BatchEntry], model: str) -> str:
    """A line per image and finding, and one for each file that could not be read."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for entry in entries:
        name, by = plain.cell(entry.name), plain.cell(model)
        if entry.problem:
            writer.writerow((name, "", "", "", "", "", plain.cell(entry.problem), by))
        writer.writerows((name, *_cells(row), "", by) for row in entry.rows)
    return text.getvalue()


def _cells(row: FindingRow) -> tuple[str, ...]:
    return predict.cells(
        row.finding,
        score=row.score,
        probability=row.probability,
        threshold=row.score_threshold,
        is_flagged=row.is_flagged,
    )
