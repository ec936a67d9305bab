"""A benchmark's folder to its results in every form, offline."""

from contextlib import suppress
from pathlib import Path

from harness.benchmark.forms import RESULTS_FILE, read_results, write_forms
from harness.benchmark.results import Results, Row
from harness.benchmark.statistics import compute_results
from harness.core.errors import HarnessError
from harness.core.progress import Progress, ignore

PARTS = (
    "comparison.json",
    "cases.parquet",
    "foreign/*/*",
    "runs/*/",
    "runs/*/*.json",
    "runs/*/*.npz",
)
"""What a report is made of; a folder's time is that of the last file that came or went."""


def is_current(folder: Path) -> bool:
    """True where a report was written, and nothing it is made of has changed since."""
    written = folder / RESULTS_FILE
    if not written.exists():
        return False
    parts = (path for pattern in PARTS for path in folder.glob(pattern))
    return all(
        path.stat().st_mtime_ns <= written.stat().st_mtime_ns
        for path in parts
        if not path.name.startswith(".")
    )


def write_report(folder: Path, *, progress: Progress = ignore) -> tuple[Results, list[Path]]:
    """Compute all figures from the predictions in `folder` and write every form of them there.

    Returns:
        The results, and the files that were written.

    Raises:
        HarnessError: The folder holds no comparison, or predictions that cannot be read, or less
            than its last report was made of; what was there is untouched.
    """
    results = compute_results(folder, progress=progress)
    _check_nothing_is_lost(results, folder)
    return results, write_forms(results, folder)


def _check_nothing_is_lost(results: Results, folder: Path) -> None:
    """Refuse to replace figures by none: of a copied report, say, whose runs were left behind."""
    before: tuple[Row, ...] = ()
    with suppress(HarnessError):  # there is none yet, or none of this form
        before = read_results(folder / RESULTS_FILE).rows
    num_scored = {row.label: row.num_scored for row in results.rows}
    gone = [
        run.name
        for row in before
        if row.num_scored > num_scored.get(row.label, row.num_scored)
        for run in row.runs
        if not (folder / "runs" / run.name).exists()
    ]
    if gone:
        raise HarnessError(
            f"{folder}: {len(gone)} final runs of this comparison are gone, such as "
            f"runs/{gone[0]}, and its figures would go with them; bring the folders back, or "
            f"remove {RESULTS_FILE} to do without"
        )
