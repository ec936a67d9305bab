"""`harness explain`: where a run looks, and whether that is right."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import RESULTS, Results
from harness.cli.promote import RunName, RunStore
from harness.console import print_table, progress_bar

if TYPE_CHECKING:
    from harness.benchmark.estimates import Localisation
    from harness.jobs.explain import Explained

SHOWN = {"iobb_25": "IoBB ≥ 0.25", "iou_10": "IoU ≥ 0.1"}


def explain(
    run: RunName,
    part: Annotated[
        Literal["val", "test"], typer.Option("--part", help="Whose boxes; test: a look, recorded.")
    ] = "val",
    layer: Annotated[
        str, typer.Option(help="Weigh another layer: features.denseblock3. Finer is not truer.")
    ] = "",
    tolerance: Annotated[
        float, typer.Option(min=0, help="So many px beside a box count as in it, in its own frame.")
    ] = 0.0,
    resamples: Annotated[
        int, typer.Option(min=200, help="Bootstrap resamples behind each interval.")
    ] = 2000,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    allow_contaminated: Annotated[
        bool,
        typer.Option("--allow-contaminated", help="Weights that may have seen the test images."),
    ] = False,
    data: RunStore = None,
    results: Results = RESULTS,
) -> None:
    """Hold a run's Grad-CAM maps against the boxes of its images.

    Beside chance and the centre: pointing game by finding, overlaps, a sheet of pictures.

    Example: harness explain dannynet/t0007 --part test
    """
    results = results.resolve()
    from harness.benchmark.find_run import find_run, store_of
    from harness.benchmark.plan import StatisticsPlan
    from harness.core.machine import Machine

    found = find_run(run, results)
    store = store_of(found, results, data.resolve() if data else None)
    from harness.jobs.explain import explain  # takes seconds: mistakes above are told first

    with progress_bar("making maps") as progress:
        explained = explain(
            found.directory,
            Machine(store=store, num_threads=threads),
            part,
            statistics=StatisticsPlan(resamples=resamples, tolerance_px=tolerance),
            results=results,
            layer=layer,
            allow_contaminated=allow_contaminated,
            progress=progress,
        )
    _say(explained, found.name)


def _say(explained: "Explained", name: str) -> None:
    from harness.benchmark.forms.localisation import about, finding_lines
    from harness.benchmark.forms.wording import finding_name

    found = explained.localisation
    mark = "SYNTHETIC, " if explained.is_synthetic else ""
    print(f"{name} ({mark}{explained.explanations.part} part): {about(found)}")
    headers = ["finding", "boxes", "pointing", "chance", "centre", "− chance", "− centre"]
    print_table(
        [*headers, *SHOWN.values()],
        [
            [
                "mean of findings" if scope == "macro" else finding_name(scope),
                *(" ".join(filter(None, (c.text, c.interval, *c.marks))) for c in cells),
                *(f"{found.figures[scope][measure].value:.3f}" for measure in SHOWN),
            ]
            for scope, cells in finding_lines(found)
        ],
    )
    print(_legend(found))
    for path in explained.paths:
        print(f"wrote {path}")
    print(f"next: open {explained.paths[-1]}")


def _legend(found: "Localisation") -> str:
    tolerance = f", {found.tolerance_px:g} px of tolerance" if found.tolerance_px else ""
    return (
        f"pointing: the map's highest place is in the box{tolerance}; chance: the box's part of "
        f"the image; centre: always the image's centre. 95 % intervals over "
        f"{found.num_patients:,} patients; § excludes 0"
    )
