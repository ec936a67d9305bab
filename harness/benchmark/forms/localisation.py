"""The tables of where the models look: the pointing game by finding, its gains, and overlaps."""

from collections.abc import Iterator

from harness.benchmark.estimates import MACRO, Estimate, Localisation, Scope
from harness.benchmark.forms.cells import count, estimate, gap, words
from harness.benchmark.forms.tables import Cell, Table
from harness.benchmark.forms.wording import PERCENT, finding_name, number, plain, plural
from harness.benchmark.results import Results, Row
from harness.explain.measures import CENTRE, CHANCE, IOBB, IOU, POINTING

OVERLAPS = {
    "iobb_10": "IoBB",
    "iobb_25": "IoBB",
    "iobb_50": "IoBB",
    "iou_10": "IoU",
    "iou_30": "IoU",
}
BLIND = {CHANCE: "chance", CENTRE: "the image centre"}


def localisation_tables(results: Results) -> tuple[Table, ...]:
    """Empty where no row's maps were held against boxes."""
    rows = [row for row in results.rows if row.localisation]
    if not rows:
        return ()
    return (
        _pointing_table(results, rows),
        *(_gain_table(rows, blind) for blind in BLIND),
        _overlap_table(rows),
    )


def finding_lines(found: Localisation) -> Iterator[tuple[Scope, tuple[Cell, ...]]]:
    """Of each finding and of their mean: boxes, pointing, chance, centre, and both gains."""
    for scope in (*found.findings, MACRO):
        figures, gains = found.figures[scope], found.gains[scope]
        yield (
            scope,
            (
                count(found.num_sights.get(scope, sum(found.num_sights.values()))),
                estimate(figures[POINTING]),
                words(number(figures[CHANCE].value)),
                words(number(figures[CENTRE].value)),
                gap(gains[CHANCE]),
                gap(gains[CENTRE]),
            ),
        )


def about(found: Localisation) -> str:
    """How the maps of a row were made, in half a sentence."""
    rows, columns = found.grid
    return f"Grad-CAM at {plain(found.layer)}, {rows} × {columns} cells"


def _pointing_table(results: Results, rows: list[Row]) -> Table:
    first = _first(rows)
    lines = {
        scope: (
            count(first.num_sights.get(scope, sum(first.num_sights.values()))),
            *(estimate(first.figures[scope][blind], has_sd=False) for blind in BLIND),
            *(estimate(_figure(row, scope, POINTING)) for row in rows),
        )
        for scope in (*first.findings, MACRO)
    }
    tolerance = (
        f" Up to {first.tolerance_px:g} of {first.frame_px:,} px beside a box count as in it."
        if first.tolerance_px
        else ""
    )
    return Table(
        key="pointing",
        title="Pointing game: the map's highest place is in the box",
        headers=("Finding", "Boxes", "Chance", "Image centre", *(plain(row.label) for row in rows)),
        rows=tuple((words(finding_name(s)), *line) for s, line in lines.items() if s != MACRO),
        foot=(words("Mean of findings"), *lines[MACRO]),
        notes=(
            f"Images of {plural(first.num_patients, 'patient')} with a box of the finding, whether "
            f"or not the network reports it; mean over training seeds [{PERCENT} interval over "
            f"{results.unit}s] ± SD over seeds. Chance: the box's part of the image. Image centre: "
            f"always the centre of the image.{tolerance}",
            f"{'; '.join(f'{plain(row.label)}: {about(_of(row))}' for row in rows)}. A map is no "
            "finer than its cells.",
        ),
    )


def _gain_table(rows: list[Row], blind: str) -> Table:
    first = _first(rows)

    def cells(scope: Scope) -> tuple[Cell, ...]:
        return tuple(gap(_of(row).gains.get(scope, {}).get(blind)) for row in rows)

    return Table(
        key=f"pointing-{blind}",
        title=f"Pointing game: gain over {BLIND[blind]}",
        headers=("Finding", *(plain(row.label) for row in rows)),
        rows=tuple((words(finding_name(scope)), *cells(scope)) for scope in first.findings),
        foot=(words("Mean of findings"), *cells(MACRO)),
        notes=(
            f"Pointing minus {BLIND[blind]} on the same resamples [{PERCENT} interval]; not "
            "corrected for their number.",
        ),
    )


def _overlap_table(rows: list[Row]) -> Table:
    values = IOBB | IOU
    return Table(
        key="overlap",
        title="Overlap of the map's region with the box, mean of findings",
        headers=("Row", *(f"{title} ≥ {values[name]:g}" for name, title in OVERLAPS.items())),
        rows=tuple(
            (words(row.label), *(estimate(_figure(row, MACRO, name)) for name in OVERLAPS))
            for row in rows
        ),
        notes=(
            f"Part of the images. Region: what is at least {_first(rows).level:.2f} of the map's "
            "highest value and connected with it, as a rectangle. IoBB: its part in the box; IoU: "
            "intersection over union. By finding and at other values: table.csv.",
        ),
        num_text=1,
    )


def _figure(row: Row, scope: Scope, measure: str) -> Estimate | None:
    return _of(row).figures.get(scope, {}).get(measure)


def _of(row: Row) -> Localisation:
    assert row.localisation is not None
    return row.localisation


def _first(rows: list[Row]) -> Localisation:
    return _of(rows[0])
