"""The figures of a bundle's card: metrics with patient-bootstrap intervals, and of subgroups.

Axes: N images, L findings, R resamples of the patients. An image counts for the findings whose
label is known. Thresholds and temperature are the bundle's own, so on validation, where they were
fitted, what rests on them is optimistic.
"""

from collections.abc import Mapping

import numpy as np

from harness.bundle.bundle import Figure, PartFigures, Subgroup
from harness.core.predictions import Predictions
from harness.core.seeds import derive_seed
from harness.evaluation.intervals import (
    centred,
    interval,
    resampled_macro,
    resampled_metrics,
    units_of_classes,
)
from harness.evaluation.metrics import FloatArray, ScoreArray, mean_known
from harness.evaluation.resampling import NUM_RESAMPLES, Resamples
from harness.evaluation.subgroups import Cases, groups
from harness.evaluation.temperature import apply_temperature

SCORE_METRICS = ("auroc", "auprc", "f1", "sensitivity", "specificity")
PROBABILITY_METRICS = ("ece", "brier")
"""Of the calibrated probabilities."""
GROUP_METRICS = ("auroc", "sensitivity", "specificity")


def part_figures(
    predictions: Predictions, thresholds: Mapping[str, float | None], *, temperature: float
) -> PartFigures:
    """All figures of a part of a split."""
    resamples = draw(predictions)
    threshold_L = _thresholds_of(predictions, thresholds)
    probability_NL = apply_temperature(predictions.score_NL, temperature)
    figures = _Figures(predictions, threshold_L, resamples)
    found = figures.of(predictions.score_NL, SCORE_METRICS)
    found |= figures.of(probability_NL, PROBABILITY_METRICS)
    counts = np.count_nonzero(predictions.label_NL, axis=0)
    return PartFigures(
        num_images=len(predictions.image_ids),
        num_patients=len(np.unique(predictions.patient_ids)),
        macro={name: macro for name, (macro, _) in found.items() if macro is not None},
        findings={
            finding: {
                name: figure
                for name, (_, figure_L) in found.items()
                if (figure := figure_L[column]) is not None
            }
            for column, finding in enumerate(predictions.findings)
        },
        num_positives={
            name: int(count) for name, count in zip(predictions.findings, counts, strict=True)
        },
    )


def subgroup_figures(
    predictions: Predictions, cases: Cases, thresholds: Mapping[str, float | None]
) -> tuple[Subgroup, ...]:
    """Macro figures by sex, age and view, of the findings that have them in the group.

    Args:
        cases: Of the same images, in the same order.
    """
    resamples = draw(predictions)
    threshold_L = _thresholds_of(predictions, thresholds)
    found = []
    for group in groups(cases):
        rows_N = group.rows_N
        part = predictions.of(rows_N)
        figures = _Figures(part, threshold_L, resamples.of(rows_N))
        macros = figures.of(part.score_NL, GROUP_METRICS)
        found.append(
            Subgroup(
                attribute=group.attribute,
                group=group.name,
                num_images=int(np.count_nonzero(rows_N)),
                num_patients=len(np.unique(part.patient_ids)),
                macro={name: macro for name, (macro, _) in macros.items() if macro is not None},
            )
        )
    return tuple(found)


def draw(predictions: Predictions) -> Resamples:
    """The resamples of a part's patients, the same for every bundle of it."""
    seed = derive_seed(0, "bootstrap", "bundle")
    return Resamples.draw(predictions.patient_ids, num=NUM_RESAMPLES, seed=seed)


class _Figures:
    """Figures of the same images by several scores."""

    def __init__(
        self, predictions: Predictions, threshold_L: FloatArray, resamples: Resamples
    ) -> None:
        self.label_NL = predictions.label_NL
        self.is_known_NL = predictions.is_known_NL
        self.has_classes_L = predictions.has_both_classes_L
        self.threshold_L = threshold_L
        self.resamples = resamples
        self.units = units_of_classes(self.label_NL, resamples, self.is_known_NL)

    def of(
        self, score_NL: ScoreArray, metrics: tuple[str, ...]
    ) -> dict[str, tuple[Figure | None, list[Figure | None]]]:
        """By metric: the macro mean, and the figure of each finding."""
        value_1L, value_RL = (
            resampled_metrics(
                score_NL,
                self.label_NL,
                threshold_L=self.threshold_L,
                resamples=resamples,
                is_known_NL=self.is_known_NL,
                metrics=metrics,
            )
            for resamples in (self.resamples.whole, self.resamples)
        )
        return {name: self._of_metric(name, value_1L[name][0], value_RL[name]) for name in metrics}

    def _of_metric(
        self, metric: str, value_L: FloatArray, value_RL: FloatArray
    ) -> tuple[Figure | None, list[Figure | None]]:
        has_figure_L = self.has_classes_L & ~np.isnan(value_L)
        if not has_figure_L.any():
            return None, [None] * len(value_L)
        macro_R = resampled_macro(value_RL, has_figure_L)
        macro = _figure(float(mean_known(value_L[has_figure_L])), macro_R, self.resamples.num_units)
        columns = zip(value_L, value_RL.T, self.units.of(metric), has_figure_L, strict=True)
        return macro, [
            _figure(float(value), value_R, int(num_units)) if has_figure else None
            for value, value_R, num_units, has_figure in columns
        ]


def _figure(value: float, value_R: FloatArray, num_units: int) -> Figure:
    low, high = interval(centred(value_R, value), num_units=num_units)
    return Figure(
        value=value,
        low=None if low is None else max(low, 0.0),
        high=None if high is None else min(high, 1.0),
    )


def _thresholds_of(predictions: Predictions, thresholds: Mapping[str, float | None]) -> FloatArray:
    return np.array([thresholds[name] for name in predictions.findings], dtype=np.float64)
