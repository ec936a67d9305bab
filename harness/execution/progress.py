"""The course of a search or a benchmark on the terminal: one calm block, or lines when piped.

Runs are told by their keys, `SEARCH/TRIAL`, since several searches run side by side.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.core.selection import SCORE

STYLES = {
    Outcome.COMPLETED: "green",
    Outcome.PRUNED: "yellow",
    Outcome.FAILED: "red",
    Outcome.PREEMPTED: "magenta",
}
QUIET_S = 60.0
"""Piped, a sign of life comes after so long a time, with the next epoch: runs take hours."""


@dataclass
class RunningRow:
    """What is shown of a run under way."""

    run: Run
    report: EpochReport | None = None

    @property
    def score(self) -> float | None:
        """Of its last report; None before the first."""
        return self.report.metrics.get(SCORE) if self.report else None

    @property
    def epoch(self) -> str:
        return f"epoch {self.report.epoch if self.report else 0}/{self.run.recipe.train.epochs}"

    @property
    def auroc(self) -> str:
        """Of the last epoch, which need not be the one that is kept."""
        value = self.report.metrics.get("val/auroc_macro") if self.report else None
        return f"val AUROC {'-' if value is None else f'{value:.4f}'}"


class ProgressDisplay:
    """A listener that shows how far the runs are, what is best so far, and the time left."""

    def __init__(
        self,
        title: str,
        *,
        total: int,
        console: Console,
        done: Mapping[Outcome, int] | None = None,
        best: tuple[float, str] | None = None,
    ) -> None:
        """`done` and `best` tell what an earlier call of the same command has reached."""
        self.title = title
        self.total = total
        self.console = console
        self.counts = dict(done or {})
        self.num_before = self.num_done
        self.best = best
        self.running: dict[str, RunningRow] = {}
        self.ended: dict[str, Outcome] = {}
        self.started = self.said = time.monotonic()
        self.live: Live | None = None

    @property
    def num_done(self) -> int:
        """Runs that the same command, typed again, would leave as they are."""
        return sum(count for outcome, count in self.counts.items() if outcome.is_final)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live = Live(get_renderable=self.render, console=self.console, refresh_per_second=2)
            self.live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.live:
            self.live.stop()

    # The listener ---------------------------------------------------------------------------

    def on_start(self, run: Run) -> None:
        self.running[run.key] = RunningRow(run)

    def on_epoch(self, run: Run, report: EpochReport) -> None:
        row = self.running.setdefault(run.key, RunningRow(run))
        row.report = report
        if row.score is not None and (self.best is None or row.score > self.best[0]):
            self.best = (row.score, run.key)
        if time.monotonic() - self.said > QUIET_S:
            self._say("  ".join((run.key, row.epoch, row.auroc)))

    def on_end(self, run: Run, status: Status) -> None:
        row = self.running.pop(run.key, RunningRow(run))
        before = self.ended.get(run.key)
        if before is not None:  # a retry: it counts once, as it has ended now
            self.counts[before] -= 1
        self.ended[run.key] = status.outcome
        self.counts[status.outcome] = self.counts.get(status.outcome, 0) + 1
        self._say(self._line(row, status))

    def _say(self, line: str) -> None:
        """A line for a pipe, with how many runs have ended."""
        if not self.live:
            self.said = time.monotonic()
            self.console.print(f"[{self.num_done}/{self.total}]  {line}", soft_wrap=True)

    # What is shown --------------------------------------------------------------------------

    def render(self) -> Group:
        """The block as it stands: a bar, counts, the best so far, the runs under way."""
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            Text(self.title, style="bold"),
            ProgressBar(total=self.total, completed=self.num_done, width=30),
            f"{self.num_done}/{self.total}",
            f"ETA {self._eta()}",
        )
        return Group(bar, self._counts(), self._best(), self._running_table())

    def _counts(self) -> Text:
        text = Text(f"  {len(self.running)} running")
        for outcome, count in filter(itemgetter(1), self.counts.items()):
            text.append(f" · {count} {outcome}", style=STYLES.get(outcome, ""))
        return text

    def _best(self) -> Text:
        if self.best is None:
            return Text("  best so far: none yet", style="dim")
        return Text(f"  best so far: val AUROC {self.best[0]:.4f}  {self.best[1]}")

    def _eta(self) -> str:
        num_new = self.num_done - self.num_before
        if num_new == 0:
            return "-"
        rate_s = (time.monotonic() - self.started) / num_new
        left_s = round(rate_s * (self.total - self.num_before - num_new))
        hours, minutes = divmod(left_s // 60, 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes}:{left_s % 60:02}"

    def _running_table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, row in sorted(self.running.items()):
            if row.report is None:
                table.add_row("  " + name, "starting", "", "")
                continue
            pace = f"{row.report.metrics['time/epoch_s']:.1f} s/epoch"
            table.add_row("  " + name, row.epoch, row.auroc, pace)
        return table

    def _line(self, row: RunningRow, status: Status) -> str:
        parts = [row.run.key, str(status)]
        if row.report and row.score is not None:
            parts.append(f"val AUROC {row.score:.4f} after {row.report.epoch} epochs")
        if status.outcome is Outcome.FAILED:
            parts.append(f"({status.message})")
        return "  ".join(parts)
