"""Figures with a line for each row of the comparison: who is ahead, and how sure that is."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.benchmark.estimates import MACRO, Estimate, ThresholdFigure
from harness.benchmark.forms.figures.sheet import (
    WIDE,
    Panel,
    Span,
    finding_panels,
    heading_of,
    intervals_of,
    kind_color,
    kind_entries,
    legend,
    name_lines,
    say_empty,
    short,
)
from harness.benchmark.results import Results, Row
from harness.evaluation.figures import BLUE, GRAY, TEXT_PT, VERMILLION
from harness.evaluation.plates import PALE, Heading, plate_style

ROW_IN = (0.2, 0.3)
"""Height of a row of the comparison whose label takes one line, and two."""
MIN_SPAN = 0.1
"""A panel spans at least this much, so that noise looks small."""
DOT: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 3.6, "markeredgewidth": 0}
BAR: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 9, "markeredgewidth": 1.8}
BEST: dict[str, Any] = {"color": GRAY, "linewidth": 0.7, "linestyle": (0, (2, 2)), "zorder": 1}
BLIND_LOOKS: dict[str, dict[str, Any]] = {
    "chance": {"color": GRAY, "linewidth": 1.0, "linestyle": (0, (1, 1.2)), "zorder": 1},
    "centre": {"color": GRAY, "linewidth": 1.0, "linestyle": (0, (5, 1.5)), "zorder": 1},
}
HOLLOW: dict[str, Any] = {
    "marker": "D", "linestyle": "", "markersize": 4.2, "markerfacecolor": "white",
    "markeredgewidth": 1.0, "color": GRAY,
}  # fmt: skip


def forest_figure(results: Results) -> Figure | None:
    """AUROC of every row, macro and by finding: a dot a seed, the mean, its interval.

    Published figures are hollow: nobody here computed them, and a flag says why not to compare.
    They have a line each for macro, and share one in the panel of a finding.
    """
    rows = [row for row in results.rows if row.figure("auroc")]
    if not rows:
        return None
    published = [each for each in results.published if "auroc" in each.figures.get(MACRO, {})]
    labels = [row.label for row in rows]
    figure, panels = _row_panels(
        heading_of(results, intervals_of(results)),
        "AUROC on test",
        [*labels, *(["published elsewhere"] if published else [])],
        findings=results.findings,
        macro=WIDE,
        macro_labels=[*labels, *(each.label for each in published)],
    )
    with plate_style():
        for scope, axes in panels:
            drawn = [_draw_estimate(axes, y, row.figure("auroc", scope), kind_color(row))
                     for y, row in enumerate(rows)]  # fmt: skip
            values = [each.figures.get(scope, {}).get("auroc") for each in published]
            for number, value in enumerate(values):
                if value is not None:
                    axes.plot(value, len(rows) + (number if scope == MACRO else 0), **HOLLOW)
            if not any(drawn):
                say_empty(axes)
            best = results.best("auroc", scope)
            estimate = best.figure("auroc", scope) if best else None
            if estimate and len(rows) > 1:
                axes.axvline(estimate.value, **BEST)
        numbers = [_interval_text(row.figure("auroc")) for row in rows]
        numbers += [f"{each.figures[MACRO]['auroc']:.3f}" for each in published]
        _write_numbers(panels[0].axes, numbers)
        _widen(panels)
        panels[0].axes.set_xlabel("AUROC (dots: training seeds, bar: mean, line: interval)")
        flags = "published elsewhere" + ", not comparable" * any(each.flags for each in published)
        looks = kind_entries(rows, BAR | {"linestyle": "-", "linewidth": 1.4})
        if len(rows) > 1:
            looks |= {"best row": BEST}
        legend(figure, looks | ({flags: HOLLOW} if published else {}))
    return figure


def where_figure(results: Results) -> Figure | None:
    """How often each row's maps are highest within a finding's box, beside who sees nothing."""
    rows = [row for row in results.rows if row.localisation]
    found = [row.localisation for row in rows if row.localisation]
    if not found:
        return None
    figure, panels = _row_panels(
        heading_of(results, intervals_of(results)),
        "the map's highest place is in the box",
        [row.label for row in rows],
        findings=found[0].findings,
        macro=WIDE,
    )
    with plate_style():
        for scope, axes in panels:
            for name, look in BLIND_LOOKS.items():
                axes.axvline(found[0].figures[scope][name].value, **look)
            for y, (row, each) in enumerate(zip(rows, found, strict=True)):
                pointing = each.figures.get(scope, {}).get("pointing")
                _draw_estimate(axes, y, pointing, kind_color(row))
            axes.set_xlim(-0.03, 1.03)
        _write_numbers(
            panels[0].axes, [_interval_text(each.figures[MACRO]["pointing"]) for each in found]
        )
        panels[0].axes.set_xlabel("part of the boxed images")
        looks = kind_entries(rows, BAR | {"linestyle": "-", "linewidth": 1.4})
        legend(figure, looks | {
            "chance: the box's part of the image": BLIND_LOOKS["chance"],
            "always the image's centre": BLIND_LOOKS["centre"],
        })  # fmt: skip
    return figure


def f1_figure(results: Results) -> Figure | None:
    """F1 at 0.5, at the threshold that validation chose, and at the one that test would choose.

    The distance from the second to the third is what a paper that tunes on test gains by it.
    """
    rows = [row for row in results.rows if row.figure("f1_oracle")]
    if not rows:
        return None
    heading, labels = heading_of(results, intervals_of(results)), [row.label for row in rows]
    figure, panels = _row_panels(
        heading, "F1 on test at three thresholds", labels, findings=results.findings, macro=WIDE
    )
    with plate_style():
        for scope, axes in panels:
            drawn = [_draw_f1(axes, y, row, scope) for y, row in enumerate(rows)]
            if not any(drawn):
                say_empty(axes)
        _write_numbers(panels[0].axes, [_gain_text(row) for row in rows])
        _widen(panels)
        panels[0].axes.set_xlabel("F1")
        legend(figure, {
            "at 0.5": F1_LOOKS["f1_at_half"],
            "tuned on validation, with its interval": F1_LOOKS["f1"],
            "tuned on test: never to be claimed": F1_LOOKS["f1_oracle"],
        })  # fmt: skip
    return figure


def thresholds_figure(results: Results) -> Figure | None:
    """The frozen threshold of each finding and row: a dot a seed, and its interval.

    What would have been best on test is hollow; it is never applied.
    """
    rows = [row for row in results.rows if row.thresholds]
    if not rows or not results.findings:
        return None
    rule = results.caption.threshold_rule or "unknown"
    over = f"95 % intervals over validation {results.caption.unit}s"
    heading = heading_of(results, f"rule: {rule}", over)
    labels = [row.label for row in rows]
    figure, panels = _row_panels(
        heading, "thresholds tuned on validation", labels, findings=results.findings
    )
    with plate_style():
        for scope, axes in panels:
            drawn = [_draw_threshold(axes, y, row.thresholds.get(scope), kind_color(row))
                     for y, row in enumerate(rows)]  # fmt: skip
            if not any(drawn):
                say_empty(axes, "no threshold")
        panels[0].axes.set_xlim(left=0)
        looks = kind_entries(rows, DOT | {"linestyle": "-", "linewidth": 1.4})
        legend(figure, looks | {"best on test, not applied": HOLLOW})
    return figure


# Layout -------------------------------------------------------------------------------------


def _row_panels(
    heading: Heading,
    what: str,
    labels: Sequence[str],
    *,
    findings: Sequence[str],
    macro: Span | None = None,
    macro_labels: Sequence[str] = (),
) -> tuple[Figure, list[Panel]]:
    """Panels with a height for each label, the first at the top.

    The findings share one span; macro, which is surer, has its own.

    Args:
        macro_labels: Of macro's panel; without: as the findings'.
    """
    labels = [short(label) for label in labels]
    wide = [short(label) for label in macro_labels] or labels
    figure, panels = finding_panels(
        heading, what, findings, height_in=_height_in(labels), macro=macro,
        macro_in=_height_in(wide),
    )  # fmt: skip
    small = [axes for scope, axes in panels if scope != MACRO]
    with plate_style():
        for scope, axes in panels:
            name_lines(axes, wide if scope == MACRO else labels)
            axes.margins(x=0.06)
            if scope != MACRO:
                axes.locator_params("x", nbins=3)
                if axes is not small[0]:
                    axes.sharex(small[0])
    return figure, panels


def _height_in(labels: Sequence[str]) -> float:
    return 0.42 + ROW_IN[any("\n" in label for label in labels)] * len(labels)


def _widen(panels: Sequence[Panel]) -> None:
    """Let each span be at least `MIN_SPAN`, around the same middle."""
    for _, axes in panels:
        low, high = axes.get_xlim()
        missing = max(0.0, MIN_SPAN - (high - low))
        axes.set_xlim(low - missing / 2, high + missing / 2)


def _write_numbers(axes: Axes, texts: Sequence[str]) -> None:
    """The numbers of macro's panel beside it, where no panel stands."""
    for y, text in enumerate(texts):
        axes.annotate(
            text, (1.02, y), xycoords=("axes fraction", "data"), va="center_baseline",
            fontsize=TEXT_PT, in_layout=False,
        )  # fmt: skip


# Marks --------------------------------------------------------------------------------------


def _draw_estimate(axes: Axes, y: float, estimate: Estimate | None, color: str) -> bool:
    if estimate is None:
        return False
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [y, y], color=color, linewidth=1.3)
    axes.plot(estimate.seeds, [y] * len(estimate.seeds), **DOT, color=color, alpha=0.55)
    axes.plot(estimate.value, y, **BAR, color=color)
    return True


F1_LOOKS: dict[str, dict[str, Any]] = {
    "f1_at_half": DOT | {"color": GRAY, "markersize": 4.5},
    "f1": DOT | {"color": BLUE, "markersize": 5.5},
    "f1_oracle": HOLLOW | {"color": VERMILLION},
}


def _draw_f1(axes: Axes, y: float, row: Row, scope: str) -> bool:
    found = {metric: row.figure(metric, scope) for metric in F1_LOOKS}
    values = [each.value for each in found.values() if each]
    if not values:
        return False
    axes.plot([min(values), max(values)], [y, y], color=PALE, linewidth=1.2)
    tuned = found["f1"]
    if tuned and tuned.low is not None and tuned.high is not None:
        axes.plot([tuned.low, tuned.high], [y, y], color=BLUE, linewidth=1.0, alpha=0.7)
    for metric, estimate in found.items():
        if estimate:
            axes.plot(estimate.value, y, **F1_LOOKS[metric])
    return True


def _draw_threshold(axes: Axes, y: float, found: ThresholdFigure | None, color: str) -> bool:
    if found is None:
        return False
    seeds = [threshold for threshold in found.seeds if threshold is not None]
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [y, y], color=color, linewidth=1.3)
    axes.plot(seeds, [y] * len(seeds), **DOT, color=color, alpha=0.75)
    if found.oracle is not None:
        axes.plot(found.oracle, y, **HOLLOW)
    return bool(seeds) or found.oracle is not None


def _interval_text(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _gain_text(row: Row) -> str:
    tuned, oracle = row.figure("f1"), row.figure("f1_oracle")
    if tuned is None or oracle is None:
        return "no validation threshold"
    return f"{tuned.value:.3f}, test-tuned {oracle.value - tuned.value:+.3f}"
