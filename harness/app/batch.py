"""Many images at once: an answer each, a table, a CSV file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from harness.app import plain
from harness.app.findings_chart import FindingRow, shown

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
        flagged = [shown(row.finding) for row in self.rows if row.is_flagged]
        return ", ".join(flagged) or "nothing flagged"


def csv_of(entries: Sequence[BatchEntry], model: str) -> str:
    """A line per image and finding, and one for each file that could not be read."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "finding", "probability", "threshold", "flagged", "problem", "model"))
    for entry in entries:
        name = plain.cell(entry.name)
        if entry.problem:
            writer.writerow((name, "", "", "", "", plain.cell(entry.problem), plain.cell(model)))
        for row in entry.rows:
            threshold = "" if row.threshold is None else f"{row.threshold:.6f}"
            writer.writerow(
                (
                    name,
                    row.finding,
                    f"{row.probability:.6f}",
                    threshold,
                    int(row.is_flagged),
                    "",
                    plain.cell(model),
                )
            )
    return text.getvalue()
