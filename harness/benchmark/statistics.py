"""Predictions to `Results`: estimates, intervals over patients, and paired differences.

All rows see the same resamples of the patients, so that their differences are paired.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.benchmark.comparison import Comparison, read_cases
from harness.benchmark.entries import Entry, read_entries
from harness.benchmark.estimates import MACRO, Difference, Metric, Scope
from harness.benchmark.facts import caption_of, gaps_and_doubts, row_facts
from harness.benchmark.localisation import explained, localisation_of
from harness.benchmark.metric_info import is_better
from harness.benchmark.published import published_rows, split_as_published
from harness.benchmark.results import Results, Row
from harness.benchmark.row_parts import (
    calibration_of,
    curves_of,
    num_positives,
    num_unknown,
    subgroups_of,
    thresholds_of,
)
from harness.benchmark.sampling import Sample, Samples, estimates, sample
from harness.core.progress import Progress, ignore
from harness.core.seeds import derive_seed
from harness.evaluation.comparisons import delong, holm, paired_p, seed_se
from harness.evaluation.intervals import ALL_METRICS
from harness.evaluation.resampling import Resamples
from harness.evaluation.subgroups import Cases


def compute_results(folder: Path, *, progress: Progress = ignore) -> Results:
    """All figures of the comparison in `folder`, from the predictions that lie there now.

    What is not there yet is a gap with a reason.

    Raises:
        HarnessError: The folder holds no comparison, or predictions from elsewhere that cannot be
            read.
    """
    comparison, cases = Comparison.read(folder), read_cases(folder)
    entries = read_entries(comparison, folder, cases)
    resamples = _draw(comparison, cases)
    rows: list[Row] = []
    samples: dict[str, Samples] = {}
    for number, entry in enumerate(entries):
        progress(number, len(entries))
        if entry.scored:
            samples[entry.label] = sample(entry.scored, resamples, metrics=ALL_METRICS)
        rows.append(_row(entry, samples.get(entry.label, {}), cases, resamples, comparison))
    progress(len(entries), len(entries))
    differences = _differences(entries, samples)
    test = next((scored.test for entry in entries for scored in entry.scored), None)
    is_synthetic, split = comparison.images.is_synthetic, comparison.images.split
    as_published = split_as_published(split, len(cases.image_ids))
    return Results(
        name=comparison.name,
        title=comparison.title,
        caption=caption_of(comparison, entries, folder),
        unit=comparison.statistics.unit,
        num_resamples=comparison.statistics.resamples,
        num_positives=num_positives(test) if test else {},
        num_unknown=num_unknown(test) if test else {},
        rows=tuple(
            row.model_copy(update={"differences": differences.get(row.label, {})}) for row in rows
        ),
        published=() if is_synthetic else published_rows(as_published),
        reproduce=None if is_synthetic else comparison.statistics.reproduce,
        searches=comparison.searches,
        problems=gaps_and_doubts(comparison, entries),
    )


def _draw(comparison: Comparison, cases: Cases) -> Resamples:
    """The resamples of a test part: the same ones in every comparison on it."""
    unit = comparison.statistics.unit
    unit_ids = cases.patient_ids if unit == "patient" else cases.image_ids
    seed = derive_seed(0, "bootstrap", comparison.images.split_sha256 or "")
    return Resamples.draw(unit_ids, num=comparison.statistics.resamples, seed=seed)


def _row(
    entry: Entry, samples: Samples, cases: Cases, resamples: Resamples, comparison: Comparison
) -> Row:
    """A row without its distance from the best one."""
    parts, plan = {}, comparison.statistics
    if entry.scored:
        parts = {
            "figures": estimates(samples),
            "thresholds": thresholds_of(entry.scored, plan.resamples),
            "calibration": calibration_of(entry.scored, resamples),
            "curves": curves_of(entry.scored),
            "subgroups": subgroups_of(entry.scored, cases, resamples),
            "localisation": localisation_of(explained(entry, plan), plan),
        }
    return Row.model_validate({**row_facts(entry, comparison), **parts})


# Differences ------------------------------------------------------------------------------------


def _differences(
    entries: Sequence[Entry], samples: Mapping[str, Samples]
) -> dict[str, dict[Scope, dict[Metric, Difference]]]:
    """By label, scope and metric: each row minus the best row of that scope and metric."""
    by_label = {entry.label: entry for entry in entries}
    scopes = {scope: None for found in samples.values() for scope in found}
    raw: dict[str, dict[Scope, dict[Metric, Difference]]] = {label: {} for label in samples}
    for scope in scopes:
        for metric in ALL_METRICS:
            for label, difference in _to_the_best(scope, metric, samples, by_label).items():
                raw[label].setdefault(scope, {})[metric] = difference
    return _holm_adjusted(raw)


def _to_the_best(
    scope: Scope, metric: Metric, samples: Mapping[str, Samples], entries: Mapping[str, Entry]
) -> dict[str, Difference]:
    known = {
        label: found[scope][metric]
        for label, found in samples.items()
        if metric in found.get(scope, {})
    }
    best = None
    for label, one in known.items():
        if best is None or is_better(metric, one.value, known[best].value):
            best = label
    found = {}
    for label, one in known.items():
        if best is None or label == best:
            continue
        difference = one.minus(known[best])
        estimate = difference.estimate
        p = _known(
            paired_p(difference.mean_R, observed=difference.value, num_units=difference.num_units)
        )
        found[label] = Difference(
            to=best,
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            p=p,
            p_holm=p,
            p_delong=_p_delong(entries[label], entries[best], scope) if metric == "auroc" else None,
            seed_se=seed_se(_by_seed(entries[label], one), _by_seed(entries[best], known[best])),
        )
    return found


def _by_seed(entry: Entry, sample: Sample) -> dict[int, float]:
    """The values of a figure by training seed; one that is not ours has no seed but its place."""
    seeds = [
        scored.record.recipe.seed if scored.record else place
        for place, scored in enumerate(entry.scored)
    ]
    return dict(zip(seeds, map(float, sample.value_S), strict=True))


def _p_delong(one: Entry, other: Entry, scope: Scope) -> float | None:
    if scope == MACRO:
        return None
    test = one.scored[0].test
    column = test.findings.index(scope)
    is_known_N = test.is_known_NL[:, column]
    score_SN, other_SN = (
        np.array([scored.test.score_NL[is_known_N, column] for scored in entry.scored])
        for entry in (one, other)
    )
    return _known(delong(score_SN, other_SN, test.label_NL[is_known_N, column]).p)


def _known(p: float) -> float | None:
    return None if np.isnan(p) else p


def _holm_adjusted(
    raw: dict[str, dict[Scope, dict[Metric, Difference]]],
) -> dict[str, dict[Scope, dict[Metric, Difference]]]:
    """Holm over the findings of each row, and for macro over the rows."""
    for metric in ALL_METRICS:
        families = [[(label, MACRO) for label in raw]]
        families += [[(label, s) for s in raw[label] if s != MACRO] for label in raw]
        for family in families:
            found = {
                (label, scope): raw[label][scope][metric]
                for label, scope in family
                if metric in raw[label].get(scope, {})
            }
            adjusted = holm({place: one.p for place, one in found.items() if one.p is not None})
            for (label, scope), p in adjusted.items():
                raw[label][scope][metric] = found[label, scope].model_copy(update={"p_holm": p})
    return raw
