"""Runs: a recipe trained once, and what its folder tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from harness.api.calls import AnyPath, AnyStore, called, results_folder, store_path
from harness.api.frames import (
    epochs_frame,
    evaluation_frame,
    labels_frame,
    runs_frame,
    scores_frame,
)
from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.progress import progress_console
from harness.core.records import EpochReport
from harness.core.run_dir import RunDirectory
from harness.core.space import SearchSpace
from harness.words import checked_values, recipe_of, speedups_of

if TYPE_CHECKING:
    from harness.core.predictions import Predictions
    from harness.core.recipe import Recipe
    from harness.core.records import RunRecord

Part = Literal["val", "test"]


@dataclass(frozen=True)
class Run:
    """A run in some folder, read whenever it is asked.

    Attributes:
        name: `dannynet/t0007-3fa2c1`, as every function takes it; or the path of its folder.
        path: Its folder, absolute.
        results: The results folder that it was found by, absolute.
    """

    name: str
    path: Path
    results: Path

    @classmethod
    def of(cls, group: str, path: Path, results: Path) -> "Run":
        """The run of a search or a benchmark; `group` is empty for another."""
        return cls(f"{group}/{path.name}" if group else str(path), path, results)

    @property
    def directory(self) -> RunDirectory:
        return RunDirectory(self.path)

    @property
    def outcome(self) -> str:
        """`completed`, `pruned`, `failed`, ...; with the reason of a failure."""
        return str(self.directory.status)

    @property
    def recipe(self) -> "Recipe":
        """What was trained, and how."""
        recipe = self.directory.recipe
        if recipe is None:
            raise HarnessError(f"{self.path}: holds no run")
        return recipe

    @property
    def record(self) -> "RunRecord":
        """The finished run.

        Raises:
            HarnessError: It is not finished.
        """
        record = self.directory.record
        if record is None:
            raise HarnessError(f"{self.name} is {self.outcome}: it has no record yet")
        return record

    @property
    def score(self) -> float | None:
        """Validation macro AUROC at the epoch whose weights are kept; None before there is one."""
        from harness.core.selection import SCORE

        epochs = self.directory.epochs
        return epochs[-1].metrics.get(SCORE) if epochs else None

    @property
    def thresholds(self) -> pd.Series:
        """By finding, on scores; frozen on validation. NaN where it has none.

        Raises:
            HarnessError: They are not frozen yet.
        """
        found = self.directory.thresholds
        if found is None:
            raise HarnessError(f"{self.name} is {self.outcome}: its thresholds are not frozen yet")
        return pd.Series(found, dtype="float64", name="threshold").rename_axis("finding")

    def epochs(self) -> pd.DataFrame:
        """The figures of each epoch, by its number from 1."""
        return epochs_frame(self.directory)

    def figures(self, part: Part = "val") -> pd.DataFrame:
        """A row for each finding and one for `macro`, a column for each figure.

        Raises:
            HarnessError: The run has no figures of this part.
        """
        if part == "val":
            return evaluation_frame(self.record.val)
        evaluation = self.directory.test_evaluation
        if evaluation is None:
            raise HarnessError(f"{self.name}: {_no_such(part)}")
        return evaluation_frame(evaluation)

    def predictions(self, part: Part = "val") -> pd.DataFrame:
        """Scores in [0, 1]: a row for each (patient, image), a column for each finding.

        `run.predictions() >= run.thresholds` is what is flagged.

        Raises:
            HarnessError: The run has no predictions of this part.
        """
        return scores_frame(self._predictions(part))

    def labels(self, part: Part = "val") -> pd.DataFrame:
        """Labels in the shape of `predictions`; NA where a label is not known.

        Raises:
            HarnessError: The run has no predictions of this part.
        """
        return labels_frame(self._predictions(part))

    def _predictions(self, part: Part) -> "Predictions":
        found = self.directory.predictions(part)
        if found is None:
            raise HarnessError(f"{self.name}: {_no_such(part)}")
        return found


def _no_such(part: Part) -> str:
    if part == "test":
        return "its test part was not scored; a benchmark scores the final runs, once"
    return "it has no predictions of validation yet"


@called
def train(
    space: AnyPath | SearchSpace,
    *,
    data: AnyStore,
    out: AnyPath,
    set: Mapping[str, Any] | None = None,
    threads: int = 1,
    speedups: str = "auto",
    seed: int = 0,
    results: AnyPath | None = None,
) -> Run:
    """Train one recipe here and now, without Ray, Optuna or MLflow; called again, it continues.

    Args:
        space: The recipe at its default point is trained: a space, its file or its name.
        data: Image store, or where it lies.
        out: Run directory.
        set: Values of the recipe by dotted path: `{"optim.lr": 1e-4}`.
        threads: Of the CPU.
        speedups: On a GPU: `auto` (graphs), `none`, `compile`, `graphs` or `both`.

    Raises:
        HarnessError: There is no such space or store, or `out` holds a run of another recipe.
        DivergedError: A loss was not finite.
        KeyboardInterrupt: Interrupted; the same call goes on from its last epoch.
    """
    means = speedups_of(speedups)
    word = space if isinstance(space, SearchSpace) else Path(space)
    recipe = recipe_of(word, checked_values(set or {}), seed=seed)
    from harness.trial import train_alone

    console = progress_console()

    def report(epoch: EpochReport) -> None:
        auroc = epoch.metrics["val/auroc_macro"]
        console.print(f"epoch {epoch.epoch}/{recipe.train.epochs}  val AUROC {auroc:.4f}")

    folder = Path(out).resolve()
    machine = Machine(store=store_path(data), num_threads=threads, speedups=means)
    train_alone(recipe, machine, folder, report)
    return Run.of("", folder, results_folder(results))


@called
def open_run(run: AnyPath, *, results: AnyPath | None = None) -> Run:
    """A run, by `SEARCH/TRIAL`, its name or id, or its folder.

    Raises:
        HarnessError: No run is named so, or several are.
    """
    from harness.benchmark.find_run import find_run

    folder = results_folder(results)
    found = find_run(str(run), folder)
    return Run.of(found.group, found.directory.path, folder)


@called
def runs(group: str | None = None, *, results: AnyPath | None = None) -> pd.DataFrame:
    """A row for each run of all searches and benchmarks in the results folder, or of one.

    Columns: `group`, `run`, then as in `Board.frame`, with the whole recipe by dotted paths.

    Raises:
        HarnessError: A file of a run is damaged.
    """
    from harness.benchmark.find_run import all_runs

    found = all_runs(results_folder(results))
    return runs_frame((run.group, run.directory) for run in found if group in (None, run.group))
