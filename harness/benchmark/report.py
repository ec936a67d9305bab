"""A benchmark's folder to its results in every form, offline."""

from pathlib import Path

from harness.benchmark.forms import RESULTS_FILE, write_forms
from harness.benchmark.results import Results
from harness.benchmark.statistics import compute_results
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
        HarnessError: The folder holds no comparison, or predictions that cannot be read.
    """
    results = compute_results(folder, progress=progress)
    return results, write_forms(results, folder)
