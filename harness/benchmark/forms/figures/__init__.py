"""The figures of a comparison, drawn from its `Results` alone."""

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from harness.benchmark.forms.figures.by_row import (
    f1_figure,
    forest_figure,
    thresholds_figure,
    where_figure,
)
from harness.benchmark.forms.figures.curves import (
    pr_figure,
    reliability_figure,
    roc_figure,
    seeds_figure,
)
from harness.benchmark.forms.figures.findings import findings_figure
from harness.benchmark.forms.figures.sheet import heading_of
from harness.benchmark.forms.figures.subgroups import subgroups_figure
from harness.benchmark.results import Results
from harness.evaluation.plates import svg_of, write_plate
from harness.search.pictures import PICTURES, Picture

__all__ = ["FIGURES", "draw_figures", "svg_of", "write_figures"]


def _of_searches(draw: Picture) -> Callable[[Results], Figure | None]:
    return lambda results: draw(list(results.searches.values()), heading_of(results))


FIGURES: dict[str, Callable[[Results], Figure | None]] = {
    "forest": forest_figure,
    "findings": findings_figure,
    "roc": roc_figure,
    "pr": pr_figure,
    "f1": f1_figure,
    "thresholds": thresholds_figure,
    "reliability": reliability_figure,
    "subgroups": subgroups_figure,
    "where": where_figure,
    "seeds": seeds_figure,
} | {name: _of_searches(draw) for name, draw in PICTURES.items()}
"""Each draws a figure, or gives None where there is nothing to show; in the order of a report."""


def draw_figures(results: Results) -> dict[str, Figure]:
    """Every figure that has something to show, by its name."""
    drawn = ((name, draw(results)) for name, draw in FIGURES.items())
    return {name: figure for name, figure in drawn if figure is not None}


def write_figures(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write each as `figures/<name>.png`, `.svg` and `.pdf`."""
    return [
        path
        for name, figure in figures.items()
        for path in write_plate(figure, folder / "figures", name)
    ]
