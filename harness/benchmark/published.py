"""Figures that others published, to be set beside ours: read from `results/published`.

They are facts with a source; nothing is computed here but what speaks against comparing them.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.benchmark.estimates import Metric, Scope
from harness.benchmark.results import PublishedRow
from harness.core.errors import HarnessError, did_you_mean
from harness.data.nih_counts import NUM_OF_FOLD

SPLIT_DIFFERS = "split differs"
TUNED_ON_TEST = "thresholds tuned on test"
NUM_TEST = {"official": NUM_OF_FOLD["test"], "dacnet_70_10_20": 22_294, "dannynet_2pct": 2_299}
"""Test images of the splits on which others have published."""
LEAST_PART = 0.99
"""Of them; some files may be unreadable."""


def published_dir() -> Path:
    """`results/published/` of a checkout, or the copy of it inside an installed package."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "published"
    return installed if installed.is_dir() else package.parent / "results" / "published"


def published_rows(split: str, *, keys: Iterable[str] | None = None) -> tuple[PublishedRow, ...]:
    """Published methods as rows beside a comparison on `split`, those of that split first.

    Within each half those with fewer flags come first, and else the order of `methods.csv` stands.

    Args:
        split: Name of the comparison's split, by which rows are flagged.
        keys: Of the methods that are wanted; None for all.

    Raises:
        HarnessError: A key is none of ours.
    """
    wanted = [_find(key) for key in keys] if keys is not None else _methods().values()
    rows = [method.row(split) for method in wanted]
    return tuple(sorted(rows, key=lambda row: (SPLIT_DIFFERS in row.flags, len(row.flags))))


def split_as_published(split: str, num_test: int) -> str:
    """The split's name, or that of a part of it: a sample's `official` is not the release's."""
    is_whole = num_test >= LEAST_PART * NUM_TEST.get(split, 0)
    return split if is_whole else f"{num_test:,} test images of {split}"


def find_published(key: str) -> PublishedRow:
    """A published method by its key, flagged as beside a comparison on its own split.

    Raises:
        HarnessError: The key is none of ours.
    """
    method = _find(key)
    return method.row(method.split)


@dataclass(frozen=True)
class _Method:
    """A line of `methods.csv`, and its lines of `figures.csv`."""

    key: str
    label: str
    split: str
    caution: str
    source: str
    notes: str
    figures: dict[Scope, dict[Metric, float]]

    def row(self, split: str) -> PublishedRow:
        flags = {
            SPLIT_DIFFERS: self.split != split,
            TUNED_ON_TEST: any("f1_oracle" in metrics for metrics in self.figures.values()),
            self.caution: bool(self.caution),
        }
        return PublishedRow(
            key=self.key,
            label=self.label,
            split=self.split,
            source=f"{self.source} ({self.notes})" if self.notes else self.source,
            flags=tuple(flag for flag, holds in flags.items() if holds),
            figures=self.figures,
        )


def _find(key: str) -> _Method:
    methods = _methods()
    if key not in methods:
        raise HarnessError(
            f"no published figures {key!r}{did_you_mean(key, methods)}; known: {', '.join(methods)}"
        )
    return methods[key]


@cache
def _methods() -> dict[str, _Method]:
    """Every method by its key, in the order of its file."""
    figures: dict[str, dict[Scope, dict[Metric, float]]] = {}
    for line in _read("figures.csv"):
        scopes = figures.setdefault(line["key"], {})
        scopes.setdefault(line["finding"], {})[line["metric"]] = float(line["value"])
    return {
        line["key"]: _Method(**line, figures=figures[line["key"]]) for line in _read("methods.csv")
    }


def _read(name: str) -> list[dict[str, str]]:
    with (published_dir() / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
