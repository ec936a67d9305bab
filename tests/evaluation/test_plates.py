"""Plates: a heading that is never cut, three files whose bytes repeat, and SVG fit for a page."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from harness.evaluation.plates import Heading, new_plate, plate_style, svg_of, write_plate

HEADING = Heading("Duel <1> & $2$", "phantom, split official, 600 test images", is_synthetic=True)
COLORS = mpl.colormaps["RdBu"].resampled(9)
SVG = "{http://www.w3.org/2000/svg}"


def plate(color: str = "red", heading: Heading = HEADING) -> Figure:
    """Two panels with markers, a clipped line and a bar of colours, which all make ids."""
    figure, axes = new_plate(heading, "what is shown", num_cols=2, size_in=(7.2, 2.0))
    with plate_style():
        axes[0, 0].plot([0, 1, 2], [0, 2, 1], "o-", color=color, label="a & b")
        axes[0, 0].set(xlim=(0.5, 1.5), xlabel="cost in $ of a $")
        mesh = axes[0, 1].pcolormesh(np.arange(6.0).reshape(2, 3), cmap=COLORS)
        figure.colorbar(mesh, ax=axes[0, 1])
        figure.legend(loc="outside lower center")
    return figure


def test_the_heading_names_what_is_shown_and_says_synthetic() -> None:
    assert plate().get_suptitle().strip() == "SYNTHETIC: Duel <1> & $2$: what is shown"
    real = plate(heading=HEADING._replace(is_synthetic=False))
    assert "SYNTHETIC" not in real.get_suptitle()


@pytest.mark.parametrize("num_words", [5, 60])
def test_title_facts_and_panels_do_not_cover_each_other(num_words: int) -> None:
    heading = Heading("word " * num_words, "fact, " * num_words, is_synthetic=True)
    figure = plate(heading=heading)
    svg_of(figure)
    title = next(text for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))
                 if text.get_text() == figure.get_suptitle())  # fmt: skip
    facts = next(artist for artist in figure.artists if "fact" in artist.get_text())
    lines = title.get_window_extent().height / figure.get_suptitle().count("\n")
    above, below = facts.get_window_extent(), [axes.get_tightbbox() for axes in figure.axes]
    assert title.get_window_extent().x1 <= figure.bbox.width
    assert title.get_window_extent().y1 <= figure.bbox.height
    assert above.y1 < title.get_window_extent().y1 - lines / 2
    assert all(above.y0 > box.y1 for box in below)


def test_three_files_that_are_what_they_say_and_not_blank(tmp_path: Path) -> None:
    png, svg, pdf = write_plate(plate(), tmp_path / "new", "duel")
    assert [path.name for path in (png, svg, pdf)] == ["duel.png", "duel.svg", "duel.pdf"]
    image = imread(png)
    assert image.shape[1] == 1440
    assert image[..., :3].std() > 0.05
    assert svg.read_text().startswith('<?xml version="1.0" encoding="utf-8"?>\n<svg')
    assert ElementTree.parse(svg).getroot().tag == f"{SVG}svg"
    assert pdf.read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in png.parent.iterdir()) == [
        "duel.pdf",
        "duel.png",
        "duel.svg",
    ]


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (
        [path.read_bytes() for path in write_plate(plate(color), tmp_path / name, "duel")]
        for name, color in (("a", "red"), ("b", "red"), ("c", "blue"))
    )
    assert first == second
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_the_svg_is_one_element_that_refers_to_itself_alone() -> None:
    text = svg_of(plate())
    root = ElementTree.fromstring(text)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    used = re.findall(r'(?:url\(|href=")#([^)"]+)', text)
    assert ids
    assert len(ids) == len(set(ids))
    assert set(used) == set(ids)
    assert not re.findall(r'href="(?!#)', text)
    assert not re.findall(r"url\((?!#)", text)
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert text.startswith("<svg")
    assert "<style" not in text  # it would style the whole page
    assert "<script" not in text


def test_two_figures_in_a_page_share_no_id() -> None:
    red, blue = svg_of(plate("red")), svg_of(plate("blue"))
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in (red, blue)]
    assert not ids[0] & ids[1]


def test_the_svg_tells_its_title_and_its_letters_are_text() -> None:
    root = ElementTree.fromstring(svg_of(plate()))
    title = root.find(f"{SVG}title")
    assert title is not None
    assert root.get("role") == "img"
    assert title.text == root.get("aria-label") == "SYNTHETIC: Duel <1> & $2$: what is shown"
    written = {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert {"cost in $ of a $", "a & b", HEADING.facts} <= written


def test_a_figure_may_be_written_and_then_embedded(tmp_path: Path) -> None:
    figure = plate()
    written = write_plate(figure, tmp_path, "duel")[1].read_text()
    assert written == f'<?xml version="1.0" encoding="utf-8"?>\n{svg_of(figure)}\n'
    assert svg_of(figure) == svg_of(plate())


def fails_to_be_written(figure: Figure) -> None:
    with pytest.raises(OSError, match="/proc"):
        write_plate(figure, Path("/proc"), "x")


@pytest.mark.parametrize("save", [svg_of, fails_to_be_written])
def test_the_style_of_others_is_left_alone(save: Callable[[Figure], object]) -> None:
    before = dict(mpl.rcParams)
    save(plate())
    assert dict(mpl.rcParams) == before
