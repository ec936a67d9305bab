"""`explain`: where a finished run looks, held against the boxes of its store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from harness.benchmark.estimates import Localisation
from harness.benchmark.localisation import localisation_of
from harness.benchmark.plan import StatisticsPlan
from harness.core.errors import HarnessError
from harness.core.files import write_atomic
from harness.core.looks import collect_looks
from harness.core.machine import Machine
from harness.core.progress import Progress, ignore
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.data.splits import make_split
from harness.data.store import ImageStore
from harness.explain.cam import grad_cams
from harness.explain.explanations import Explanations, Part, explanations_file
from harness.explain.sheet import Seen, SheetHeading, choose_sights, picture_sheet
from harness.explain.sights import explain_run, has_boxes
from harness.models.seen import contamination
from harness.scoring import finished, trained_network

SHEET_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What `explain` has found of a run, and where it lies."""

    run: RunDirectory
    explanations: Explanations
    localisation: Localisation
    is_synthetic: bool
    paths: tuple[Path, ...]


def explain(
    run: RunDirectory,
    machine: Machine,
    part: Part,
    *,
    statistics: StatisticsPlan,
    results: Path,
    layer: str = "",
    allow_contaminated: bool = False,
    progress: Progress = ignore,
) -> Explained:
    """Hold the maps of a finished run against the boxes of a part, and draw some of them.

    Where the part is test, the look is in the run's folder before a box is read, and in the results
    folder after.

    Raises:
        HarnessError: As `explain_run`; or the weights that the run started from may have seen test.
    """
    store, record = ImageStore.open(machine.store), finished(run)
    if part == "test" and not allow_contaminated:
        split = make_split(store, record.recipe.data.split)
        if reason := contamination(record.recipe.model.weights, split, store):
            raise HarnessError(
                f"{run.path.name}: {reason}; --allow-contaminated looks all the same"
            )
    if not store.manifest.has_patients:
        statistics = statistics.with_options(unit="image")
    explanations = explain_run(run, machine, part, layer=layer, progress=progress)
    if part == "test":
        collect_looks(results, [run.path])
    localisation = localisation_of([explanations], statistics)
    assert localisation is not None
    sheet = run.path / f"explanations_{part}.png"
    picture = _sheet(run, machine, store, explanations, tolerance_px=statistics.tolerance_px)
    write_atomic(sheet, lambda path: picture.save(path, format="PNG"))
    return Explained(
        run=run,
        explanations=explanations,
        localisation=localisation,
        is_synthetic=store.manifest.is_synthetic,
        paths=(explanations_file(run.path, part), sheet),
    )


def _sheet(
    run: RunDirectory,
    machine: Machine,
    store: ImageStore,
    explanations: Explanations,
    *,
    tolerance_px: float,
) -> Image.Image:
    record = finished(run)
    network = trained_network(run, record, machine)
    row_of = {image: row for row, image in enumerate(store.table["image"])}
    sights = [explanations.sights[place] for place in choose_sights(explanations)]
    seen: list[Seen] = []
    for start in range(0, len(sights), SHEET_BATCH):
        batch = sights[start : start + SHEET_BATCH]
        square_BHW = np.stack([store.images[row_of[sight.image]] for sight in batch])
        columns = [store.findings.index(sight.finding) for sight in batch]
        cams = grad_cams(network, square_BHW, columns, record.recipe, layer=explanations.layer)
        seen += map(Seen, batch, square_BHW, cams.heat_BHW)
    num_rows, num_columns = explanations.grid
    return picture_sheet(
        seen,
        heading=SheetHeading(
            title=f"{run.path.parent.name}/{run.path.name}",
            about=f"{explanations.part} part; Grad-CAM at {explanations.layer}, {num_rows} x "
            f"{num_columns} cells; drawn blindly from all images with a box",
            is_synthetic=store.manifest.is_synthetic,
        ),
        frame_px=explanations.frame_px,
        tolerance_px=tolerance_px,
    )


def explain_final_runs(
    runs: Sequence[Run], images: ImageStore, machine: Machine, console: Console
) -> None:
    """Hold the maps of a benchmark's scored runs against the boxes of test, where there are any.

    A run whose weights are not here, or whose network has no map, is left out, and its row says so.
    Interrupted and called again, it goes on with the run that it was at.
    """
    scored = [run for run in runs if run.directory.test_evaluation]
    here = [run for run in scored if run.directory.best_weights.exists()]
    if not here or not has_boxes(images, make_split(images, here[0].recipe.data.split).test):
        return
    with console.status("looking where the networks look") as shown:
        for number, run in enumerate(here, start=1):
            place = f"[{number}/{len(here)}]  {run.name}"
            progress = _told(console, place, shown.update)
            try:
                explain_run(run.directory, machine, "test", progress=progress)
            except HarnessError as error:
                console.print(f"{place}  no maps: {error}", soft_wrap=True)


def _told(console: Console, place: str, show: Callable[[str], None]) -> Progress:
    """Progress in the status line, and a line that stays of each run whose maps had to be made."""

    def move(done: int, total: int) -> None:
        show(f"{place}  looking where it looks: {done} of {total} boxes")
        if done == total:
            console.print(f"{place}  looked at {total} boxes of test", soft_wrap=True)

    return move
