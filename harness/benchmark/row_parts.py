"""Thresholds, calibration, curves and subgroups of one row.

Axes: N images, L findings, K operating points of a finding, G points of `GRID`. Every function
gets at least one training seed's predictions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from harness.benchmark.entries import Scored
from harness.benchmark.estimates import (
    GRID,
    MACRO,
    Calibration,
    Curves,
    Estimate,
    Metric,
    ReliabilityCurve,
    Scope,
    Subgroup,
    ThresholdFigure,
)
from harness.benchmark.sampling import Samples, estimates, macro_over, sample
from harness.core.predictions import Predictions
from harness.core.seeds import derive_seed
from harness.evaluation.calibration import reliability
from harness.evaluation.intervals import Interval
from harness.evaluation.metrics import BoolArray, FloatArray, OperatingPoints, points_per_finding
from harness.evaluation.resampling import Resamples
from harness.evaluation.subgroups import Cases, Group, groups
from harness.evaluation.temperature import apply_temperature, fit_temperature
from harness.evaluation.threshold_intervals import threshold_intervals
from harness.evaluation.thresholds import tune_thresholds

SUBGROUP_METRICS = ("auroc", "sensitivity", "specificity")
CALIBRATION_METRICS = ("ece", "brier")

# Counts -----------------------------------------------------------------------------------------


def num_positives(predictions: Predictions) -> dict[str, int]:
    """Images with each finding, in the order of the findings."""
    return dict(zip(predictions.findings, predictions.num_positives_L.tolist(), strict=True))


def num_unknown(predictions: Predictions) -> dict[str, int]:
    """Images whose label of a finding is not known; a finding without such is not there."""
    num_L = (len(predictions.image_ids) - predictions.num_known_L).tolist()
    return {name: num for name, num in zip(predictions.findings, num_L, strict=True) if num}


# Thresholds -------------------------------------------------------------------------------------


def thresholds_of(scored: Sequence[Scored], num_resamples: int) -> dict[Scope, ThresholdFigure]:
    """Frozen thresholds and how sure validation was of them; empty where there is none."""
    vals = [each.val for each in scored if each.val is not None]
    if len(vals) < len(scored):
        return {}
    intervals = [_intervals(each, num_resamples) for each in scored]
    oracles = [tune_thresholds(each.test, "f1") for each in scored]
    positives, unknown = num_positives(vals[0]), num_unknown(vals[0])
    return {
        finding: ThresholdFigure(
            seeds=tuple((each.thresholds or {}).get(finding) for each in scored),
            low=_mean(found[column][0] for found in intervals),
            high=_mean(found[column][1] for found in intervals),
            num_positives=positives[finding],
            num_unknown=unknown.get(finding, 0),
            oracle=_mean(oracle[finding] for oracle in oracles),
        )
        for column, finding in enumerate(vals[0].findings)
    }


def _intervals(scored: Scored, num_resamples: int) -> list[Interval]:
    val, seed = scored.val, derive_seed(0, "bootstrap", "val")
    assert val is not None
    resamples = Resamples.draw(val.patient_ids, num=num_resamples, seed=seed)
    return threshold_intervals(
        val.score_NL, val.label_NL, val.is_known_NL, rule=scored.rule, resamples=resamples
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


# Calibration ------------------------------------------------------------------------------------


def calibration_of(scored: Sequence[Scored], resamples: Resamples) -> Calibration | None:
    """Before and after one temperature per seed, fitted on validation; None where there is none."""
    vals = [each.val for each in scored if each.val and each.val.is_known_NL.any()]
    if len(vals) < len(scored):
        return None
    temperatures = [fit_temperature(val) for val in vals]
    scaled = [
        replace(each, test=_scaled(each.test, temperature))
        for each, temperature in zip(scored, temperatures, strict=True)
    ]
    return Calibration(
        temperature=tuple(temperatures),
        before=_calibration_figures(scored, resamples),
        after=_calibration_figures(scaled, resamples),
        curve_before=_reliability_curve(scored),
        curve_after=_reliability_curve(scaled),
    )


def _scaled(predictions: Predictions, temperature: float) -> Predictions:
    return replace(predictions, score_NL=apply_temperature(predictions.score_NL, temperature))


def _calibration_figures(scored: Sequence[Scored], resamples: Resamples) -> dict[Metric, Estimate]:
    found = estimates(sample(scored, resamples, metrics=CALIBRATION_METRICS))
    return found.get(MACRO, {})


def _reliability_curve(scored: Sequence[Scored]) -> ReliabilityCurve:
    tests = [each.test for each in scored]
    score_N = np.concatenate([test.score_NL[test.is_known_NL] for test in tests])
    label_N = np.concatenate([test.label_NL[test.is_known_NL] for test in tests])
    curve = reliability(score_N[:, None], label_N[:, None])
    count_M = curve.count_LM[0]
    is_filled_M = count_M > 0
    return ReliabilityCurve(
        mean_score=tuple(curve.mean_score_LM[0][is_filled_M].tolist()),
        positive_rate=tuple(curve.positive_rate_LM[0][is_filled_M].tolist()),
        num_scores=tuple(count_M[is_filled_M].tolist()),
    )


# Curves -----------------------------------------------------------------------------------------


def curves_of(scored: Sequence[Scored]) -> dict[Scope, Curves]:
    """ROC and precision-recall curves of the findings that have them, and their mean."""
    found = {}
    points_SL = [
        points_per_finding(each.test.score_NL, each.test.label_NL, each.test.is_known_NL)
        for each in scored
    ]
    for finding, points in zip(scored[0].test.findings, zip(*points_SL, strict=True), strict=True):
        if points[0].has_both_classes:
            sensitivity_G = np.mean([_sensitivity_at_grid(each) for each in points], axis=0)
            precision_G = np.mean([_precision_at_grid(each) for each in points], axis=0)
            found[finding] = (sensitivity_G, precision_G)
    if found:
        found[MACRO] = tuple(np.mean(list(found.values()), axis=0))
    return {
        scope: Curves(sensitivity=tuple(roc_G.tolist()), precision=tuple(pr_G.tolist()))
        for scope, (roc_G, pr_G) in found.items()
    }


def _sensitivity_at_grid(points: OperatingPoints) -> FloatArray:
    """The highest sensitivity at no more than each false positive rate, between points a line."""
    rate_K = np.append(0.0, points.false_positive_rate)
    sensitivity_K = np.append(0.0, points.sensitivity)
    return np.interp(GRID, rate_K, sensitivity_K)


def _precision_at_grid(points: OperatingPoints) -> FloatArray:
    """The highest precision at no less than each recall."""
    best_K = np.maximum.accumulate(points.precision[::-1])[::-1]
    first_G = np.searchsorted(points.sensitivity, np.array(GRID) - 1e-12)
    return best_K[np.minimum(first_G, len(best_K) - 1)]


# Subgroups --------------------------------------------------------------------------------------


def subgroups_of(
    scored: Sequence[Scored], cases: Cases, resamples: Resamples
) -> tuple[Subgroup, ...]:
    """The figures of each group, and their gaps to the rest on the same resamples."""
    sampled: dict[bytes, Samples] = {}
    for group in groups(cases):
        for rows_N in (group.rows_N, group.rest_N):  # one sex is the other's rest
            if rows_N.tobytes() not in sampled:
                sampled[rows_N.tobytes()] = _sample_of(rows_N, scored, resamples)
    return tuple(
        _subgroup(
            group,
            scored[0].test.of(group.rows_N),
            inside=sampled[group.rows_N.tobytes()],
            outside=sampled[group.rest_N.tobytes()],
        )
        for group in groups(cases)
    )


def _subgroup(
    group: Group, predictions: Predictions, *, inside: Samples, outside: Samples
) -> Subgroup:
    return Subgroup(
        attribute=group.attribute,
        group=group.name,
        num_images=int(np.count_nonzero(group.rows_N)),
        num_patients=len(np.unique(predictions.patient_ids)),
        num_positives=num_positives(predictions),
        num_unknown=num_unknown(predictions),
        figures=estimates(inside),
        gaps=_gaps(inside, outside),
    )


def _gaps(inside: Samples, outside: Samples) -> dict[Scope, dict[Metric, Estimate]]:
    """A group's figures minus those of the rest; macro is over the findings that both have.

    Means over other findings would differ by how easy these are: the group in which nobody has a
    hernia would seem the worse for it.
    """
    scopes = [scope for scope in inside if scope != MACRO]
    macro: dict[Metric, Estimate] = {}
    gaps = {MACRO: macro, **{scope: dict[Metric, Estimate]() for scope in scopes}}
    for metric in SUBGROUP_METRICS:
        shared = [s for s in scopes if metric in inside[s] and metric in outside.get(s, {})]
        for scope in shared:
            gaps[scope][metric] = inside[scope][metric].minus(outside[scope][metric]).estimate
        if shared:
            one, other = (macro_over(part, metric, shared) for part in (inside, outside))
            macro[metric] = one.minus(other).estimate
    return gaps


def _sample_of(rows_N: BoolArray, scored: Sequence[Scored], resamples: Resamples) -> Samples:
    if not rows_N.any():
        return {}
    part = [replace(each, test=each.test.of(rows_N)) for each in scored]
    return sample(part, resamples.of(rows_N), metrics=SUBGROUP_METRICS)
