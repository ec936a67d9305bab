"""What the metrics of a table are called, which way they are better, and what they mean."""

from dataclasses import dataclass

from harness.benchmark.estimates import Metric
from harness.core.records import METRICS
from harness.evaluation.calibration import NUM_BINS

ORACLE: Metric = "f1_oracle"


@dataclass(frozen=True)
class MetricInfo:
    """How a metric is named, read and explained."""

    title: str
    definition: str
    is_lower_better: bool = False


METRIC_INFO: dict[Metric, MetricInfo] = {
    "auroc": MetricInfo("AUROC", "area under the ROC curve"),
    "auprc": MetricInfo("AUPRC", "average precision; chance level is the prevalence"),
    "f1": MetricInfo("F1", "at the threshold frozen on validation"),
    "f1_at_half": MetricInfo("F1@0.5", "F1 at 0.5, whatever the scores' scale"),
    "sensitivity": MetricInfo("Sensitivity", "at the frozen threshold"),
    "specificity": MetricInfo("Specificity", "at the frozen threshold"),
    "mcc": MetricInfo("MCC", "Matthews correlation at the frozen threshold"),
    "brier": MetricInfo("Brier", "mean squared error of the probability", is_lower_better=True),
    "ece": MetricInfo(
        "ECE", f"expected calibration error, {NUM_BINS} bins of equal width", is_lower_better=True
    ),
    ORACLE: MetricInfo("F1 oracle", "at the threshold tuned on test: an upper bound, not a result"),
}
assert set(METRIC_INFO) == {*METRICS, ORACLE}


def is_better(metric: Metric, one: float, other: float) -> bool:
    """True where the figure `one` of a metric is strictly better than `other`."""
    return one < other if METRIC_INFO[metric].is_lower_better else one > other
