"""`ComparisonTable`: every figure of a benchmark, read from run directories and from nothing else.

It can be built at any moment: what is not there yet is a gap with a reason. Its JSON holds all that
`render` and `figures` show, so a table is drawn again without a run, a model or an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Self

from pydantic import AliasChoices, Field

from harness.benchmark.contestants import Contestant
from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.core.recipe import Frozen, Recipe
from harness.core.records import METRICS, Evaluation, Outcome, Provenance, RunRecord
from harness.core.run import Run
from harness.core.selection import SCORE
from harness.data.store import StoreManifest


class Cell(Frozen):
    """A figure over training seeds: mean, sample SD (n - 1; None for one seed), each value."""

    mean: float
    sd: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Self | None:
        """The cell of the values that are there; None where none is."""
        known = tuple(value for value in values if value is not None)
        if not known:
            return None
        return cls(mean=fmean(known), sd=stdev(known) if len(known) > 1 else None, values=known)


class Row(Frozen):
    """One contestant.

    Attributes:
        network: As `Contestant.network` tells it.
        is_default: It is the default point of its space.
        changes: What the search changed, `{path: (default, tuned)}`.
        search_score: Validation macro AUROC of the trial it came from, one seed, chosen as the best
            of `num_trials`; for a default point the same figure of its own trial.
        num_parameters_m: Millions of parameters.
        num_seeds: Final runs asked for; `num_scored` of them have a test evaluation.
        val_auroc: Validation macro AUROC of the scored final runs.
        macro: Test metric to its macro mean over findings; None where no seed has it.
        findings: The same per finding.
    """

    label: str
    network: str
    recipe: Recipe
    is_default: bool = Field(validation_alias=AliasChoices("is_default", "is_published"))
    is_winner: bool
    changes: dict[str, tuple[Any, Any]]
    search: str | None
    trial: str | None
    search_score: float | None
    num_trials: int
    num_parameters_m: float | None
    num_seeds: int
    num_scored: int
    val_auroc: Cell | None
    macro: dict[str, Cell | None]
    findings: dict[str, dict[str, Cell | None]]


class Caption(Frozen):
    """What a reader must know before comparing the figures with any other.

    The facts of the test part are None until one final run has been scored.
    """

    store_source: str
    is_synthetic: bool
    label_version: str
    labels_sha256: str
    split: str
    split_sha256: str | None
    num_images: int | None
    num_patients: int | None
    threshold_rule: str | None
    seeds: tuple[int, ...]
    commits: tuple[str, ...]


class Problem(Frozen):
    """Why a cell or a row shows `-`, or why a figure deserves doubt."""

    where: str
    reason: str


class ComparisonTable(Frozen):
    """The result of a benchmark.

    Attributes:
        num_positives: Test images with each finding, in the order of the findings.
        problems: The reasons of all gaps.
    """

    name: str
    title: str
    caption: Caption
    num_positives: dict[str, int]
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]

    @property
    def is_partial(self) -> bool:
        """True where a final run is missing, failed or not scored."""
        return any(row.num_scored < row.num_seeds for row in self.rows)


@dataclass(frozen=True)
class Scored:
    """What a finished and scored final run says."""

    record: RunRecord
    test: Evaluation


def build_table(
    plan: BenchmarkPlan,
    contestants: Sequence[Contestant],
    runs: Sequence[Run],
    manifest: StoreManifest,
) -> ComparisonTable:
    """The table of what lies in the runs' directories now; never fails for a run that is not there.

    Args:
        runs: The final runs of the contestants, made or not.
        manifest: Of the image store that the runs train on.
    """
    read = [(run, read_run(run)) for run in runs]
    scored = [result for _, result in read if isinstance(result, Scored)]
    problems = [
        Problem(where=run.name, reason=result) for run, result in read if isinstance(result, str)
    ]
    rows = tuple(_row(contestant, read) for contestant in contestants)
    return ComparisonTable(
        name=plan.name,
        title=plan.title or plan.name,
        caption=_caption(runs, scored, manifest),
        num_positives=_num_positives(scored),
        rows=rows,
        problems=(
            *problems,
            *_gaps(scored),
            *_disagreements(scored),
            *_foreign(contestants, manifest.fingerprint),
        ),
    )


def read_run(run: Run) -> Scored | str:
    """The record and the test evaluation of a final run, or the reason why there are none."""
    try:
        status = run.directory.status
        record, test = run.directory.record, run.directory.test_evaluation
    except (OSError, HarnessError) as error:
        return f"cannot be read: {_first_line(error)}"
    if status.outcome is Outcome.QUEUED:
        return "not run yet"
    if status.outcome is not Outcome.COMPLETED:
        return f"{status} ({_first_line(status.message)})" if status.message else str(status)
    if record is None:
        return "completed, but record.json is missing"
    if record.run_id != run.recipe.run_id:
        return f"its directory holds another recipe ({record.run_id[:6]})"
    if test is None:
        return "trained, but its test part has not been scored"
    return Scored(record=record, test=test)


def _first_line(message: object) -> str:
    return (str(message).strip().splitlines() or [""])[0]


# Rows ---------------------------------------------------------------------------------------


def _row(contestant: Contestant, read: Sequence[tuple[Run, Scored | str]]) -> Row:
    own = [result for run, result in read if contestant.made(run)]
    scored = [result for result in own if isinstance(result, Scored)]
    origin = contestant.origin
    return Row(
        label=contestant.label,
        network=contestant.network,
        recipe=contestant.recipe,
        is_default=contestant.is_default,
        is_winner=contestant.is_winner,
        changes=dict(contestant.changes),
        search=origin.search if origin else None,
        trial=origin.trial if origin else None,
        search_score=origin.score if origin else None,
        num_trials=origin.num_trials if origin else 0,
        num_parameters_m=_num_parameters_m(scored),
        num_seeds=len(own),
        num_scored=len(scored),
        val_auroc=Cell.of([result.record.metrics.get(SCORE) for result in scored]),
        macro={
            metric: Cell.of([result.test.macro.get(metric) for result in scored])
            for metric in METRICS
        },
        findings={finding: _finding(scored, finding) for finding in _num_positives(scored)},
    )


def _finding(scored: Sequence[Scored], finding: str) -> dict[str, Cell | None]:
    found = [result.test.findings[finding] for result in scored if finding in result.test.findings]
    return {metric: Cell.of([getattr(each, metric) for each in found]) for metric in METRICS}


def _num_parameters_m(scored: Sequence[Scored]) -> float | None:
    counts = [result.record.provenance.num_parameters for result in scored]
    return next((count / 1e6 for count in counts if count is not None), None)


def _num_positives(scored: Sequence[Scored]) -> dict[str, int]:
    if not scored:
        return {}
    return {name: each.num_positives for name, each in scored[0].test.findings.items()}


# Caption and problems -----------------------------------------------------------------------


def _caption(runs: Sequence[Run], scored: Sequence[Scored], manifest: StoreManifest) -> Caption:
    test = scored[0].test if scored else None
    provenances = [result.record.provenance for result in scored]
    return Caption(
        store_source=manifest.source,
        is_synthetic=manifest.is_synthetic,
        label_version=manifest.label_version,
        labels_sha256=manifest.labels_sha256,
        split=runs[0].recipe.data.split if runs else "",
        split_sha256=provenances[0].split_sha256 if provenances else None,
        num_images=test.num_images if test else None,
        num_patients=test.num_patients if test else None,
        threshold_rule=test.threshold_rule if test else None,
        seeds=tuple(dict.fromkeys(run.recipe.seed for run in runs)),
        commits=tuple(dict.fromkeys(_commit(provenance) for provenance in provenances)),
    )


def _commit(provenance: Provenance) -> str:
    commit = provenance.git_commit[:12] or "unknown"
    return f"{commit}-dirty" if provenance.git_dirty else commit


def _gaps(scored: Sequence[Scored]) -> list[Problem]:
    """Findings that have no figure because of the data, not because of a run."""
    if not scored:
        return []
    reasons = {}
    for name, metrics in scored[0].test.findings.items():
        if metrics.num_positives == 0:
            reasons[name] = "no image of the test part has it; left out of every macro mean"
        elif metrics.num_positives == metrics.num_images:
            reasons[name] = "every image of the test part has it; left out of every macro mean"
        elif metrics.threshold is None:
            reasons[name] = "validation gave no threshold: no F1, sensitivity, specificity or MCC"
    return [Problem(where=name, reason=reason) for name, reason in reasons.items()]


def _disagreements(scored: Sequence[Scored]) -> list[Problem]:
    """Facts that all runs of a comparison must share, and these do not."""
    shared: dict[str, set[object]] = {
        "split": {result.record.provenance.split_sha256 for result in scored},
        "labels": {result.record.provenance.labels_sha256 for result in scored},
        "threshold rule": {result.test.threshold_rule for result in scored},
        "test images": {result.test.num_images for result in scored},
    }
    return [
        Problem(where=fact, reason=f"not comparable: the runs have {len(values)} different ones")
        for fact, values in shared.items()
        if len(values) > 1
    ]


def _foreign(contestants: Sequence[Contestant], store: str) -> list[Problem]:
    """Winners that were chosen on another store, whose validation may hold this one's test."""
    return [
        Problem(
            where=row.label,
            reason=f"its search chose on another image store ({row.origin.store[:8]}), "
            "which may hold patients of this test part",
        )
        for row in contestants
        if row.is_winner and row.origin and row.origin.store != store
    ]
