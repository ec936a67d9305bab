"""What is in a store, for the eye: a table of counts and one picture of examples.

Look at the picture before training: wrong labels, mirrored or black images and boxes beside their
finding are seen here at once, and in no figure later.
"""

import textwrap

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from harness.core.findings import NO_FINDING
from harness.core.seeds import derive_seed
from harness.data.splits import PARTS, Split
from harness.data.store import ImageStore

CELL_PX, GAP_PX, PANEL_GAP_PX, MARGIN_PX = 132, 6, 26, 32
HEADING_PX, CAPTION_PX, TITLE_PX, FOOTER_PX = 28, 28, 82, 50
NUM_PANEL_COLUMNS = 3
MIN_PANEL_PX = 270

BACKGROUND, TEXT, FAINT = "#101418", "#e8edf2", "#8796a5"
BOX, WARNING = "#ffb454", "#ff7b54"

BOX_WIDTH_PX = 2


def summary_table(store: ImageStore, split: Split) -> pd.DataFrame:
    """Counts with the columns train, val and test.

    The rows are images, patients where the source names them, `No Finding` and every finding (its
    positive images).
    """
    columns = {}
    for part in PARTS:
        row = getattr(split, part)
        label_NL = store.label_NL[row]
        counts = {"images": len(row)}
        if store.manifest.has_patients:
            counts["patients"] = store.table["patient"].iloc[row].nunique()
        counts[NO_FINDING] = int(np.logical_not(label_NL.any(axis=1)).sum())
        columns[part] = counts | dict(zip(store.findings, label_NL.sum(axis=0), strict=True))
    return pd.DataFrame(columns).astype(int)


def contact_sheet(store: ImageStore, *, num: int = 4, seed: int = 0) -> Image.Image:
    """A picture with `num` examples of every finding and of none, with the radiologists' boxes.

    Up to half of a finding's examples are drawn from those with a box of it, the others from all
    its images.
    """
    names = (*store.findings, NO_FINDING)
    num_panel_rows = -(-len(names) // NUM_PANEL_COLUMNS)
    panel_size = (
        max(MIN_PANEL_PX, num * (CELL_PX + GAP_PX) - GAP_PX),
        HEADING_PX + CELL_PX + CAPTION_PX,
    )
    width = 2 * MARGIN_PX + NUM_PANEL_COLUMNS * (panel_size[0] + PANEL_GAP_PX) - PANEL_GAP_PX
    height = MARGIN_PX + TITLE_PX + num_panel_rows * (panel_size[1] + GAP_PX) + FOOTER_PX
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    _draw_title(sheet, store)
    for number, name in enumerate(names):
        panel_row, panel_column = divmod(number, NUM_PANEL_COLUMNS)
        corner = (
            MARGIN_PX + panel_column * (panel_size[0] + PANEL_GAP_PX),
            MARGIN_PX + TITLE_PX + panel_row * (panel_size[1] + GAP_PX),
        )
        rows = choose_rows(store, name, num=num, seed=seed)
        _draw_panel(sheet, store, name, corner=corner, rows=rows)
    _draw_footer(sheet, store)
    return sheet


def choose_rows(store: ImageStore, name: str, *, num: int, seed: int) -> list[int]:
    """Rows of up to `num` different images with the finding `name`, those with a box first."""
    rng = np.random.default_rng(derive_seed(seed, "contact_sheet", name))
    drawn = rng.permutation(np.flatnonzero(_has(store, name)))
    boxed = store.boxes["image"][store.boxes["finding"] == name]
    is_boxed = store.table["image"].isin(boxed).to_numpy()[drawn]
    first = drawn[is_boxed][: -(-num // 2)]
    rest = drawn[~np.isin(drawn, first)]
    return [int(row) for row in (*first, *rest)][:num]


def _has(store: ImageStore, name: str) -> NDArray[np.bool_]:
    """bool, N: which images have the finding `name`, which may be `No Finding`."""
    if name == NO_FINDING:
        return np.logical_not(store.label_NL.any(axis=1))
    return store.label_NL[:, store.findings.index(name)]


# Drawing ----------------------------------------------------------------------------------------


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _draw_title(sheet: Image.Image, store: ImageStore) -> None:
    draw = ImageDraw.Draw(sheet)
    manifest = store.manifest
    title = f"{manifest.source.upper()}  {manifest.label_version}"
    draw.text((MARGIN_PX, MARGIN_PX - 8), title, TEXT, _font(30))
    if manifest.is_synthetic:
        left = MARGIN_PX + draw.textlength(title, _font(30)) + 20
        right = left + draw.textlength("SYNTHETIC", _font(22)) + 24
        draw.rounded_rectangle((left, MARGIN_PX - 6, right, MARGIN_PX + 28), 8, WARNING)
        draw.text((left + 12, MARGIN_PX + 11), "SYNTHETIC", BACKGROUND, _font(22), anchor="lm")
    num_patients = store.table["patient"].nunique()
    whose = f"{num_patients:,}" if manifest.has_patients else "unknown"
    counts = (
        f"{len(store):,} images of {whose} patients, "
        f"{manifest.size_px} x {manifest.size_px} px, {len(store.boxes):,} boxes, "
        f"store {store.fingerprint[:12]}"
    )
    draw.text((MARGIN_PX, MARGIN_PX + 38), counts, FAINT, _font(16))


def _draw_panel(
    sheet: Image.Image, store: ImageStore, name: str, *, corner: tuple[int, int], rows: list[int]
) -> None:
    """The heading of a finding and its examples side by side."""
    draw = ImageDraw.Draw(sheet)
    left, top = corner
    has_N = _has(store, name)
    heading = name.replace("_", " ")
    draw.text((left, top), heading, TEXT, _font(17))
    share = f"{has_N.sum():,} images, {has_N.mean():.1%}"
    draw.text((left + draw.textlength(heading, _font(17)) + 10, top + 3), share, FAINT, _font(13))
    if not rows:
        draw.text((left, top + HEADING_PX), "no example in this store", FAINT, _font(13))
    for number, row in enumerate(rows):
        cell_left, cell_top = left + number * (CELL_PX + GAP_PX), top + HEADING_PX
        sheet.paste(_cell(store, row, name), (cell_left, cell_top))
        caption = _caption(store, row)
        draw.text((cell_left, cell_top + CELL_PX + 3), caption, FAINT, _font(11))


def _cell(store: ImageStore, row: int, name: str) -> Image.Image:
    """One image with the boxes of the finding `name`."""
    gray = Image.fromarray(np.array(store.images[row]))
    cell = gray.resize((CELL_PX, CELL_PX), Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(cell)
    scale = CELL_PX / store.manifest.box_frame_px
    boxes = store.boxes[
        (store.boxes["image"] == store.table["image"].iloc[row]) & (store.boxes["finding"] == name)
    ]
    for x, y, w, h in boxes[["x", "y", "w", "h"]].to_numpy() * scale:
        draw.rectangle((x, y, x + w, y + h), outline=BOX, width=BOX_WIDTH_PX)
    return cell


def _caption(store: ImageStore, row: int) -> str:
    """`00000075_000  F 61 PA`, cut to the width of a cell."""
    image = store.table.iloc[row]
    age = "" if pd.isna(image["age"]) else str(image["age"])
    about = " ".join(part for part in (image["sex"], age, image["view"]) if part)
    return f"{image['image'].removesuffix('.png')[:14]}  {about}"


def _draw_footer(sheet: Image.Image, store: ImageStore) -> None:
    font = _font(12)
    lines = textwrap.wrap(store.manifest.attribution, width=sheet.width // 7)[:3]
    top = sheet.height - FOOTER_PX + GAP_PX
    ImageDraw.Draw(sheet).multiline_text((MARGIN_PX, top), "\n".join(lines), FAINT, font, spacing=5)
