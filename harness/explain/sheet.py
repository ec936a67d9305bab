"""One picture of where a run looks: images, boxes and maps, hit or miss, finding by finding."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from harness.core.findings import readable
from harness.core.seeds import derive_seed
from harness.explain.explanations import Explanations, Sight
from harness.explain.measures import iobb, is_in
from harness.explain.overlay import colour_bar, overlay

CELL_PX, GAP_PX, MARGIN_PX = 168, 8, 28
NAME_PX, CAPTION_PX, TITLE_PX = 150, 20, 92
NUM_COLUMNS, MIN_COLUMNS = 6, 4
BACKGROUND, TEXT, FAINT = "#101418", "#e8edf2", "#8796a5"
BOX, HIT, MISS, WARNING = "#4cc9f0", "#7ae582", "#ff7b54", "#ff7b54"
LINE_PX, CROSS_PX = 2, 7


@dataclass(frozen=True, eq=False)
class Seen:
    """A sight with its image and map, both of the whole image."""

    sight: Sight
    pixel_HW: NDArray[np.uint8]
    heat_HW: NDArray[np.float32]


@dataclass(frozen=True)
class SheetHeading:
    """What stands above the pictures."""

    title: str
    about: str
    is_synthetic: bool


def choose_sights(explanations: Explanations, *, num: int = NUM_COLUMNS) -> list[int]:
    """Places of up to `num` sights of each finding, drawn blindly: not the best, not the worst."""
    finding_N = np.array([sight.finding for sight in explanations.sights])
    chosen: list[int] = []
    for finding in explanations.findings:
        rng = np.random.default_rng(derive_seed(0, "sheet", finding))
        chosen += rng.permutation(np.flatnonzero(finding_N == finding))[:num].tolist()
    return chosen


def picture_sheet(
    seen: Sequence[Seen], *, heading: SheetHeading, frame_px: int, tolerance_px: float = 0.0
) -> Image.Image:
    """A row for each finding: the images with map, box, and a cross at the map's highest place.

    Args:
        frame_px: Side of the square that boxes, peaks and tolerance are in.
    """
    by_finding: dict[str, list[Seen]] = {}
    for each in seen:
        by_finding.setdefault(each.sight.finding, []).append(each)
    num_columns = max(MIN_COLUMNS, *map(len, by_finding.values()))
    row_px = CELL_PX + CAPTION_PX + GAP_PX
    size = (
        2 * MARGIN_PX + NAME_PX + num_columns * (CELL_PX + GAP_PX) - GAP_PX,
        2 * MARGIN_PX + TITLE_PX + len(by_finding) * row_px,
    )
    sheet = Image.new("RGB", size, BACKGROUND)
    _draw_title(sheet, heading)
    for place, (finding, row) in enumerate(by_finding.items()):
        top = MARGIN_PX + TITLE_PX + place * row_px
        name = textwrap.fill(readable(finding), 16)
        ImageDraw.Draw(sheet).multiline_text((MARGIN_PX, top + 6), name, TEXT, _font(16))
        for column, each in enumerate(row):
            left = MARGIN_PX + NAME_PX + column * (CELL_PX + GAP_PX)
            is_hit = is_in(each.sight.peak, each.sight.boxes, tolerance_px)
            sheet.paste(_cell(each, frame_px, is_hit=is_hit), (left, top))
            _draw_caption(sheet, each.sight, (left, top + CELL_PX + 3), is_hit=is_hit)
    return sheet


def _cell(seen: Seen, frame_px: int, *, is_hit: bool) -> Image.Image:
    picture = Image.fromarray(overlay(seen.pixel_HW, seen.heat_HW))
    cell = picture.resize((CELL_PX, CELL_PX), Image.Resampling.BICUBIC)
    draw, scale = ImageDraw.Draw(cell), CELL_PX / frame_px
    for box in seen.sight.boxes:
        x, y, w, h = (value * scale for value in box)
        draw.rectangle((x, y, x + w, y + h), outline=BOX, width=LINE_PX)
    if seen.sight.peak:
        x, y = (value * scale for value in seen.sight.peak)
        colour = HIT if is_hit else MISS
        draw.line((x - CROSS_PX, y, x + CROSS_PX, y), colour, LINE_PX)
        draw.line((x, y - CROSS_PX, x, y + CROSS_PX), colour, LINE_PX)
    return cell


def _draw_caption(
    sheet: Image.Image, sight: Sight, corner: tuple[int, int], *, is_hit: bool
) -> None:
    draw, font = ImageDraw.Draw(sheet), _font(12)
    verdict = "hit" if is_hit else "miss" if sight.peak else "none"
    draw.text(corner, verdict, HIT if is_hit else MISS, font)
    name = f"IoBB {iobb(sight):.2f}  {sight.image.removesuffix('.png')[:13]}"
    draw.text((corner[0] + draw.textlength(verdict, font) + 7, corner[1]), name, FAINT, font)


def _draw_title(sheet: Image.Image, heading: SheetHeading) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN_PX, MARGIN_PX - 8), heading.title, TEXT, _font(26))
    if heading.is_synthetic:
        left = MARGIN_PX + draw.textlength(heading.title, _font(26)) + 20
        draw.text((left, MARGIN_PX - 3), "SYNTHETIC", WARNING, _font(20))
    draw.text((MARGIN_PX, MARGIN_PX + 28), heading.about, FAINT, _font(14))
    top = MARGIN_PX + 54
    sheet.paste(Image.fromarray(colour_bar(120, 10)), (MARGIN_PX, top + 3))
    legend = (
        "0 to 1 of each map's highest value; box: where it is; cross: the map's highest place; "
        "none: nothing spoke for it"
    )
    draw.text((MARGIN_PX + 130, top), legend, FAINT, _font(13))


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
