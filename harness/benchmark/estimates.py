"""The figures that a row of a comparison has, each with how sure it is.

A *scope* is `macro` (the mean over findings) or the name of a finding; a *metric* is one of
`METRICS` or `f1_oracle`. Intervals are 95 %, over resamples of test patients unless
`Results.unit` says images.
"""

from statistics import stdev

from pydantic import Field

from harness.core.recipe import Frozen

MACRO = "macro"
LEVEL = 0.95
SIGNIFICANT_P = 0.05
WIDE = 0.2
"""An interval wider than this says little: too few positive images."""

Scope = str
Metric = str

GRID: tuple[float, ...] = tuple(step / 100 for step in range(101))
"""Where curves are told: false positive rates of an ROC curve, recalls of a PR curve."""


class Estimate(Frozen):
    """A figure of the test part and how sure it is.

    The patients' share of its variance is `se` squared, the training seeds' is `sd` squared over
    their number.

    Attributes:
        value: Mean over the training seeds.
        low, high: 95 % interval of that mean over resampled patients; None where undefined.
        se: Its standard deviation over resampled patients; the training seeds' is `sd`.
        seeds: The figure of each training seed.
    """

    value: float
    low: float | None = None
    high: float | None = None
    se: float | None = None
    seeds: tuple[float, ...] = ()

    @property
    def sd(self) -> float | None:
        """Sample standard deviation (n - 1) over training seeds; None for one seed."""
        return stdev(self.seeds) if len(self.seeds) > 1 else None

    @property
    def is_wide(self) -> bool:
        """True where the interval says little, being wider than `WIDE`."""
        return self.low is not None and self.high is not None and self.high - self.low > WIDE

    @property
    def excludes_0(self) -> bool:
        """True where the interval of a difference lies on one side of 0; False without one."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


class Difference(Frozen):
    """A figure minus the same figure of another row, on the same resamples.

    Attributes:
        to: Label of the other row.
        p: Two-sided, by the paired bootstrap; 1 for equal predictions, None where it is undefined.
        p_holm: Holm-adjusted: a finding's over the findings of the row, macro's over the rows.
        p_delong: Two-sided, by DeLong's test over images; AUROC of a finding only.
        seed_se: Standard error of the difference that the training seeds alone account for.
    """

    to: str
    value: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    p_delong: float | None = None
    seed_se: float | None = None

    @property
    def is_significant(self) -> bool:
        """True where the Holm-adjusted p is below `SIGNIFICANT_P`."""
        return self.p_holm is not None and self.p_holm < SIGNIFICANT_P


class ThresholdFigure(Frozen):
    """A frozen threshold of one finding: per training seed, and its interval over val patients.

    Attributes:
        seeds: What each seed's run was scored with; None where validation gave none.
        low, high: Mean over seeds of the 95 % bootstrap interval.
        num_positives: Validation images with the finding.
        num_unknown: Validation images whose label of it is not known: they had no say.
        oracle: Mean over seeds of the threshold with the best F1 on test: never applied, shown.
    """

    seeds: tuple[float | None, ...]
    low: float | None
    high: float | None
    num_positives: int
    num_unknown: int = 0
    oracle: float | None


class ReliabilityCurve(Frozen):
    """All findings and seeds pooled, in bins of equal width; empty bins are left out."""

    mean_score: tuple[float, ...]
    positive_rate: tuple[float, ...]
    num_scores: tuple[int, ...]


class Calibration(Frozen):
    """How far scores are from probabilities, before and after temperature scaling.

    Attributes:
        temperature: One per training seed, fitted on validation.
        before, after: `ece` and `brier` of macro, as estimates.
    """

    temperature: tuple[float, ...]
    before: dict[Metric, Estimate]
    after: dict[Metric, Estimate]
    curve_before: ReliabilityCurve
    curve_after: ReliabilityCurve


class Curves(Frozen):
    """Mean over training seeds, at each value of `GRID`.

    Attributes:
        sensitivity: At each false positive rate.
        precision: The highest at no less than each recall.
    """

    sensitivity: tuple[float, ...]
    precision: tuple[float, ...]


class Subgroup(Frozen):
    """The figures of some of the patients or images, and their distance from the rest.

    Attributes:
        attribute: `sex`, `age` or `view`.
        group: Such as `F`, `40-59`, `AP`.
        num_unknown: As `Results.num_unknown`, of the group.
        figures: Scope to `auroc`, `sensitivity`, `specificity` of the group.
        gaps: The same, group minus rest, on the same resamples; macro over the findings that
            both have.
    """

    attribute: str
    group: str
    num_images: int
    num_patients: int
    num_positives: dict[str, int]
    num_unknown: dict[str, int] = Field(default_factory=dict)
    figures: dict[Scope, dict[Metric, Estimate]]
    gaps: dict[Scope, dict[Metric, Estimate]]


class Localisation(Frozen):
    """Whether a row's runs look at the right place, by the boxes of the test part.

    A *measure* is one of `explain.measures.MEASURES`.

    Attributes:
        layer, grid: Whose activation the maps weigh, and its rows and columns.
        level: Part of a map's highest value that its region reaches.
        tolerance_px: So far beside a box counted as in it.
        frame_px: Side of the square that boxes and tolerance are in.
        num_sights: Images that have a box of it, by finding.
        figures: Scope to measure to estimate; macro is the mean over the findings with boxes.
        gains: Scope to `chance` and `centre` to `pointing` minus that, on the same resamples.
    """

    layer: str
    grid: tuple[int, int]
    level: float
    tolerance_px: float
    frame_px: int
    num_sights: dict[str, int]
    num_patients: int
    figures: dict[Scope, dict[Metric, Estimate]]
    gains: dict[Scope, dict[Metric, Estimate]]

    @property
    def findings(self) -> tuple[str, ...]:
        return tuple(self.num_sights)
