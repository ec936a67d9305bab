"""`Results`: every figure of a comparison, as `results.json` holds it and every form shows it.

Computed by `statistics` from stored predictions; forms only round and arrange. A *scope* is
`macro` (the mean over findings) or the name of a finding; a *metric* is one of `METRICS` or
`f1_oracle`. Intervals are 95 %, over resamples of test patients unless `Results.unit` says images.
"""

from typing import Any, Literal

from pydantic import Field

from harness.benchmark.estimates import (
    MACRO,
    Calibration,
    Curves,
    Difference,
    Estimate,
    Localisation,
    Metric,
    Scope,
    Subgroup,
    ThresholdFigure,
)
from harness.core.recipe import Frozen, Recipe
from harness.search.history import SearchHistory


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
        """A figure of the row; None where it has none."""
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
        num_unknown_labels: Of each part that has some: `training`, `validation`, `test`.
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
    num_unknown_labels: dict[str, int] = Field(default_factory=dict)
    made_by: str = ""
    num_looks: int | None = None

    @property
    def has_patients(self) -> bool:
        """False where the source names no patients: each image then stood for one."""
        return self.num_images is None or self.num_patients is not None

    @property
    def unit(self) -> Literal["patient", "image"]:
        """What the intervals of the thresholds are over."""
        return "patient" if self.has_patients else "image"


class Problem(Frozen):
    """Why a cell or a row shows `-`, or why a figure deserves doubt."""

    where: str
    reason: str


class Results(Frozen):
    """The result of a comparison.

    Attributes:
        unit: What was resampled: `patient`, or `image` on request.
        num_positives: Test images with each finding, in the order of the findings.
        num_unknown: Test images whose label of a finding is not known, over which its figures pass;
            a finding without such is not there.
        reproduce: Key of the published row that is set beside ours finding by finding.
        problems: The reasons of all gaps.
    """

    name: str
    title: str
    caption: Caption
    unit: Literal["patient", "image"] = "patient"
    num_resamples: int
    num_positives: dict[str, int]
    num_unknown: dict[str, int] = Field(default_factory=dict)
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
        """The row of a label."""
        return next(row for row in self.rows if row.label == label)

    def best(self, metric: Metric, scope: Scope = MACRO) -> Row | None:
        """The row that the others' differences are to: the one without a difference."""
        known = [row for row in self.rows if row.figure(metric, scope)]
        return next((row for row in known if row.difference(metric, scope) is None), None)
