"""The tables behind the comparison: thresholds, seeds, final runs, calibration, cost."""

from statistics import fmean
from typing import Literal

from harness.benchmark.estimates import Estimate, ThresholdFigure
from harness.benchmark.forms.cells import count, estimate, figure, seeds_mean, words
from harness.benchmark.forms.tables import GAP, Cell, Table
from harness.benchmark.forms.wording import (
    FINE_DECIMALS,
    PERCENT,
    finding_name,
    number,
    plain,
    short_hash,
)
from harness.benchmark.results import Results, Row, RunFacts


def threshold_table(results: Results) -> Table | None:
    """The frozen thresholds of the rows that have some, findings down."""
    rows = [row for row in results.rows if row.thresholds]
    if not rows:
        return None
    has_unknown = any(each.num_unknown for row in rows for each in row.thresholds.values())
    lines = tuple(
        (
            words(finding_name(name)),
            _val_count(rows, name, "num_positives"),
            *((_val_count(rows, name, "num_unknown"),) if has_unknown else ()),
            *(_threshold(row.thresholds.get(name)) for row in rows),
        )
        for name in results.findings
    )
    rule = results.caption.threshold_rule
    return Table(
        key="thresholds",
        title="Frozen thresholds",
        headers=(
            "Finding",
            "Positives, validation",
            *(("Not known, validation",) if has_unknown else ()),
            *(plain(row.label) for row in rows),
        ),
        rows=lines,
        notes=(
            f"Mean over training seeds [{PERCENT} interval over resampled validation "
            f"{results.caption.unit}s]"
            + (f", by the rule {plain(rule)} on validation" if rule else "")
            + ". Oracle: what would have been best on test; shown, never applied.",
        ),
    )


def _val_count(
    rows: list[Row], finding: str, name: Literal["num_positives", "num_unknown"]
) -> Cell:
    known = {getattr(row.thresholds[finding], name) for row in rows if finding in row.thresholds}
    if len(known) < 2:
        return count(min(known, default=None))
    return Cell(text=f"{min(known):,} to {max(known):,}", order=min(known))


def _threshold(threshold: ThresholdFigure | None) -> Cell:
    known = [value for value in threshold.seeds if value is not None] if threshold else []
    if threshold is None or not known:
        return Cell()
    mean = Estimate(value=fmean(known), low=threshold.low, high=threshold.high)
    cell = estimate(mean)
    oracle = "" if threshold.oracle is None else f"oracle {number(threshold.oracle)}"
    return Cell(text=cell.text, interval=cell.interval, aside=oracle, order=cell.order)


def seed_table(results: Results) -> Table | None:
    """Test macro AUROC of each training seed."""
    rows = [row for row in results.rows if (auroc := row.figure("auroc")) and auroc.seeds]
    most = max((len(_seeds(row)) for row in rows), default=0)
    if most < 2:
        return None
    return Table(
        key="seeds",
        title="Macro AUROC of each training seed",
        headers=("Row", *(f"Run {place + 1}" for place in range(most)), "SD"),
        rows=tuple(
            (
                words(row.label),
                *(figure(value, FINE_DECIMALS) for value in _seeds(row)),
                *(Cell() for _ in range(most - len(_seeds(row)))),
                figure(auroc.sd if (auroc := row.figure("auroc")) else None, FINE_DECIMALS),
            )
            for row in rows
        ),
        notes=("On test. SD: sample standard deviation (n − 1).",),
    )


def _seeds(row: Row) -> tuple[float, ...]:
    auroc = row.figure("auroc")
    return auroc.seeds if auroc else ()


def run_table(results: Results) -> Table | None:
    """Every final run, scored or not."""
    runs = [(row, run) for row in results.rows for run in row.runs]
    if not runs:
        return None
    return Table(
        key="runs",
        title="Final runs",
        headers=("Row", "Run", "Outcome", "Seed", "Epochs", "Best epoch", "Hours",
                 "Validation AUROC", "Run id", "Thresholds"),
        rows=tuple((words(row.label), *_run(run)) for row, run in runs),
        notes=("Validation macro AUROC of the best epoch. Run id and thresholds by the first "
               "digits of their SHA-256.",),
        num_text=3,
        is_long=True,
    )  # fmt: skip


def _run(run: RunFacts) -> tuple[Cell, ...]:
    is_known = 1 <= run.best_epoch <= len(run.val_auroc)
    return (
        words(run.name),
        words(run.outcome),
        Cell(text=str(run.seed), order=run.seed),
        count(run.num_epochs),
        count(run.best_epoch),
        figure(None if run.duration_s is None else run.duration_s / 3600, 2),
        figure(run.val_auroc[run.best_epoch - 1] if is_known else None, FINE_DECIMALS),
        words(short_hash(run.run_id)),
        words(short_hash(run.thresholds_sha256) if run.thresholds_sha256 else None),
    )


# Calibration and cost ---------------------------------------------------------------------------


def calibration_table(results: Results) -> Table | None:
    """ECE and Brier before and after temperature scaling."""
    known = [(row, row.calibration) for row in results.rows if row.calibration]
    if not known:
        return None
    return Table(
        key="calibration",
        title="Calibration before and after temperature scaling",
        headers=("Row", "Temperature", "ECE before ↓", "ECE after ↓", "Brier before ↓",
                 "Brier after ↓"),
        rows=tuple(
            (
                words(row.label),
                seeds_mean(found.temperature),
                *(
                    estimate(part.get(metric))
                    for metric in ("ece", "brier")
                    for part in (found.before, found.after)
                ),
            )
            for row, found in known
        ),
        notes=(
            "Temperature: mean ± SD over training seeds, each fitted on validation. ECE and Brier: "
            f"macro means on test [{PERCENT} interval] ± SD over training seeds. Scaling moves no "
            "AUROC.",
        ),
    )  # fmt: skip


def cost_table(results: Results) -> Table:
    """What each row's figures cost."""
    return Table(
        key="cost",
        title="What each row cost",
        headers=("Row", "Device", "Trials", "Search, hours", "Final runs, hours", "Images/s",
                 "Parameters, millions"),
        rows=tuple(
            (
                words(row.label),
                words(row.cost.device),
                count(row.cost.num_trials),
                figure(row.cost.search_hours, 2),
                figure(row.cost.final_hours, 2),
                figure(row.cost.images_per_s, 0),
                figure(row.num_parameters_m, 2),
            )
            for row in results.rows
        ),
        notes=(
            "Device-hours: all trials of the row's search, and its final runs. Images trained on "
            f"per second of a final run, validation included. {GAP} where it is not known.",
        ),
        num_text=2,
    )  # fmt: skip
