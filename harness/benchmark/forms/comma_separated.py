"""Every figure of a `Results` as a long CSV table, one figure a line, and the way back.

For R, pandas or a spreadsheet. Numbers are written so that they are read back exactly. Text that a
spreadsheet would take for a formula gets a leading apostrophe, which the reader takes off again.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

from pydantic import ValidationError

from harness.benchmark.estimates import MACRO, Difference, Estimate, Metric, Scope
from harness.benchmark.results import Results, Row
from harness.core.errors import HarnessError
from harness.core.recipe import Frozen, problems_of

Part = Literal[
    "figure", "difference", "threshold", "oracle_threshold", "before_scaling", "after_scaling",
    "subgroup", "subgroup_gap", "localisation", "localisation_gain", "published",
]  # fmt: skip
Figure = Estimate | Difference
Figures = Mapping[Scope, Mapping[Metric, Figure]]

ABOUT = (
    "comparison", "row", "part", "scope", "metric", "attribute", "group", "num_positives",
    "num_unknown",
)  # fmt: skip
FIGURES = (
    "value", "low", "high", "se", "sd", "seeds", "to", "p", "p_holm", "p_delong", "seed_se",
)  # fmt: skip
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "'")


class Line(Frozen):
    """A figure and where it stands.

    Attributes:
        part: What kind of figure it is.
        scope: `macro` or a finding.
        attribute, group: Of a subgroup; else empty.
        num_positives: Test images (for thresholds: validation images) with the finding; in a
            subgroup, of the group; where models look, those with a box of it.
        num_unknown: Those of these images whose label of it is not known.
        figure: A `Difference` in the part `difference`, else an `Estimate`.
    """

    comparison: str
    row: str
    part: Part
    scope: Scope
    metric: Metric
    attribute: str = ""
    group: str = ""
    num_positives: int | None = None
    num_unknown: int | None = None
    figure: Figure


def as_csv(results: Results) -> str:
    """The whole table as text, a header first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (*ABOUT, *FIGURES), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_fields(line) for line in lines_of(results))
    return text.getvalue()


def read_csv(path: Path) -> tuple[Line, ...]:
    """The lines of a `table.csv`.

    Raises:
        HarnessError: It is absent or not one of ours.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if tuple(reader.fieldnames or ()) != (*ABOUT, *FIGURES):
                raise HarnessError(f"{path}: line 1: not the header of a comparison's table.csv")
            return tuple(_line(path, reader.line_num, fields) for fields in reader)
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise HarnessError(f"{path}: not CSV ({error})") from None


# Out --------------------------------------------------------------------------------------------


def lines_of(results: Results) -> Iterator[Line]:
    """Every figure in the order of the rows; what has no figure has no line."""
    for row in results.rows:
        about = About(results.name, row.label, results.num_positives, results.num_unknown)
        yield from about.lines("figure", row.figures)
        yield from about.lines("difference", row.differences)
        yield from _thresholds(about, row)
        if row.calibration:
            yield from about.lines("before_scaling", {MACRO: row.calibration.before})
            yield from about.lines("after_scaling", {MACRO: row.calibration.after})
        yield from _subgroups(about, row)
        if row.localisation:
            boxed = replace(about, num_positives=row.localisation.num_sights)
            yield from boxed.lines("localisation", row.localisation.figures)
            yield from boxed.lines("localisation_gain", row.localisation.gains)
    for published in results.published:
        about = About(results.name, published.label, {}, {})
        figures = {
            scope: {metric: Estimate(value=value) for metric, value in metrics.items()}
            for scope, metrics in published.figures.items()
        }
        yield from about.lines("published", figures)


@dataclass(frozen=True)
class About:
    """Where figures stand that have all but the part, the scope and the metric in common."""

    comparison: str
    row: str
    num_positives: Mapping[str, int]
    num_unknown: Mapping[str, int]
    attribute: str = ""
    group: str = ""

    def lines(self, part: Part, figures: Figures) -> Iterator[Line]:
        """A line for each figure of a part."""
        for scope, metrics in figures.items():
            for metric, figure in metrics.items():
                yield Line(
                    comparison=self.comparison,
                    row=self.row,
                    part=part,
                    scope=scope,
                    metric=metric,
                    attribute=self.attribute,
                    group=self.group,
                    num_positives=self.num_positives.get(scope),
                    num_unknown=self.num_unknown.get(scope),
                    figure=figure,
                )


def _thresholds(about: About, row: Row) -> Iterator[Line]:
    """Mean, interval and each seed of the frozen thresholds, and the oracle's beside them."""
    for finding, threshold in row.thresholds.items():
        val = replace(
            about,
            num_positives={finding: threshold.num_positives},
            num_unknown={finding: threshold.num_unknown} if threshold.num_unknown else {},
        )
        known = tuple(value for value in threshold.seeds if value is not None)
        if known:
            frozen = Estimate(
                value=fmean(known), low=threshold.low, high=threshold.high, seeds=known
            )
            yield from val.lines("threshold", {finding: {"threshold": frozen}})
        if threshold.oracle is not None:
            oracle = Estimate(value=threshold.oracle)
            yield from about.lines("oracle_threshold", {finding: {"threshold": oracle}})


def _subgroups(about: About, row: Row) -> Iterator[Line]:
    for each in row.subgroups:
        inside = replace(
            about,
            num_positives=each.num_positives,
            num_unknown=each.num_unknown,
            attribute=each.attribute,
            group=each.group,
        )
        yield from inside.lines("subgroup", each.figures)
        yield from inside.lines("subgroup_gap", each.gaps)


def _fields(line: Line) -> dict[str, str]:
    figure = line.figure
    about = {name: _shielded(getattr(line, name)) for name in ABOUT}
    told = {name: getattr(figure, name, None) for name in FIGURES}
    told["seeds"] = " ".join(map(repr, told["seeds"] or ()))
    to = {"to": _shielded(told["to"])}
    return about | {name: _text(value) for name, value in told.items()} | to


def _text(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _shielded(value: object) -> str:
    """Text that no spreadsheet computes."""
    text = _text(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


# And back ---------------------------------------------------------------------------------------


def _line(path: Path, number: int, fields: Mapping[str, str]) -> Line:
    known = {name: text for name, text in fields.items() if text}
    about = {name: known[name].removeprefix("'") for name in (*ABOUT, "to") if name in known}
    told: dict[str, object] = {name: known[name] for name in FIGURES if name in known}
    told.pop("sd", None)  # follows from the seeds
    try:
        if about.get("part") == "difference":
            unknown: dict[str, object] = dict.fromkeys(("low", "high", "p", "p_holm"))
            about_figure = unknown | told | {"to": about.pop("to", "")}
            figure: Figure = Difference.model_validate(about_figure)
        else:
            seeds = tuple(known.get("seeds", "").split())
            figure = Estimate.model_validate(told | {"seeds": seeds})
        return Line.model_validate(about | {"figure": figure})
    except ValidationError as error:
        where, what = problems_of(error)[0]
        raise HarnessError(f"{path}: line {number}: {where}: {what}") from None
