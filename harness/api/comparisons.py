"""Comparisons: benchmarks, and figures of predictions from elsewhere."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd
from pydantic import Field

from harness.api.calls import (
    AnyPath,
    AnyStore,
    called,
    figure_named,
    named_words,
    place_at,
    results_folder,
    store_path,
)
from harness.api.frames import lines_frame
from harness.api.searches import Board
from harness.benchmark import results as benchmark_results
from harness.core.errors import HarnessError
from harness.words import named_files, plan_of, writable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.benchmark.plan import BenchmarkPlan

AnyFiles = Mapping[str, AnyPath] | list[AnyPath] | AnyPath
"""Files by the names of their rows; without names, each has that of its file."""


class Results(benchmark_results.Results):
    """Every figure of a comparison, with its forms.

    Attributes:
        folder: Where its table, report and figures lie.
    """

    folder: Path = Field(exclude=True)

    @classmethod
    def of(cls, results: benchmark_results.Results, folder: Path) -> Self:
        """The results that lie in a folder."""
        return cls.model_validate({**dict(results), "folder": folder})

    @property
    def page(self) -> Path:
        """The report for the browser."""
        return self.folder / "report.html"

    def frame(self) -> pd.DataFrame:
        """Every figure, one a row, in the columns of `table.csv`; `seeds` is a tuple.

        `part` tells the kind of figure: `figure`, `difference`, `threshold`, `subgroup`, ...;
        `scope` is `macro` or a finding; `low` and `high` are a 95 % interval over patients.
        """
        from harness.benchmark.forms.comma_separated import lines_of

        return lines_frame(lines_of(self))

    def table(self) -> pd.DataFrame:
        """The main figures as they are printed: a row for each method, texts with intervals."""
        from harness.benchmark.forms import summary_rows

        headers, rows = summary_rows(self)
        return pd.DataFrame(rows, columns=headers).set_index(headers[0])

    def figure(self, name: str = "forest") -> "Figure | None":
        """One of the report's figures; None where there is nothing to show.

        Args:
            name: `forest`, `findings`, `roc`, `pr`, `f1`, `thresholds`, `reliability`,
                `subgroups`, `where`, `seeds`; `learning`, `history`, `parallel`, `importance`.

        Raises:
            HarnessError: There is no such figure.
        """
        from harness.benchmark.forms.figures import FIGURES

        return figure_named(name, FIGURES)(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the table in short, and of which data it is."""
        mark = "SYNTHETIC images, " if self.caption.is_synthetic else ""
        about = (
            f"{mark}{self.caption.store_source}, split {self.caption.split}, macro over findings, "
            f"95 % intervals over {self.unit}s"
        )
        gaps = "".join(f"<p>{escape(f'{p.where}: {p.reason}')}</p>" for p in self.problems)
        title = f"<p><b>{escape(self.title)}</b> ({escape(about)})</p>"
        return f"{title}{self.table().to_html()}{gaps}"


@called
def benchmark(
    plan: "AnyPath | BenchmarkPlan | Board | None" = None,
    *,
    data: AnyStore | None = None,
    search: str | Sequence[str] | None = None,
    name: str = "",
    seeds: int | None = None,
    predictions: AnyFiles | None = None,
    reproduce: str | None = None,
    ensembles: bool = False,
    boxes: bool | None = None,
    unequal_budgets: bool = False,
    allow_contaminated: bool = False,
    resamples: int | None = None,
    by_image: bool = False,
    address: str | None = None,
    storage: AnyPath | None = None,
    cpus_per_trial: int = 1,
    gpus_per_trial: float | None = None,
    results: AnyPath | None = None,
) -> Results:
    """Train winners and published recipes anew, score test once a seed; called again, it continues.

    Args:
        plan: A plan, its file or the name of a shipped one; or a board, whose winners compete.
        data: Image store; without, the searches' own.
        search: In place of a plan: names of searches whose winners compete.
        name: Of the benchmark and its folder; without, the plan's, or `a-vs-b` of the searches.
        seeds: Fresh seeds, final runs of each recipe; without, as the plan says, or 3.
        predictions: Files of scores from elsewhere by the names of their rows.
        reproduce: A published row to set beside ours: `dannynet`.
        ensembles: Means of seeds and of winners are rows, too.
        boxes: Hold the maps against the store's boxes; None as the plan says.
        unequal_budgets: Compare searches of different lengths all the same.
        allow_contaminated: Score weights that may have seen test images.
        resamples: Bootstrap resamples behind each interval; None as the plan says, or 2000.
        by_image: Intervals over images, too narrow, in place of patients.
        address: As for `search`, and so are the next three.
        storage: Where nodes keep runs that share no results folder.
        cpus_per_trial: Cores of a run.
        gpus_per_trial: GPUs of a run.
        results: Folder of all that is written; a board's own, where there is one.

    Raises:
        HarnessError: Something is wrong that can be seen before the first run.
        KeyboardInterrupt: Interrupted; the same call goes on from there.
    """
    if isinstance(plan, Board):
        if search:
            raise HarnessError("give a board, or names by search, not both")
        search, results, plan = plan.names, results or plan.results, None
    searches = [search] if isinstance(search, str) else [*(search or ())]
    word = Path(plan) if isinstance(plan, str | os.PathLike) else plan
    chosen = plan_of(word, searches, name=name, seeds=seeds).with_options(
        reproduce=reproduce,
        resamples=resamples,
        unit="image" if by_image else None,
        boxes=boxes,
        ensembles=ensembles or None,
        unequal_budgets=unequal_budgets or None,
    )
    place = place_at(results, address, cpus_per_trial, gpus_per_trial, storage)
    from harness.jobs.benchmark import Entered
    from harness.jobs.benchmark import benchmark as run_benchmark

    entered = Entered(
        store=None if data is None else store_path(data),
        predictions=named_files(named_words(predictions)),
        allow_contaminated=allow_contaminated,
    )
    found = run_benchmark(chosen, place=place, entered=entered)
    return Results.of(found, place.results / chosen.name)


@called
def evaluate(
    predictions: AnyFiles,
    *,
    labels: AnyPath,
    out: AnyPath,
    val_predictions: AnyFiles | None = None,
    images: AnyPath | None = None,
    resamples: int | None = None,
    by_image: bool = False,
) -> Results:
    """Score predictions of any models: the same figures, intervals and forms as a benchmark.

    Args:
        predictions: Files of scores by the names of their rows.
        labels: Label table, such as Data_Entry_2017_v2020.csv.
        out: Folder that is written.
        val_predictions: The same, of validation, to tune thresholds on.
        images: List of the test images, such as test_list.txt; without, all that are predicted.
        resamples: Bootstrap resamples behind each interval; None for 2000.
        by_image: Intervals over images, too narrow, in place of patients.

    Raises:
        HarnessError: A file has a mistake; nothing was written.
    """
    from harness.benchmark.plan import StatisticsPlan
    from harness.jobs.evaluate import Evaluated
    from harness.jobs.evaluate import evaluate as score

    folder = writable(Path(out))
    unit = "image" if by_image else "patient"
    evaluated = Evaluated(
        predictions=named_files(named_words(predictions)),
        val_predictions=named_files(named_words(val_predictions)),
        labels=Path(labels).resolve(),
        images=Path(images).resolve() if images else None,
    )
    statistics = StatisticsPlan().with_options(resamples=resamples, unit=unit)
    return Results.of(score(evaluated, out=folder, statistics=statistics), folder)


@called
def report(folder: AnyPath) -> Results:
    """Table, report and figures of a benchmark's folder, made again from stored predictions.

    Raises:
        HarnessError: The folder holds no comparison.
    """
    from harness.jobs.evaluate import report as write_report

    path = writable(Path(folder))
    return Results.of(write_report(path), path)


@called
def open_results(name: AnyPath, *, results: AnyPath | None = None) -> Results:
    """The results of a benchmark, by its name or its folder, as they were written.

    Raises:
        HarnessError: There are none.
    """
    from harness.benchmark.forms import RESULTS_FILE, read_results

    there = results_folder(results) / name
    folder = there if (there / RESULTS_FILE).exists() else Path(name).resolve()
    return Results.of(read_results(folder / RESULTS_FILE), folder)
