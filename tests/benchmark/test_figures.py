from pathlib import Path

import pytest
from matplotlib.figure import Figure

from harness.benchmark.figures import finding_figure, macro_figure, write_figures
from harness.benchmark.plan import BenchmarkPlan
from tests.benchmark.conftest import Lab


def texts(figure: Figure) -> str:
    titles = [figure.get_suptitle(), *(axes.get_title("left") for axes in figure.axes)]
    return "\n".join(titles + [text.get_text() for axes in figure.axes for text in axes.texts])


def test_a_dot_per_seed_and_a_bar_at_the_mean(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    table = scored_lab.table(plan)
    figure = macro_figure(table)
    lines = figure.axes[0].lines
    for place, row in enumerate(table.rows):
        cell = row.macro["auroc"]
        assert cell is not None
        drawn = [(tuple(line.get_xdata()), set(line.get_ydata())) for line in lines]
        assert (cell.values, {place}) in drawn
        assert ((cell.mean,), {place}) in drawn
        assert f"{cell.mean:.3f}" in texts(figure)


def test_a_gap_is_said_in_the_figure(lab: Lab, plan: BenchmarkPlan) -> None:
    assert texts(macro_figure(lab.table(plan))).count("not scored") == 3
    assert "PARTIAL" in texts(macro_figure(lab.table(plan)))


def test_every_number_is_in_the_heat_map(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    table = scored_lab.table(plan)
    written = texts(finding_figure(table))
    for row in table.rows:
        cell = row.findings["Mass"]["auroc"]
        assert cell is not None
        assert f"{cell.mean:.3f}" in written
    assert written.count("\n-") == 3  # Hernia


@pytest.mark.parametrize("make", [macro_figure, finding_figure])
def test_synthetic_data_is_named_in_the_title(
    scored_lab: Lab, plan: BenchmarkPlan, make: type
) -> None:
    table = scored_lab.table(plan)
    assert "SYNTHETIC" in texts(make(table))
    caption = table.caption.model_copy(update={"is_synthetic": False})
    assert "SYNTHETIC" not in texts(make(table.model_copy(update={"caption": caption})))


def test_files_are_written(scored_lab: Lab, plan: BenchmarkPlan, tmp_path: Path) -> None:
    paths = write_figures(scored_lab.table(plan), tmp_path)
    assert [path.name for path in paths] == ["macro_auroc.png", "finding_auroc.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_nothing_scored_draws_no_heat_map(lab: Lab, plan: BenchmarkPlan, tmp_path: Path) -> None:
    assert [p.name for p in write_figures(lab.table(plan), tmp_path)] == ["macro_auroc.png"]
