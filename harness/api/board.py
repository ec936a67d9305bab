"""`Board`: the trials of searches, while they run or later."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from harness.api.calls import AnyPath, figure_named, results_folder
from harness.api.frames import run_row
from harness.api.run import Run
from harness.core.errors import HarnessError, did_you_mean
from harness.core.run_dir import RunDirectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.search.leaderboard import TrialSummary
    from harness.search.plan import SearchPlan

NUM_SHOWN = 20


@dataclass(frozen=True)
class Board:
    """The trials of one or several searches, read from their folders whenever it is asked.

    Attributes:
        results: Absolute path of the results folder.
        names: Of the searches.
    """

    results: Path
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> "Board":
        """One of the searches.

        Raises:
            HarnessError: There is no such search.
        """
        if name not in self.names:
            near = did_you_mean(name, self.names)
            raise HarnessError(f"no search {name!r} here{near}; there are {', '.join(self.names)}")
        return Board(self.results, (name,))

    @property
    def best(self) -> Run | None:
        """The completed trial with the best validation score; None before there is one."""
        completed = [
            (search, trial)
            for search, _, trial in self._trials()
            if trial.status.outcome == "completed" and trial.score is not None
        ]
        if not completed:
            return None
        search, trial = max(completed, key=lambda pair: pair[1].score or 0.0)
        return Run.of(search, trial.path, self.results)

    def frame(self) -> pd.DataFrame:
        """A row for each trial, of each search the best first: completed, then pruned, then others.

        Columns: `search`, `trial`, `outcome`, `reason` of a failure, `score` (validation macro
        AUROC at the epoch whose weights are kept), `num_epochs`, `best_epoch`, `seconds` of
        training and validation, the values of what was searched by their dotted paths, `val/...`
        (macro means at the kept epoch; completed trials only), `device` and `path`.
        """
        trials = list(self._trials())
        paths = list(dict.fromkeys(path for _, plan, _ in trials for path in plan.space.space))
        rows = [
            {
                "search": search,
                "trial": trial.name,
                **run_row(RunDirectory(trial.path), paths),
            }
            for search, _, trial in trials
        ]
        return pd.DataFrame(rows)

    def figure(self, name: str = "learning") -> "Figure | None":
        """A picture of the searches, a panel each; None where there is nothing to show yet.

        Args:
            name: `learning`, `history`, `parallel` or `importance`.

        Raises:
            HarnessError: There is no such picture.
        """
        from harness.data.manifest import read_manifest
        from harness.search.history import search_history
        from harness.search.pictures import PICTURES, heading_of

        picture = figure_named(name, PICTURES)
        plan = self._plan(self.names[0])
        histories = [search_history(self._folder(search)) for search in self.names]
        store, split = read_manifest(plan.store), plan.space.base.data.split
        return picture(histories, heading_of(histories, store, split))

    def _repr_html_(self) -> str:
        """What a notebook shows: the best trials."""
        frame = self.frame()
        shown = frame.drop(columns=["device", "path", "seconds"], errors="ignore").head(NUM_SHOWN)
        more = len(frame) - len(shown)
        text: str = shown.dropna(axis="columns", how="all").to_html(index=False, na_rep="")
        return text + (f"<p>and {more} more: .frame() has all</p>" if more else "")

    def _trials(self) -> "Iterator[tuple[str, SearchPlan, TrialSummary]]":
        from harness.search.leaderboard import leaderboard

        for name in self.names:
            plan = self._plan(name)
            for trial in leaderboard(self._folder(name), plan.default_recipe):
                yield name, plan, trial

    def _plan(self, name: str) -> "SearchPlan":
        from harness.search.plan import read_plan

        return read_plan(self._folder(name))

    def _folder(self, name: str) -> Path:
        return self.results / "searches" / name


AnySearch = str | Board
"""A search: its name, or its board."""


def search_dir(search: AnySearch, results: AnyPath | None) -> Path:
    """The folder of a search that was begun; that of a board is in the board's results folder.

    Raises:
        HarnessError: There is no such search, or the board has several.
    """
    from harness.search.plan import find_search

    if isinstance(search, Board):
        if len(search.names) != 1:
            names = ", ".join(search.names)
            raise HarnessError(f"the board has several searches: name one of {names}")
        return find_search(search.names[0], results_folder(results or search.results))
    return find_search(search, results_folder(results))
