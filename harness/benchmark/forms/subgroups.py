"""The tables of the subgroups: their figures, and their gaps to the rest."""

from collections.abc import Iterator

from harness.benchmark.estimates import MACRO, Estimate, Metric, Scope, Subgroup
from harness.benchmark.forms.cells import count, estimate, gap, words
from harness.benchmark.forms.tables import Cell, Table
from harness.benchmark.forms.wording import PERCENT, finding_name, plain
from harness.benchmark.metric_info import METRIC_INFO
from harness.benchmark.results import Results, Row

GAP_METRICS: tuple[Metric, ...] = ("auroc", "sensitivity", "specificity")
CHANCE = 0.05
GROUP_NOTE = (
    f"Macro means over the findings that the group has [{PERCENT} interval]. Groups that lack "
    "different findings are compared by the gaps alone."
)


def subgroup_tables(results: Results) -> tuple[Table, ...]:
    """Macro AUROC of each group, the gaps of three metrics, and the gaps of single findings."""
    if not any(row.subgroups for row in results.rows):
        return ()
    value = _group_table(results, "auroc", key="subgroups", title="AUROC", is_gap=False)
    gaps = (
        _group_table(
            results, metric, key=f"gap-{metric}", title=METRIC_INFO[metric].title, is_gap=True
        )
        for metric in GAP_METRICS
    )
    return (value, *gaps, *_finding_gaps(results))


def _group_table(results: Results, metric: Metric, *, key: str, title: str, is_gap: bool) -> Table:
    rows = [row for row in results.rows if row.subgroups]
    groups = {(group.attribute, group.group): group for row in rows for group in row.subgroups}
    lines = tuple(
        (
            words(attribute),
            words(name),
            count(group.num_images),
            count(group.num_patients if results.caption.has_patients else None),
            *(_group_cell(row, (attribute, name), metric, is_gap=is_gap) for row in rows),
        )
        for (attribute, name), group in groups.items()
    )
    return Table(
        key=key,
        title=f"{title}: gap between the group and the rest" if is_gap else f"{title} of the group",
        headers=("Attribute", "Group", "Images", "Patients", *(plain(row.label) for row in rows)),
        rows=lines,
        notes=(_gap_note(metric) if is_gap else GROUP_NOTE,),
        num_text=2,
    )


def _gap_note(metric: Metric) -> str:
    name, at = METRIC_INFO[metric].title, ""
    if metric != "auroc":
        name, at = name.lower(), " at the frozen thresholds"
    return (
        f"Macro {name}{at} of the group minus that of the rest, over the findings that both have, "
        f"on the same resamples [{PERCENT} interval]. Not corrected for multiplicity: where there "
        "is no gap, one interval in 20 excludes 0 by chance."
    )


def _group_cell(row: Row, group: tuple[str, str], metric: Metric, *, is_gap: bool) -> Cell:
    found = next((each for each in row.subgroups if (each.attribute, each.group) == group), None)
    if found is None:
        return Cell()
    if is_gap:
        return gap(found.gaps.get(MACRO, {}).get(metric))
    return estimate(found.figures.get(MACRO, {}).get(metric), has_sd=False)


def _finding_gaps(results: Results) -> tuple[Table, ...]:
    """The AUROC gaps of single findings whose interval excludes 0; in no printed table."""
    gaps = list(_all_finding_gaps(results))
    found = [entry for entry in gaps if entry[3].excludes_0]
    if not gaps:
        return ()
    table = Table(
        key="gap-findings",
        title="AUROC gaps of single findings that exclude 0",
        headers=("Row", "Finding", "Attribute", "Group", "Positives", "Gap"),
        rows=tuple(
            (
                words(row.label), words(finding_name(scope)), words(group.attribute),
                words(group.group), count(group.num_positives.get(scope)), gap(value),
            )
            for row, group, scope, value in found
        ),
        notes=(
            f"{len(found):,} of {len(gaps):,} gaps; not corrected for multiplicity, so about "
            f"{CHANCE * len(gaps):,.0f} would be here if there were none. All of them are in "
            "table.csv.",
        ),
        num_text=4,
        is_long=True,
    )  # fmt: skip
    return (table,)


def _all_finding_gaps(results: Results) -> Iterator[tuple[Row, Subgroup, Scope, Estimate]]:
    for row in results.rows:
        for group in row.subgroups:
            for scope, metrics in group.gaps.items():
                if scope != MACRO and "auroc" in metrics:
                    yield row, group, scope, metrics["auroc"]
