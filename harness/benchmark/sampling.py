"""`Sample`: a figure of one row, per training seed and per resample of the patients.

Axes: S training seeds, R resamples, L findings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.benchmark.entries import Scored
from harness.benchmark.estimates import LEVEL, MACRO, Estimate, Metric, Scope
from harness.evaluation.intervals import (
    centred,
    interval,
    resampled_macro,
    resampled_metrics,
    standard_error,
    units_of_classes,
)
from harness.evaluation.metrics import FloatArray, mean_known
from harness.evaluation.resampling import Resamples

SPANS: dict[Metric, tuple[float, float]] = {"mcc": (-1.0, 1.0)}
"""The values that a metric can have; 0 to 1 where none are named."""

PROPORTIONS = ("sensitivity", "specificity")
"""Metrics that count parts of so many patients."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One figure of a row.

    Attributes:
        value_S: Of each training seed, on the test part as it is.
        mean_R: Mean over the seeds, in each resample.
        num_units: Units that carry it: of a finding those of its rarer class, or of the class that
            a proportion counts; of a mean over findings all that are drawn. None where nothing is
            to be expanded.
        span: The values that it can have at all.
    """

    value_S: FloatArray
    mean_R: FloatArray
    num_units: int | None = None
    span: tuple[float, float] = (-1.0, 1.0)

    @property
    def value(self) -> float:
        """Mean over the training seeds."""
        return float(self.value_S.mean())

    def minus(self, other: "Sample") -> "Sample":
        """The difference, on the same resamples; its one value is that of the means."""
        units = [each.num_units for each in (self, other) if each.num_units is not None]
        return Sample(
            np.array([self.value - other.value]),
            self.mean_R - other.mean_R,
            min(units, default=None),
        )

    @property
    def estimate(self) -> Estimate:
        """The figure with its interval, its ends within what it can be."""
        low, high = interval(centred(self.mean_R, self.value), num_units=self.num_units)
        least, most = self.span
        return Estimate(
            value=self.value,
            low=None if low is None else max(low, least),
            high=None if high is None else min(high, most),
            se=standard_error(self.mean_R),
            seeds=tuple(float(value) for value in self.value_S),
        )


Samples = Mapping[Scope, Mapping[Metric, Sample]]


def estimates(samples: Samples) -> dict[Scope, dict[Metric, Estimate]]:
    """Each figure with its interval, in the order of the samples.

    Where no resample differs from another, as where all of three patients were found, an interval
    of no width would be far too sure: a proportion has its exact one, another figure none.
    """
    return {
        scope: {metric: _estimate(one, scope, metric) for metric, one in found.items()}
        for scope, found in samples.items()
    }


def _estimate(sample: Sample, scope: Scope, metric: Metric) -> Estimate:
    found = sample.estimate
    if found.low is None or found.low != found.high:
        return found
    is_proportion = metric in PROPORTIONS and scope != MACRO
    return with_exact_interval(found, sample.num_units if is_proportion else None)


def with_exact_interval(found: Estimate, num_units: int | None) -> Estimate:
    """A figure with the interval of Clopper & Pearson 1934 of none (0) or all (1) of some units.

    Without one for any other value, and where it is no proportion of units (None).
    """
    low, high = None, None
    if num_units and found.value in (0.0, 1.0):
        unseen = 1 - ((1 - LEVEL) / 2) ** (1 / num_units)
        low, high = (0.0, unseen) if found.value == 0 else (1 - unseen, 1.0)
    return found.model_copy(update={"low": low, "high": high})


def sample(
    scored: Sequence[Scored], resamples: Resamples, *, metrics: Sequence[Metric]
) -> dict[Scope, dict[Metric, Sample]]:
    """The figures of a row; a scope or a metric without a figure is not there.

    Macro is the mean over the findings that have the figure.

    Args:
        scored: At least one seed; all of the same images, those of `resamples`.
        metrics: Which of `core.records.METRICS` and `f1_oracle`.
    """
    test = scored[0].test
    findings, has_classes_L = test.findings, test.has_both_classes_L
    values = [_resampled(each, resamples.whole, metrics) for each in scored]
    resampled = [_resampled(each, resamples, metrics) for each in scored]
    units = units_of_classes(test.label_NL, resamples, test.is_known_NL)
    figures: dict[Scope, dict[Metric, Sample]] = {MACRO: {}, **{name: {} for name in findings}}
    for metric in metrics:
        value_SL = np.array([value[metric][0] for value in values])
        mean_RL = np.mean([each[metric] for each in resampled], axis=0)
        span = SPANS.get(metric, (0.0, 1.0))
        num_units_L = units.of(metric)
        has_figure_L = has_classes_L & ~np.isnan(value_SL).any(axis=0)
        if not has_figure_L.any():
            continue
        for column, finding in enumerate(findings):
            if has_figure_L[column]:
                figures[finding][metric] = Sample(
                    value_SL[:, column], mean_RL[:, column], int(num_units_L[column]), span
                )
        macro_S = np.array([mean_known(value_L) for value_L in value_SL[:, has_figure_L]])
        macro_R = resampled_macro(mean_RL, has_figure_L)
        figures[MACRO][metric] = Sample(macro_S, macro_R, resamples.num_units, span)
    return {scope: found for scope, found in figures.items() if found}


def macro_over(samples: Samples, metric: Metric, findings: Sequence[Scope]) -> Sample:
    """Macro of a row over some of the findings that have the figure."""
    chosen = [samples[finding][metric] for finding in findings]
    mean_RL = np.stack([each.mean_R for each in chosen], axis=1)
    return replace(
        samples[MACRO][metric],
        value_S=np.mean([each.value_S for each in chosen], axis=0),
        mean_R=resampled_macro(mean_RL, np.ones(len(chosen), dtype=np.bool_)),
    )


def _resampled(
    scored: Scored, resamples: Resamples, metrics: Sequence[Metric]
) -> dict[Metric, FloatArray]:
    thresholds, test = scored.thresholds or {}, scored.test
    return resampled_metrics(
        test.score_NL,
        test.label_NL,
        threshold_L=np.array([thresholds.get(name) for name in test.findings], dtype=np.float64),
        resamples=resamples,
        is_known_NL=test.is_known_NL,
        metrics=metrics,
    )
