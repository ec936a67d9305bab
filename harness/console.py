"""What commands print when they end: tables, what was written, and what to type next.

Rich is imported when something is drawn: it would be half of the time of `harness --help`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.core.progress import progress_console

if TYPE_CHECKING:
    from harness.benchmark.results import Results
    from harness.data.store import ImageStore
    from harness.search.estimate import Estimate
    from harness.search.leaderboard import TrialSummary
    from harness.search.standing import Standing

WIDTH_WHEN_PIPED = 10_000
NUM_LEADERS = 10
NUM_FAILURES = 3
LINE = "\n"


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A plain table on stdout, numbers to the right; a pipe gets a line for each row."""
    print("\n".join(table_lines(headers, rows)))


def table_lines(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, is_text: bool = False
) -> list[str]:
    """The lines of a table, as wide as the terminal; with `is_text` they are no more than text."""
    from rich.console import Console
    from rich.table import Table

    colors: Literal["auto"] | None = None if is_text else "auto"
    console = Console(markup=False, highlight=False, emoji=False, color_system=colors)
    if not console.is_terminal:
        console.width = WIDTH_WHEN_PIPED
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for index, header in enumerate(headers):
        is_number = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(str(header), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    with console.capture() as shown:
        console.print(table)
    return [line.rstrip() for line in shown.get().splitlines()]


@contextmanager
def progress_bar(what: str, *, unit: int = 1) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that moves a bar on stderr, or prints lines when piped.

    Args:
        unit: So many of what is counted are one of what is shown.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = progress_console()
    columns = (
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    bar = Progress(*columns, console=console)
    task = bar.add_task(what, total=None)
    tenths = {0}

    def move(done: int, total: int) -> None:
        done, total = done // unit, total // unit
        bar.update(task, completed=done, total=total)
        if console.is_terminal:
            bar.start()  # now, and not before: a mistake may be met first
        elif (tenth := 10 * done // max(total, 1)) not in tenths:
            tenths.add(tenth)
            console.print(f"{what}: {done} of {total}")

    try:
        yield move
    finally:
        if bar.live.is_started:
            bar.stop()


def say_store(store: "ImageStore") -> None:
    """A store that has been made."""
    manifest = store.manifest
    kind = "SYNTHETIC images" if manifest.is_synthetic else "images"
    print(f"{len(store)} {kind} of {manifest.size_px} px, source {manifest.source}")
    for failure in manifest.failures:
        print(f"  left out: {failure.image}: {failure.reason}")
    print(f"wrote {store.path}")
    print(f"next: harness data show {store.path}")


def say_leaderboard(trials: Sequence["TrialSummary"], search_dir: Path) -> None:
    """The best trials of a search, what the best one changed, why some failed, and what is next."""
    rows = [
        [
            trial.name,
            str(trial.status),
            "-" if trial.score is None else f"{trial.score:.4f}",
            f"{trial.best_epoch}/{trial.num_epochs}",
            show_changes(trial.changes),
        ]
        for trial in trials[:NUM_LEADERS]
    ]
    headers = ["trial", "outcome", "val AUROC", "kept epoch", "changed against the default"]
    print_table(headers, rows)
    if len(trials) > NUM_LEADERS:
        print(f"and {len(trials) - NUM_LEADERS} more")
    failures = [trial for trial in trials if trial.status.outcome == "failed"]
    for trial in failures[:NUM_FAILURES]:
        print(f"{trial.name} failed: {trial.status.message.partition(LINE)[0]}")
    if len(failures) > NUM_FAILURES:
        print(f"and {len(failures) - NUM_FAILURES} more failed; each status.json says why")
    print(f"wrote {search_dir}")
    if not trials or trials[0].status.outcome != "completed":
        told = "the same harness search command goes on"
        if failures:
            retry = retry_words(search_dir.name, failures)
            told = f"mend the cause and {retry}, or search under another --name"
        elif any(trial.status.outcome == "cancelled" for trial in trials):
            told = f"harness retry {search_dir.name} --cancelled takes the cancelled ones up again"
        print(f"next: no trial has completed; {told}")
        return
    changed = show_changes(trials[0].changes) or "nothing: the default recipe itself"
    print(f"the best, {trials[0].name}, changed {changed}")
    print(f"next: harness benchmark --search {search_dir.name}, or harness ui to browse MLflow")


def retry_words(search: str, failures: Sequence["TrialSummary"]) -> str:
    """The command that makes failed trials again; those that would fail again must be named."""
    from harness.search.control import NOT_RETRIED

    if any(trial.status.reason not in NOT_RETRIED for trial in failures):
        return f"harness retry {search}"
    named = (trial.name.partition("-")[0] for trial in failures[:NUM_FAILURES])
    return f"harness retry {search} {' '.join(named)}"


def say_estimates(estimates: Mapping[str, "Estimate"]) -> None:
    """What each search would take; nothing has been begun."""
    for name, estimate in estimates.items():
        print(f"search {name}, of which {estimate.num_trials} trials are to be made")
        width = max(len(what) for what, _ in estimate.rows())
        for what, text in estimate.rows():
            print(f"  {what:<{width}}  {text}")
    print("nothing was begun; next: the same command without --dry-run")


def say_status(standing: "Standing") -> None:
    """How a search stands, and what is next."""
    from harness.core.records import Outcome
    from harness.search.control import NOT_RETRIED

    plan, counts = standing.plan, standing.counts
    print("\n".join(status_lines(standing)))
    if standing.driver:
        print(f"next: harness stop {plan.name}, or harness cancel {plan.name}")
    elif any(trial.status.reason not in NOT_RETRIED for trial in standing.failed):
        print(f"next: harness retry {plan.name}, then the same harness search command")
    elif standing.num_new or any(not outcome.is_final for outcome in counts):
        print("next: the same harness search command, which goes on")
    elif standing.failed and Outcome.COMPLETED not in counts:
        retry = retry_words(plan.name, standing.failed)
        print(f"next: mend the cause and {retry}, then the same harness search command")
    else:
        print(f"next: harness benchmark --search {plan.name}")


def status_lines(standing: "Standing", *, is_text: bool = False) -> list[str]:
    """How a search stands; `is_text` as of `table_lines`."""
    plan = standing.plan
    parts = [f"{count} {outcome}" for outcome, count in standing.counts.items()]
    driver = f"driven by {standing.driver}" if standing.driver else "not running"
    lines = [
        f"search {plan.name}: {driver}",
        f"{plan.num_trials} trials: {', '.join([*parts, f'{standing.num_new} not begun'])}",
    ]
    for point in plan.warm_start.points:
        lines.append(f"warm start from {point.origin}: {show_values(point.values)}")
    if standing.running:
        rows = [
            [
                trial.name,
                f"{trial.num_epochs}/{trial.recipe.train.epochs}",
                "-" if trial.score is None else f"{trial.score:.4f}",
                show_changes(trial.changes),
            ]
            for trial in standing.running
        ]
        headers = ["running", "epoch", "val AUROC", "changed against the default"]
        lines += table_lines(headers, rows, is_text=is_text)
    if (best := standing.best) is not None:
        lines.append(f"best so far: val AUROC {best.score:.4f}  {plan.name}/{best.name}")
    for trial in standing.failed[:NUM_FAILURES]:
        lines.append(f"{trial.name} {trial.status}: {trial.status.message.partition(LINE)[0]}")
    if len(standing.failed) > NUM_FAILURES:
        lines.append(f"and {len(standing.failed) - NUM_FAILURES} more failed")
    lines.append(f"{standing.gpu_hours:.2f} GPU-hours; {standing.num_bytes / 1e6:.1f} MB on disk")
    return lines


def say_results(results: "Results", folder: Path) -> None:
    """A comparison in short, and where the whole of it lies."""
    from harness.benchmark.forms import summary_rows

    caption = results.caption
    mark = "SYNTHETIC, " if caption.is_synthetic else ""
    print(
        f"\n{results.title} ({mark}{caption.store_source}, split {caption.split}, macro over "
        f"findings, 95 % intervals over {results.unit}s)"
    )
    print_table(*summary_rows(results))
    for problem in results.problems:
        print(f"  {problem.where}: {problem.reason}")
    print(f"wrote {folder}/report.html, table.md, .csv, .tex, results.json and figures/")
    also = (
        ", or harness ui to browse the runs in MLflow" if any(r.runs for r in results.rows) else ""
    )
    print(f"next: open {folder}/report.html{also}")


def show_changes(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """`optim.lr 5e-05 → 0.00012, loss.gamma 2 → 1.31`."""
    return ", ".join(f"{path} {_apart(*values)}" for path, values in changes.items())


def show_values(values: Mapping[str, Any]) -> str:
    """`optim.lr 0.000123, train.epochs 25`."""
    return ", ".join(f"{path} {_rounded(value)}" for path, value in values.items())


def _apart(before: Any, after: Any) -> str:
    """Both, in as many digits as tell them apart."""
    shown = [(_rounded(before, digits), _rounded(after, digits)) for digits in (3, 6)]
    return " → ".join(next((pair for pair in shown if len(set(pair)) == 2), shown[-1]))


def _rounded(value: Any, digits: int = 3) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
