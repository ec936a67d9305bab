"""The tables of the searches: what they were given, what of a winner's score was luck, changes."""

from collections import Counter
from statistics import fmean

from harness.benchmark.estimates import Estimate
from harness.benchmark.forms.cells import count, figure, seeds_mean, words
from harness.benchmark.forms.tables import Cell, Table
from harness.benchmark.forms.wording import FINE_DECIMALS, number, plain, value_of
from harness.benchmark.results import Results, Row
from harness.search.history import SearchHistory


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
        seeds_mean(row.val_auroc),
        _with_sd(test),
        _drop(row.search_score, val),
        _drop(val, test.value if test else None),
    )


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
