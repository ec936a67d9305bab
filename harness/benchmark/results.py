"""`Results`: every figure of a comparison, as `results.json` holds it and every form shows it.

Computed by `statistics` from stored predictions; forms only round and arrange. A *scope* is
`macro` (the mean over findings) or the name of a finding; a *metric* is one of `METRICS` or
`f1_oracle`. Intervals are 95 %, over resamples of test patients unless `Results.unit` says images.
"""

from statistics import stdev
from typing import Any, Literal

from pydantic import Field

from harness.core.recipe import Frozen, Recipe
from harness.search.history import SearchHistory

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
        return self.low is not None and self.high is not None and self.high - self.low > WIDE


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
        return self.p_holm is not None and self.p_holm < SIGNIFICANT_P


class ThresholdFigure(Frozen):
    """A frozen threshold of one finding: per training seed, and its interval over val patients.

    Attributes:
        seeds: What each seed's run was scored with; None where validation gave none.
        low, high: Mean over seeds of the 95 % bootstrap interval.
        num_positives: Validation images with the finding.
        oracle: Mean over seeds of the threshold with the best F1 on test: never applied, shown.
    """

    seeds: tuple[float | None, ...]
    low: float | None
    high: float | None
    num_positives: int
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


class RunFacts(Frozen):
    """A final run of a row: what it was, and how it went.

    Attributes:
        outcome: As its status says, with the reason of a failure.
        val_auroc: Validation macro AUROC after each epoch, from epoch 1.
        thresholds_sha256: Of the frozen thresholds that test was scored with; empty before.
    """

    name: str
    seed: int
    run_id: str
    outcome: str
    num_epochs: int = 0
    best_epoch: int = 0
    duration_s: float | None = None
    device: str = ""
    val_auroc: tuple[float, ...] = ()
    thresholds_sha256: str = ""


class Subgroup(Frozen):
    """The figures of some of the patients or images, and their distance from the rest.

    Attributes:
        attribute: `sex`, `age` or `view`.
        group: Such as `F`, `40-59`, `AP`.
        figures: Scope to `auroc`, `sensitivity`, `specificity` of the group.
        gaps: The same, group minus rest, on the same resamples; `Estimate.seeds` per seed too.
    """

    attribute: str
    group: str
    num_images: int
    num_patients: int
    num_positives: dict[str, int]
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


class Cost(Frozen):
    """What a row's figures cost; None where it is not known (foreign predictions).

    Attributes:
        num_trials: Trials that the row's search was to make.
        search_hours: Device-hours of all its trials.
        final_hours: Device-hours of the final runs.
        images_per_s: Images trained on per second of a final run, validation included.
        device: Such as `cpu` or the name of a GPU.
    """

    num_trials: int | None = None
    search_hours: float | None = None
    final_hours: float | None = None
    images_per_s: float | None = None
    device: str = ""


class Row(Frozen):
    """One method.

    Attributes:
        kind: `final` runs of a contestant; `ensemble`: mean of scores of other rows' runs;
            `foreign`: predictions from elsewhere.
        network: As `Contestant.network` tells it; empty where unknown.
        changes: What the search changed, `{path: (default, tuned)}`.
        search_score: Validation macro AUROC of the trial it came from: one seed, the best of
            `num_trials`.
        num_seeds: Final runs asked for; `num_scored` of them have test predictions.
        val_auroc: Validation macro AUROC of each scored run.
        figures: Scope to metric to estimate; what has no figure is not there.
        differences: Scope to metric to this row minus the best row; the best has none.
        curves: Of each finding, and of macro: the mean over findings.
        localisation: Of trained rows, where the store has boxes of test images.
        members: Labels of the rows that an ensemble is made of.
        stamps: What a reader must be warned of, such as `no validation: thresholds are oracle`.
    """

    label: str
    kind: Literal["final", "ensemble", "foreign"]
    network: str = ""
    recipe: Recipe | None = None
    is_default: bool = False
    is_winner: bool = False
    changes: dict[str, tuple[Any, Any]] = Field(default_factory=dict)
    search: str | None = None
    trial: str | None = None
    search_score: float | None = None
    num_parameters_m: float | None = None
    num_seeds: int
    num_scored: int
    val_auroc: tuple[float, ...] = ()
    figures: dict[Scope, dict[Metric, Estimate]] = Field(default_factory=dict)
    differences: dict[Scope, dict[Metric, Difference]] = Field(default_factory=dict)
    thresholds: dict[str, ThresholdFigure] = Field(default_factory=dict)
    calibration: Calibration | None = None
    curves: dict[Scope, Curves] = Field(default_factory=dict)
    subgroups: tuple[Subgroup, ...] = ()
    localisation: Localisation | None = None
    runs: tuple[RunFacts, ...] = ()
    cost: Cost = Cost()
    members: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()

    def figure(self, metric: Metric, scope: Scope = MACRO) -> Estimate | None:
        return self.figures.get(scope, {}).get(metric)

    def difference(self, metric: Metric, scope: Scope = MACRO) -> Difference | None:
        """Distance from the best row; None for the best row and where there is no figure."""
        return self.differences.get(scope, {}).get(metric)


class PublishedRow(Frozen):
    """Figures that somebody published: facts with a source, never re-computed here.

    Attributes:
        key: Short name, such as `dannynet`.
        flags: Why it must not be compared, such as `split differs`; empty if it may be.
        figures: Scope to metric to value.
    """

    key: str
    label: str
    split: str
    source: str
    flags: tuple[str, ...]
    figures: dict[Scope, dict[Metric, float]]


class Caption(Frozen):
    """What a reader must know before comparing the figures with any other.

    The facts of the test part are None until one run has been scored.

    Attributes:
        commits: Code that made the runs; `-dirty` where it had uncommitted changes.
        made_by: Code that computed the figures.
        num_looks: How often this test part has been scored, by the audit file; None where there is
            no such file.
    """

    store_source: str
    is_synthetic: bool
    label_version: str
    labels_sha256: str
    split: str
    split_sha256: str | None
    num_images: int | None
    num_patients: int | None
    num_val_patients: int | None
    threshold_rule: str | None
    seeds: tuple[int, ...]
    commits: tuple[str, ...]
    versions: dict[str, str] = Field(default_factory=dict)
    made_by: str = ""
    num_looks: int | None = None


class Problem(Frozen):
    """Why a cell or a row shows `-`, or why a figure deserves doubt."""

    where: str
    reason: str


class Results(Frozen):
    """The result of a comparison.

    Attributes:
        unit: What was resampled: `patient`, or `image` on request.
        num_positives: Test images with each finding, in the order of the findings.
        reproduce: Key of the published row that is set beside ours finding by finding.
        problems: The reasons of all gaps.
    """

    name: str
    title: str
    caption: Caption
    unit: Literal["patient", "image"] = "patient"
    num_resamples: int
    num_positives: dict[str, int]
    rows: tuple[Row, ...]
    published: tuple[PublishedRow, ...] = ()
    reproduce: str | None = None
    searches: dict[str, SearchHistory] = Field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        return tuple(self.num_positives)

    @property
    def is_partial(self) -> bool:
        """True where a final run is missing, failed or not scored."""
        return any(row.num_scored < row.num_seeds for row in self.rows)

    def row(self, label: str) -> Row:
        return next(row for row in self.rows if row.label == label)

    def best(self, metric: Metric, scope: Scope = MACRO) -> Row | None:
        """The row that the others' differences are to: the one without a difference."""
        known = [row for row in self.rows if row.figure(metric, scope)]
        return next((row for row in known if row.difference(metric, scope) is None), None)
