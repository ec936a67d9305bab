"""What the metrics of a table are called, which way they are better, and what they mean."""

from dataclasses import dataclass

from harness.core.records import METRICS
from harness.evaluation.calibration import NUM_BINS


@dataclass(frozen=True)
class Measure:
    """How a metric is named, read and explained."""

    title: str
    definition: str
    is_lower_better: bool = False


MEASURES: dict[str, Measure] = {
    "auroc": Measure("AUROC", "area under the ROC curve"),
    "auprc": Measure("AUPRC", "average precision; chance level is the prevalence"),
    "f1": Measure("F1", "at the frozen threshold"),
    "f1_at_half": Measure("F1@0.5", "F1 at 0.5, whatever the scores' scale"),
    "sensitivity": Measure("Sensitivity", "at the frozen threshold"),
    "specificity": Measure("Specificity", "at the frozen threshold"),
    "mcc": Measure("MCC", "Matthews correlation at the frozen threshold"),
    "brier": Measure("Brier", "mean squared error of the probability", is_lower_better=True),
    "ece": Measure(
        "ECE", f"expected calibration error, {NUM_BINS} bins of equal width", is_lower_better=True
    ),
}
MEASURES["f1_oracle"] = Measure(
    "F1 oracle", "at the threshold tuned on test itself: an upper bound, not a result"
)
assert set(MEASURES) == {*METRICS, "f1_oracle"}


def is_better(metric: str, one: float, other: float) -> bool:
    """True where the figure `one` of a metric is strictly better than `other`."""
    return one < other if MEASURES[metric].is_lower_better else one > other
