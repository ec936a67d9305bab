"""`explain_run`: a finished run's maps held against the boxes of its store.

Obeys the test lock: before a box of the test part is read, the look is written down as that of
`score_test` is. B sights of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.machine import Machine
from harness.core.progress import Progress, ignore
from harness.core.provenance import sources_sha256
from harness.core.recipe import Recipe
from harness.core.records import RunRecord
from harness.core.run_dir import RunDirectory
from harness.data.store import BOX_COLUMNS, ImageStore
from harness.explain.cam import Cams, grad_cams
from harness.explain.explanations import Box, Explanations, Part, Sight, read_explanations
from harness.explain.layers import cam_layer
from harness.models.zoo import Network
from harness.scoring import check_same_split, finished, record_look, trained_network
from harness.training.parts import StoreRows, open_data, open_test
from harness.training.runtime import num_threads

LEVEL = 180 / 255
"""Of the highest value: the higher of the two levels at which Wang et al. 2017 cut their maps."""
BATCH_SIZE = 16
LOCK_WAIT_S = 60.0


def explain_run(
    run: RunDirectory,
    machine: Machine,
    part: Part,
    *,
    layer: str = "",
    progress: Progress = ignore,
) -> Explanations:
    """Where a finished run looks for each finding that has a box, kept in its folder.

    Asked again for the same, it returns what is there.

    Args:
        layer: In place of the one that the network's family has.
        progress: Called with the number of sights that are done, and of all.

    Raises:
        HarnessError: The run is not finished, has no weights here or belongs to another store or
            split, or the part has no box.
    """
    record = finished(run)
    with held(run.lock_file, wait_s=LOCK_WAIT_S), num_threads(machine.num_threads):
        check_same_split(run, record, machine)
        network = trained_network(run, record, machine)
        layer = cam_layer(network.backbone, layer).name
        found = read_explanations(run.path, part)
        if found and (found.layer, found.code) == (layer, _code()):
            return found
        boxed = _open_boxed(run, record, machine, part)
        sights, grid = _sights(network, boxed, record.recipe, layer=layer, progress=progress)
        explanations = Explanations(
            run_id=record.run_id,
            part=part,
            split_sha256=record.provenance.split_sha256,
            layer=layer,
            grid=grid,
            level=LEVEL,
            frame_px=boxed.store.manifest.box_frame_px,
            sights=sights,
            code=_code(),
        )
        explanations.write(run.path)
    return explanations


def _code() -> str:
    """Of what decides the maps."""
    names = ("cam", "layers", "sights")
    return sources_sha256(*(f"explain/{name}.py" for name in names))[:12]


# The images of a part that have boxes -----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Boxed:
    """The images of a part that have boxes of findings.

    Attributes:
        places: Row in the store and column among its findings, of each image and finding.
        boxes: Those of each.
    """

    store: StoreRows
    places: tuple[tuple[int, int], ...]
    boxes: tuple[tuple[Box, ...], ...]


def _open_boxed(run: RunDirectory, record: RunRecord, machine: Machine, part: Part) -> Boxed:
    """A part's boxes; where it is test, not before the look stands in the run's folder.

    Raises:
        HarnessError: It has none.
    """
    if part == "test":
        record_look(run, record)
        store = open_test(record.recipe, machine)
        row_N = np.arange(len(store))
    else:
        store, split = open_data(record.recipe, machine)
        row_N = split.val
    boxed = boxed_of(store, row_N)
    if not boxed.places:
        raise HarnessError(
            f"{machine.store}: no image of the {part} part of the split "
            f"{record.recipe.data.split!r} has a box; take the other --part"
        )
    return boxed


def has_boxes(store: ImageStore, row_N: NDArray[np.integer[Any]]) -> bool:
    """True where one of some rows has a box of a finding; which one, is not told."""
    of_finding = store.boxes["finding"].isin(store.findings)
    boxed = store.boxes["image"][of_finding]
    return bool(store.table["image"].iloc[row_N].isin(boxed).any())


def boxed_of(store: StoreRows, row_N: NDArray[np.integer[Any]]) -> Boxed:
    """The boxes of some rows, in their order and that of the findings."""
    images = store.table["image"].iloc[row_N]
    row_of = {image: int(row) for row, image in zip(row_N, images, strict=True)}
    column_of = {finding: column for column, finding in enumerate(store.findings)}
    found: dict[tuple[int, int], list[Box]] = {}
    for image, finding, *box in store.boxes[list(BOX_COLUMNS)].itertuples(index=False):
        if image in row_of and finding in column_of:
            found.setdefault((row_of[image], column_of[finding]), []).append(Box(*map(float, box)))
    return Boxed(
        store=store,
        places=tuple(sorted(found)),
        boxes=tuple(tuple(found[place]) for place in sorted(found)),
    )


# Their maps -------------------------------------------------------------------------------------


def _sights(
    network: Network, boxed: Boxed, recipe: Recipe, *, layer: str, progress: Progress
) -> tuple[tuple[Sight, ...], tuple[int, int]]:
    """All sights, and the grid of the maps."""
    sights: list[Sight] = []
    grid = (0, 0)
    for start in range(0, len(boxed.places), BATCH_SIZE):
        progress(start, len(boxed.places))
        places = boxed.places[start : start + BATCH_SIZE]
        cams = cams_of(network, boxed, places, recipe, layer=layer)
        for number, place in enumerate(places):
            sights.append(_sight(boxed, start + number, place, cams, number))
        grid = cams.grid
    progress(len(boxed.places), len(boxed.places))
    return tuple(sights), grid


def cams_of(
    network: Network,
    boxed: Boxed,
    places: Sequence[tuple[int, int]],
    recipe: Recipe,
    *,
    layer: str = "",
) -> Cams:
    """The maps of some images, of each for one finding."""
    square_BHW = np.stack([boxed.store.images[row] for row, _ in places])
    return grad_cams(network, square_BHW, [column for _, column in places], recipe, layer=layer)


def _sight(boxed: Boxed, index: int, place: tuple[int, int], cams: Cams, number: int) -> Sight:
    (row, column), peak = place, cams.peaks[number]
    image, frame_px = boxed.store.table.iloc[row], boxed.store.manifest.box_frame_px
    return Sight(
        image=image["image"],
        patient=image["patient"],
        finding=boxed.store.findings[column],
        boxes=boxed.boxes[index],
        peak=(peak[0] * frame_px, peak[1] * frame_px) if peak else None,
        region=region_of(cams.heat_BHW[number], frame_px=frame_px),
    )


def region_of(heat_HW: NDArray[np.float32], *, frame_px: float, level: float = LEVEL) -> Box | None:
    """The box around the part of a map that is connected with its highest pixel at a level.

    Args:
        level: Part of the highest value.

    Returns:
        In pixels of a square of `frame_px`; None for a map of zeros.
    """
    if heat_HW.max() <= 0:
        return None
    part_HW, _ = ndimage.label(heat_HW >= level * heat_HW.max())
    highest = np.unravel_index(heat_HW.argmax(), heat_HW.shape)
    rows, columns = np.nonzero(part_HW == part_HW[highest])
    x, y = float(columns.min()), float(rows.min())
    scale = frame_px / len(heat_HW)
    size = (columns.max() + 1 - x, rows.max() + 1 - y)
    return Box(*(float(value) * scale for value in (x, y, *size)))
