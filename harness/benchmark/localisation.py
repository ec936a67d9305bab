"""Where the runs of a row look, as figures with intervals over patients and gains over no sight.

Axes: S training seeds, R resamples, N sights, F findings with boxes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.benchmark.entries import Entry
from harness.benchmark.estimates import MACRO, Estimate, Localisation, Scope
from harness.benchmark.plan import StatisticsPlan
from harness.benchmark.sampling import Sample, with_exact_interval
from harness.core.seeds import derive_seed
from harness.evaluation.intervals import resampled_macro
from harness.evaluation.metrics import FloatArray, ratio
from harness.evaluation.resampling import Resamples
from harness.explain.explanations import Explanations
from harness.explain.measures import CENTRE, CHANCE, MEASURES, POINTING, measure

BLIND = (CHANCE, CENTRE)


def explained(entry: Entry, plan: StatisticsPlan) -> tuple[Explanations, ...]:
    """The maps of all scored runs of a row, all of the same boxes through one layer.

    Empty where a run has none, they cannot be put together, or the plan does not want them.
    """
    found = tuple(each.explanations for each in entry.scored if each.explanations)
    is_whole = plan.boxes and len(found) == len(entry.scored)
    return found if is_whole and len({_seen(each) for each in found}) == 1 else ()


def _seen(explanations: Explanations) -> object:
    """What the runs of a row must have in common."""
    boxes = tuple((each.image, each.finding, each.boxes) for each in explanations.sights)
    return explanations.layer, explanations.grid, explanations.level, explanations.frame_px, boxes


def localisation_of(
    explanations: Sequence[Explanations], plan: StatisticsPlan
) -> Localisation | None:
    """The figures of the runs of a row, each of its own training seed.

    Resampled are all patients that have a box, the same for every row with these boxes.

    Args:
        explanations: As `explained` gives them; None comes of none.
    """
    if not explanations:
        return None
    first = explanations[0]
    finding_N = np.array([sight.finding for sight in first.sights])
    resamples = _draw(first, plan)
    values = [measure(each, tolerance_px=plan.tolerance_px) for each in explanations]
    samples = {
        name: _samples(np.array([value[name] for value in values]), finding_N, resamples)
        for name in MEASURES
    }
    scopes = samples[POINTING]
    return Localisation(
        layer=first.layer,
        grid=first.grid,
        level=first.level,
        tolerance_px=plan.tolerance_px,
        frame_px=first.frame_px,
        num_sights={name: int(np.count_nonzero(finding_N == name)) for name in first.findings},
        num_patients=len({sight.patient for sight in first.sights}),
        figures={
            scope: {name: _estimate(samples[name][scope], scope) for name in MEASURES}
            for scope in scopes
        },
        gains={
            scope: {
                name: _gain(samples[POINTING][scope], samples[name][scope], scope) for name in BLIND
            }
            for scope in scopes
        },
    )


def _draw(explanations: Explanations, plan: StatisticsPlan) -> Resamples:
    ids = [
        sight.patient if plan.unit == "patient" else sight.image for sight in explanations.sights
    ]
    seed = derive_seed(0, "bootstrap", "boxes", explanations.split_sha256)
    return Resamples.draw(ids, num=plan.resamples, seed=seed)


def _samples(
    value_SN: FloatArray, finding_N: NDArray[np.str_], resamples: Resamples
) -> dict[Scope, Sample]:
    """The mean over the sights of each finding, and over these means."""
    findings = sorted(set(finding_N.tolist()))
    is_of_NF = finding_N[:, None] == np.array(findings)
    value_SF = np.array([_means(value_N, is_of_NF, resamples.whole)[0] for value_N in value_SN])
    # A total is linear in the values, so the mean over seeds can be resampled in their place.
    mean_RF = _means(value_SN.mean(axis=0), is_of_NF, resamples)
    num_units_F = [resamples.of(is_of_N).num_units for is_of_N in is_of_NF.T]
    macro_R = resampled_macro(mean_RF, np.ones(len(findings), dtype=np.bool_))
    macro = Sample(value_SF.mean(axis=1), macro_R, resamples.num_units, (0.0, 1.0))
    return {MACRO: macro} | {
        name: Sample(value_SF[:, place], mean_RF[:, place], num_units_F[place], (0.0, 1.0))
        for place, name in enumerate(findings)
    }


def _means(value_N: FloatArray, is_of_NF: NDArray[np.bool_], resamples: Resamples) -> FloatArray:
    """R x F; NaN where a resample has no sight of a finding."""
    total_RF = resamples.totals(value_N[:, None] * is_of_NF)
    return ratio(total_RF, resamples.totals(is_of_NF.astype(np.float64)))


def _estimate(sample: Sample, scope: Scope) -> Estimate:
    """With an exact interval where every sight was a hit, or none: there resamples do not vary.

    The bound is that of Clopper & Pearson 1934 for 0 of as many patients as there are; a mean over
    findings has none then.
    """
    found = sample.estimate
    if not _is_all_or_none(sample):
        return found
    return with_exact_interval(found, None if scope == MACRO else sample.num_units)


def _is_all_or_none(sample: Sample) -> bool:
    found = sample.estimate
    return found.low == found.high and found.value in (0.0, 1.0)


def _gain(pointing: Sample, blind: Sample, scope: Scope) -> Estimate:
    """Pointing minus one that sees nothing; no interval where no resample differs from another.

    A training seed changes only the first of the two. Where every sight was a hit, or none, only
    the other would vary, and 0 of a few would seem surely below a small chance: there the bounds
    are those of both, the farthest apart, which is never too narrow.
    """
    difference = pointing.minus(blind)
    found = replace(difference, value_S=pointing.value_S - blind.value).estimate
    if _is_all_or_none(pointing):
        hits, chance = _estimate(pointing, scope), _estimate(blind, scope)
        return found.model_copy(update=_farthest(hits, chance))
    if found.low == found.high:
        return found.model_copy(update={"low": None, "high": None})
    return found


def _farthest(one: Estimate, other: Estimate) -> dict[str, float | None]:
    """Bounds of a difference, whatever the two have in common."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return {"low": None, "high": None}
    return {"low": one.low - other.high, "high": one.high - other.low}
