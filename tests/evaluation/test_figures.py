"""The look that figures share, and how they are written."""

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from harness.evaluation.figures import new_figure, save_figure


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_figures_are_written_in_the_format_of_their_name(ending: str, tmp_path: Path) -> None:
    figure, axes = new_figure("A caption", num_rows=1, num_cols=2, size_in=(3, 2))
    assert axes.shape == (1, 2)
    path = tmp_path / "figures" / f"one.{ending}"
    save_figure(figure, path)
    magic = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending]
    assert path.read_bytes().startswith(magic)
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_long_captions_are_wrapped_inside_the_figure() -> None:
    figure, _ = new_figure("a caption of many words " * 12)
    figure.canvas.draw()
    title = figure.texts[0].get_window_extent()
    assert title.x1 <= figure.bbox.x1


def test_the_look_stays_inside_and_pyplot_outside() -> None:
    before = dict(mpl.rcParams)
    new_figure("A caption")
    assert dict(mpl.rcParams) == before
    program = "import sys, harness.evaluation.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
