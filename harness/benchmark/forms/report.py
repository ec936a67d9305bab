"""`Report`: what is told of a comparison, in which order; Markdown, LaTeX and HTML spell it out."""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.benchmark.forms.cells import words
from harness.benchmark.forms.comparison import (
    PER_FINDING,
    difference_table,
    finding_table,
    headline,
    main_table,
    operating_table,
    p_table,
)
from harness.benchmark.forms.detail import (
    calibration_table,
    cost_table,
    run_table,
    seed_table,
    threshold_table,
)
from harness.benchmark.forms.localisation import localisation_tables
from harness.benchmark.forms.reference import published_tables, reproduction_tables
from harness.benchmark.forms.searches import budget_table, change_table, search_table
from harness.benchmark.forms.subgroups import subgroup_tables
from harness.benchmark.forms.tables import Table
from harness.benchmark.forms.wording import PERCENT, listed, plain, plural, short_hash
from harness.benchmark.metric_info import METRIC_INFO
from harness.benchmark.results import Caption, Results

SYNTHETIC = "SYNTHETIC DATA: these figures say nothing about X-rays."
PARTIAL = "PARTIAL: final runs are missing or not scored."


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        key: Unique in the report: its anchor.
        figures: Names of figures that belong here, where there are such.
    """

    key: str
    title: str
    tables: tuple[Table, ...]
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """A comparison, ready to be spelled out in any form. All text is plain.

    Attributes:
        warnings: What must stand first.
        facts: Term and fact: what a reader must know before comparing with anything else.
        looks: How often the test part has been scored.
    """

    name: str
    title: str
    warnings: tuple[str, ...]
    headline: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    looks: str

    @property
    def tables(self) -> tuple[Table, ...]:
        """Of all sections, in their order."""
        return tuple(table for section in self.sections for table in section.tables)


def report_of(results: Results) -> Report:
    """The report of a comparison; sections without a table are left out."""
    facts = results.caption
    warnings = ((SYNTHETIC,) if facts.is_synthetic else ()) + (
        (PARTIAL,) if results.is_partial else ()
    )
    return Report(
        name=results.name,
        title=plain(results.title),
        warnings=warnings,
        headline=headline(results),
        facts=tuple((term, plain(fact)) for term, fact in _facts(results)),
        sections=tuple(section for section in _sections(results) if section.tables),
        looks=looks(results),
    )


def looks(results: Results) -> str:
    """How often the test part has been scored, in a sentence."""
    amount = results.caption.num_looks
    if amount is None:
        return "How often this test part has been scored is not known: there is no audit file."
    return f"This test part has been scored {plural(amount, 'time')}, by its audit file."


def _facts(results: Results) -> Iterable[tuple[str, str]]:
    facts, resamples = results.caption, plural(results.num_resamples, "bootstrap resample")
    kind = "SYNTHETIC images" if facts.is_synthetic else "images"
    images, patients = _count(facts.num_images), f" of {_count(facts.num_patients)} patients"
    tuned_on = f"validation ({_count(facts.num_val_patients)} patients)"
    counts = facts.num_unknown_labels
    unknown = "; not known: " if counts else ""
    unknown += listed(f"{amount:,} in {part}" for part, amount in counts.items())
    narrow = ""
    if not facts.has_patients:
        patients, tuned_on = ", of which patients is not known", "validation"
        narrow = " (too narrow where several show one patient)"
    made_by = f"; figures by {facts.made_by}" if facts.made_by else ""
    return (
        ("Test part", f"{facts.store_source}: {images} {kind}{patients}"),
        ("Split", f"{facts.split}, SHA-256 {short_hash(facts.split_sha256)}"),
        ("Labels", f"{facts.label_version}, SHA-256 {short_hash(facts.labels_sha256)}{unknown}"),
        ("Thresholds", _thresholds(facts, tuned_on)),
        (
            "Uncertainty",
            f"{PERCENT} intervals and p values by {resamples} of test {results.unit}s{narrow}; "
            "p values Holm-adjusted",
        ),
        ("Seeds", _seeds(facts)),
        ("Code", f"{listed(facts.commits) or 'unknown'}{made_by}"),
    )


def _thresholds(facts: Caption, tuned_on: str) -> str:
    if facts.threshold_rule:
        return f"rule {facts.threshold_rule}, tuned on {tuned_on}, frozen before test"
    if facts.num_images is None:
        return "none yet"
    return "none: there are no predictions of validation to tune them on"


def _seeds(facts: Caption) -> str:
    if not facts.seeds:
        return "none: no row was trained here"
    return f"{', '.join(map(str, facts.seeds))}, the same for every trained row"


def _count(number: int | None) -> str:
    return "an unknown number of" if number is None else f"{number:,}"


def _sections(results: Results) -> Iterable[Section]:
    return (
        Section(
            "comparison",
            "Comparison",
            (main_table(results), difference_table(results), operating_table(results)),
            figures=("forest",),
        ),
        Section("findings", "Findings", _finding_tables(results), ("findings", "roc", "pr", "f1")),
        Section("thresholds", "Thresholds", _known(threshold_table(results)), ("thresholds",)),
        Section(
            "search",
            "Search",
            _known(budget_table(results), search_table(results), change_table(results)),
            figures=("learning", "history", "parallel", "importance"),
        ),
        Section("seeds", "Seeds", _known(seed_table(results), run_table(results)), ("seeds",)),
        Section("subgroups", "Subgroups", subgroup_tables(results), ("subgroups",)),
        Section("where", "Where the models look", localisation_tables(results), ("where",)),
        Section("calibration", "Calibration", _known(calibration_table(results)), ("reliability",)),
        Section("cost", "Cost", (cost_table(results),)),
        Section("published", "Published figures", published_tables(results)),
        Section("reproduction", "Reproduction", reproduction_tables(results)),
        Section("gaps", "Gaps", _known(_gap_table(results))),
        Section("measures", "Measures", (_measure_table(),)),
    )


def _finding_tables(results: Results) -> tuple[Table, ...]:
    if not results.findings:
        return ()
    return (*(finding_table(results, metric) for metric in PER_FINDING), p_table(results))


def _known(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in tables if table is not None)


def _gap_table(results: Results) -> Table | None:
    if not results.problems:
        return None
    return Table(
        key="gaps",
        title="Gaps and their reasons",
        headers=("Where", "Reason"),
        rows=tuple((words(problem.where), words(problem.reason)) for problem in results.problems),
        num_text=2,
        is_long=True,
    )


def _measure_table() -> Table:
    meanings = {measure.title: measure.definition for measure in METRIC_INFO.values()}
    meanings |= {
        "Macro": "unweighted mean over the findings that have the figure",
        "SD": "sample standard deviation (n − 1) over training seeds; not an interval, since all "
        "seeds share one test part",
    }
    return Table(
        key="measures",
        title="What the words mean",
        headers=("Measure", "Meaning"),
        rows=tuple((words(title), words(meaning)) for title, meaning in meanings.items()),
        num_text=2,
        is_long=True,
    )
