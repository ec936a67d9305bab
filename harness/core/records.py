"""What is written about a run: its status, epochs, evaluation, provenance, and the final record."""

from datetime import UTC, datetime
from enum import StrEnum

from pydantic import Field

from harness.core.recipe import Frozen, Recipe


class Outcome(StrEnum):
    """The state of a run, the same word in every place that shows one."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"

    @property
    def is_final(self) -> bool:
        """True where running the same command again leaves the run as it is."""
        return self not in (Outcome.QUEUED, Outcome.RUNNING, Outcome.PREEMPTED)


class FailureReason(StrEnum):
    """Why a run failed."""

    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    HOST_MEMORY = "host_memory"
    DISK = "disk"
    DATA = "data"
    CODE = "code"


def now() -> str:
    """The present moment, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Status(Frozen):
    """The state of a run at one moment."""

    outcome: Outcome
    reason: FailureReason | None = None
    message: str = ""
    at: str = Field(default_factory=now)

    def __str__(self) -> str:
        return f"{self.outcome}: {self.reason}" if self.reason else str(self.outcome)


class EpochReport(Frozen):
    """One epoch: slashed metric names, such as `val/auroc_macro`, to finite values.

    `best/...` entries are the validation metrics of the epoch whose weights are kept so far.
    """

    epoch: int = Field(ge=1)
    metrics: dict[str, float]


class EarlyReport(Frozen):
    """The score of a run within an epoch: what it would be if the epoch ended here.

    Attributes:
        epoch: Epochs trained so far, such as 2.25; never whole.
    """

    epoch: float = Field(gt=0)
    score: float


class FindingMetrics(Frozen):
    """The figures of one finding; None where it has no positives (or no negatives).

    They are over `num_images`: those whose label of the finding is known.
    """

    num_positives: int
    num_images: int
    threshold: float | None = None
    auroc: float | None = None
    auprc: float | None = None
    f1: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    mcc: float | None = None
    brier: float | None = None
    ece: float | None = None
    f1_at_half: float | None = None


METRICS: tuple[str, ...] = (
    "auroc", "auprc", "f1", "sensitivity", "specificity", "mcc", "brier", "ece", "f1_at_half",
)  # fmt: skip


class Evaluation(Frozen):
    """The figures of one set of predictions.

    Attributes:
        part: `val` or `test`.
        findings: Figures per finding.
        macro: Mean of each metric over the findings that have it; None where none has.
        num_images: All of them, whatever is known of their labels.
        left_out: Findings without positives (or negatives), left out of every macro mean.
    """

    part: str
    threshold_rule: str
    num_images: int
    num_patients: int
    findings: dict[str, FindingMetrics]
    macro: dict[str, float | None]
    left_out: tuple[str, ...] = ()


class Provenance(Frozen):
    """What a result came from, beside its recipe.

    `memory_level` says how thrifty the run had to be (`core.memory`); no number depends on it.
    """

    git_commit: str
    git_dirty: bool | None
    versions: dict[str, str]
    device: str
    split: str
    split_sha256: str
    store_source: str
    labels_sha256: str
    weights: str = ""
    num_parameters: int | None = None
    memory_level: int = Field(default=0, ge=0)
    started_at: str = Field(default_factory=now)


class RunRecord(Frozen):
    """A finished run. Holds nothing of the test set."""

    run_id: str
    recipe: Recipe
    provenance: Provenance
    best_epoch: int
    num_epochs: int
    duration_s: float
    metrics: dict[str, float]
    val: Evaluation
