"""The tables behind the comparison: thresholds, luck of the search, seeds, subgroups, cost."""

from collections import Counter
from statistics import fmean, stdev
from typing import Literal

from harness.benchmark.forms.tables import (
    FINE_DECIMALS,
    GAP,
    PERCENT,
    Cell,
    Table,
    count,
    estimate,
    figure,
    finding_name,
    number,
    plain,
    short_hash,
    value_of,
    words,
)
from harness.benchmark.results import (
    Estimate,
    Metric,
    Results,
    Row,
    RunFacts,
    ThresholdFigure,
)
from harness.search.history import SearchHistory

GAP_METRICS: tuple[Metric, ...] = ("auroc", "sensitivity", "specificity")
CHANCE = 0.05


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


def budget_table(results: Results) -> Table | None:
    """What each search was given, and what became of it."""
    if not results.searches:
        return None
    outcomes = dict.fromkeys(
        str(trial.outcome) for search in results.searches.values() for trial in search.trials
    )
    return Table(
        key="searches",
        title="Searches",
        headers=("Search", "Device", "Trials", *(plain(outcome) for outcome in outcomes),
                 "Hours", "Best validation AUROC"),
        rows=tuple(_search(search, [*outcomes]) for search in results.searches.values()),
        notes=("Device-hours of all trials. Macro AUROC of the best trial's best epoch.",),
        num_text=2,
    )  # fmt: skip


def _search(search: SearchHistory, outcomes: list[str]) -> tuple[Cell, ...]:
    ended = Counter(str(trial.outcome) for trial in search.trials)
    scores = [trial.score for trial in search.trials if trial.score is not None]
    return (
        words(search.name),
        words(search.device),
        count(search.num_trials),
        *(count(ended[outcome]) for outcome in outcomes),
        figure(search.hours, 2),
        figure(max(scores, default=None), FINE_DECIMALS),
    )


def search_table(results: Results) -> Table | None:
    """What of a winner's search score was luck: macro AUROC of the same recipe, three times."""
    winners = [row for row in results.rows if row.is_winner and row.search_score is not None]
    if not winners:
        return None
    return Table(
        key="search-to-test",
        title="From search to test",
        headers=("Winner", "Trial", "Best of", "Search, validation", "Re-trained, validation",
                 "Re-trained, test", "Search to re-trained", "Validation to test"),
        rows=tuple(_winner(row) for row in winners),
        notes=(
            "Macro AUROC ± SD over training seeds. The search score is the highest of many trials "
            "and of one seed, so part of it is luck (the winner's curse); fresh seeds show what is "
            "left.",
        ),
        num_text=2,
    )  # fmt: skip


def _winner(row: Row) -> tuple[Cell, ...]:
    test, val = row.figure("auroc"), fmean(row.val_auroc) if row.val_auroc else None
    return (
        words(row.label),
        words(row.trial),
        count(row.cost.num_trials),
        figure(row.search_score, FINE_DECIMALS),
        _seeds_mean(row.val_auroc),
        _with_sd(test),
        _drop(row.search_score, val),
        _drop(val, test.value if test else None),
    )


def _seeds_mean(values: tuple[float, ...]) -> Cell:
    if not values:
        return Cell()
    sd = f"± {number(stdev(values), FINE_DECIMALS)}" if len(values) > 1 else ""
    return Cell(text=number(fmean(values), FINE_DECIMALS), aside=sd, order=fmean(values))


def _with_sd(value: Estimate | None) -> Cell:
    if value is None:
        return Cell()
    sd = "" if value.sd is None else f"± {number(value.sd, FINE_DECIMALS)}"
    return Cell(text=number(value.value, FINE_DECIMALS), aside=sd, order=value.value)


def _drop(before: float | None, after: float | None) -> Cell:
    if before is None or after is None:
        return Cell()
    return figure(after - before, FINE_DECIMALS, is_signed=True)


def change_table(results: Results) -> Table | None:
    """Parameters down, the rows that a search changed across."""
    rows = [row for row in results.rows if row.changes]
    if not rows:
        return None
    paths = dict.fromkeys(path for row in rows for path in row.changes)
    return Table(
        key="changes",
        title="What the searches changed",
        headers=("Parameter", *(plain(row.label) for row in rows)),
        rows=tuple((words(path), *(_change(row, path) for row in rows)) for path in paths),
        notes=("Default → tuned.",),
    )


def _change(row: Row, path: str) -> Cell:
    if path not in row.changes:
        return Cell()
    default, tuned = row.changes[path]
    return Cell(text=f"{value_of(default)} → {value_of(tuned)}")


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
                _seeds_mean(found.temperature),
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
