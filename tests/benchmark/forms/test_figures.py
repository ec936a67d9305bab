"""Each figure shows what `Results` holds, whatever its shape; nothing is drawn of nothing."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.image import imread
from pydantic import BaseModel

from harness.benchmark.estimates import GRID, MACRO, Estimate
from harness.benchmark.forms.figures import FIGURES, draw_figures, svg_of, write_figures
from harness.benchmark.forms.figures.sheet import kind_color, scope_name, short
from harness.evaluation.figures import BLUE, VERMILLION
from tests.benchmark.sample_results import EMPTY, SCORED, sample_results

RESULTS = sample_results()
LONG = "a search with a long name (published = tuned), and then the name of another search"


def changed(results, **about):
    return results.model_copy(update=about)


def without_intervals(value):
    """A copy in which every estimate has one seed and no interval."""
    if isinstance(value, Estimate):
        return changed(value, low=None, high=None, se=None, seeds=value.seeds[:1])
    if isinstance(value, BaseModel):
        fields = {
            name: without_intervals(getattr(value, name)) for name in type(value).model_fields
        }
        return value.model_copy(update=fields)
    if isinstance(value, dict):
        return {name: without_intervals(each) for name, each in value.items()}
    return tuple(map(without_intervals, value)) if isinstance(value, tuple) else value


def many_rows():
    rows = [changed(RESULTS.rows[k % 5], label=f"{k} {LONG}") for k in range(12)]
    return changed(RESULTS, rows=tuple(rows), title=LONG * 3)


def one_row():
    caption = RESULTS.caption.model_copy(update={"seeds": (11,), "is_synthetic": False})
    return without_intervals(
        changed(RESULTS, rows=RESULTS.rows[:1], caption=caption, published=(), num_resamples=0)
    )


def unscored():
    bare = {"figures": {}, "thresholds": {}, "calibration": None, "curves": {}, "subgroups": (),
            "localisation": None,
            "runs": (), "num_scored": 0}  # fmt: skip
    rows = tuple(changed(row, **bare) for row in RESULTS.rows)
    return changed(RESULTS, rows=rows, searches={}, num_positives={}, published=())


def small():
    """One row on two findings, one of which no image has: quick to write."""
    numbers = {name: RESULTS.num_positives[name] for name in (SCORED[0], EMPTY)}
    searches = {"alpha": RESULTS.searches["alpha"]}
    return changed(RESULTS, rows=RESULTS.rows[:1], num_positives=numbers, searches=searches)


SHAPES = {"many": many_rows, "one": one_row, "small": small}


def panels(figure):
    """Axes by title."""
    return {axes.get_title("left"): axes for axes in figure.axes}


def dots(axes, y):
    """x of everything that is marked at a height."""
    marked = [line for line in axes.lines if line.get_linestyle() == "None"]
    return [x for line in marked for x, height in zip(*line.get_data(), strict=True) if height == y]


def spans(axes, y):
    """The intervals at a height."""
    return [
        tuple(line.get_xdata()) for line in axes.lines
        if line.get_linestyle() == "-" and list(line.get_ydata()) == [y, y]
    ]  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_can_be_drawn_and_nothing_is_cut_off(name, shape):
    results = SHAPES[shape]()
    figure = FIGURES[name](results)
    figure.draw_without_rendering()
    whole = figure.get_tightbbox(figure.canvas.get_renderer())
    width_in, height_in = figure.get_size_inches()
    assert whole.x0 > -0.02
    assert whole.y0 > -0.02
    assert whole.x1 < width_in + 0.02
    assert whole.y1 < height_in + 0.02
    title = figure.get_suptitle().replace("\n", " ")
    assert title.startswith("SYNTHETIC: ") == results.caption.is_synthetic
    assert results.title in title


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_to_show_is_no_figure(name):
    assert FIGURES[name](unscored()) is None


def test_files_are_written_in_three_formats_and_none_is_blank(tmp_path):
    paths = write_figures(draw_figures(small()), tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"figures/{name}.{ending}" for name in FIGURES for ending in ("png", "svg", "pdf")
    ]
    for path in paths:
        if path.suffix == ".png":
            assert imread(path)[..., :3].std() > 0.02, path.name
        if path.suffix == ".svg":
            assert "SYNTHETIC" in path.read_text()
    assert write_figures(draw_figures(unscored()), tmp_path / "none") == []


def test_all_figures_may_stand_in_one_page():
    page = "".join(svg_of(draw(small())) for draw in FIGURES.values())
    root = ElementTree.fromstring(f"<body>{page}</body>")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert len(root) == len(FIGURES)
    assert not re.findall(r'(?:href="|url\()(?!#)', page)


# By row -------------------------------------------------------------------------------------


def test_forest_has_seeds_mean_and_interval_of_every_row_on_every_finding():
    by_title = panels(FIGURES["forest"](RESULTS))
    for scope in (MACRO, *SCORED):
        axes = by_title[scope_name(scope)]
        for y, row in enumerate(RESULTS.rows):
            estimate = row.figure("auroc", scope)
            assert dots(axes, y) == [*estimate.seeds, estimate.value]
            assert spans(axes, y) == [(estimate.low, estimate.high)]
        published = [each.figures[scope]["auroc"] for each in RESULTS.published]
        lines = [[value] for value in published] if scope == MACRO else [published]
        assert [dots(axes, y) for y in range(5, 5 + len(lines))] == lines
        assert dots(axes, 5 + len(lines)) == []
    assert [text.get_text() for text in by_title[EMPTY].texts] == ["no figure"]
    macro = by_title["Mean of findings"]
    estimate = RESULTS.rows[0].figure("auroc")
    assert macro.texts[0].get_text() == (
        f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
    )
    labels = [label.get_text() for label in macro.get_yticklabels()]
    assert labels == [row.label for row in (*RESULTS.rows, *RESULTS.published)]


def test_a_row_keeps_its_colour_by_what_it_is():
    tuned, default, both, ensemble, foreign = RESULTS.rows
    assert kind_color(tuned) == BLUE
    assert kind_color(default) == kind_color(both) == VERMILLION
    assert len({kind_color(row) for row in RESULTS.rows}) == 4
    axes = FIGURES["forest"](RESULTS).axes[-1]
    for y, row in enumerate((tuned, default, both, ensemble, foreign)):
        drawn = [line for line in axes.lines if y in line.get_ydata() and len(line.get_xdata()) > 0]
        assert any(same_color(line.get_color(), kind_color(row)) for line in drawn)


def test_without_intervals_no_line_is_drawn_and_the_number_stands_alone():
    results = one_row()
    macro = panels(FIGURES["forest"](results))["Mean of findings"]
    assert spans(macro, 0) == []
    assert macro.texts[0].get_text() == f"{results.rows[0].figure('auroc').value:.3f}"


def test_f1_has_three_thresholds_and_tells_what_test_tuning_would_have_claimed():
    by_title = panels(FIGURES["f1"](RESULTS))
    for scope in (MACRO, *SCORED):
        for y, row in enumerate(RESULTS.rows):
            metrics = [row.figure(name, scope) for name in ("f1_at_half", "f1", "f1_oracle")]
            assert dots(by_title[scope_name(scope)], y) == [m.value for m in metrics if m]
    tuned, oracle = (RESULTS.rows[0].figure(name).value for name in ("f1", "f1_oracle"))
    texts = [text.get_text() for text in by_title["Mean of findings"].texts]
    assert texts[0] == f"{tuned:.3f}, test-tuned {oracle - tuned:+.3f}"
    assert texts[-1] == "no validation threshold"


def test_thresholds_have_a_dot_a_seed_an_interval_and_a_hollow_oracle():
    figure = FIGURES["thresholds"](RESULTS)
    rows = [row for row in RESULTS.rows if row.thresholds]
    for finding in SCORED:
        axes = panels(figure)[scope_name(finding)]
        for y, row in enumerate(rows):
            found = row.thresholds[finding]
            assert dots(axes, y) == [*found.seeds, found.oracle]
            assert spans(axes, y) == [(found.low, found.high)]
        hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
        assert [line.get_xdata()[0] for line in hollow] == [
            r.thresholds[finding].oracle for r in rows
        ]
    assert panels(figure)[EMPTY].texts[0].get_text() == "no threshold"


def test_a_threshold_that_validation_did_not_give_is_left_out():
    row = RESULTS.rows[0]
    none = changed(row.thresholds["Mass"], seeds=(None, None, 0.3), low=None, high=None)
    row = changed(row, thresholds=row.thresholds | {"Mass": none})
    axes = panels(FIGURES["thresholds"](changed(RESULTS, rows=(row,))))["Mass"]
    assert (dots(axes, 0), spans(axes, 0)) == ([0.3, none.oracle], [])


def test_the_heat_map_has_every_number_and_the_best_in_bold():
    axes = FIGURES["findings"](RESULTS).axes[0]
    texts = [text.get_text() for text in axes.texts]
    for row in RESULTS.rows:
        for finding in SCORED:
            assert f"{row.figure('auroc', finding).value:.3f}" in texts
    assert texts.count("-") == len(RESULTS.rows)  # of the finding that nobody has
    bold = [text for text in axes.texts if text.get_fontweight() == "bold"]
    best = [max(row.figure("auroc", name).value for row in RESULTS.rows) for name in SCORED]
    assert sorted(text.get_text() for text in bold) == sorted(f"{value:.3f}" for value in best)


# Curves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "curve"), [("roc", "sensitivity"), ("pr", "precision")])
def test_curves_are_those_of_the_rows_at_the_grid(name, curve):
    figure = FIGURES[name](RESULTS)
    for scope in (MACRO, *SCORED):
        axes = panels(figure)[scope_name(scope)]
        drawn = [tuple(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 101]
        assert drawn == [getattr(row.curves[scope], curve) for row in RESULTS.rows]
        assert tuple(axes.lines[0].get_xdata()) == GRID
    assert panels(figure)[EMPTY].texts[0].get_text() == "no positives"
    notes = panels(figure)["Mass"].texts
    assert notes[0].get_text() == f"n = {RESULTS.num_positives['Mass']:,}"


def test_twelve_rows_are_twelve_looks():
    results = many_rows()
    lines = FIGURES["roc"](results).axes[0].lines
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in lines}
    assert len(lines) == 13
    assert len(looks) == 13  # chance has one of its own


def test_chance_of_precision_is_the_prevalence():
    axes = panels(FIGURES["pr"](RESULTS))["Mass"]
    chance = axes.lines[-1].get_ydata()
    assert list(chance) == [RESULTS.num_positives["Mass"] / RESULTS.caption.num_images] * 2


def test_chance_of_precision_is_over_the_labels_that_are_known():
    axes = panels(FIGURES["pr"](changed(RESULTS, num_unknown={"Mass": 200})))["Mass"]
    share = RESULTS.num_positives["Mass"] / (RESULTS.caption.num_images - 200)
    assert list(axes.lines[-1].get_ydata()) == [share] * 2


def test_reliability_is_drawn_before_and_after_and_says_by_how_much():
    figure = FIGURES["reliability"](RESULTS)
    row = RESULTS.rows[0]
    axes = panels(figure)[row.label]
    curves = [row.calibration.curve_before, row.calibration.curve_after]
    assert [tuple(line.get_ydata()) for line in axes.lines[1:]] == [c.positive_rate for c in curves]
    sizes = axes.collections[0].get_sizes()
    assert list(sizes) == sorted(sizes, reverse=True)  # the fullest bin first
    before, after = (ece["ece"].value for ece in (row.calibration.before, row.calibration.after))
    coldest, hottest = min(row.calibration.temperature), max(row.calibration.temperature)
    assert axes.texts[0].get_text() == (
        f"ECE {before:.3f} → {after:.3f}\nT {coldest:.2f} to {hottest:.2f}"
    )


def test_reliability_without_a_temperature_or_bins_is_drawn():
    row = RESULTS.rows[0]
    empty = changed(row.calibration.curve_before, mean_score=(), positive_rate=(), num_scores=())
    bare = changed(row.calibration, temperature=(), before={}, curve_before=empty)
    results = changed(RESULTS, rows=(changed(row, calibration=bare),))
    axes = panels(FIGURES["reliability"](results))[row.label]
    assert axes.texts[0].get_text() == ""
    assert [len(line.get_xdata()) for line in axes.lines] == [2, 0, 10]


def test_seeds_have_a_curve_a_run_and_a_dot_at_the_epoch_kept():
    figure = FIGURES["seeds"](RESULTS)
    rows = [row for row in RESULTS.rows if row.runs]
    assert list(panels(figure)) == [row.label for row in rows]
    for row in rows:
        curves, marks = panels(figure)[row.label].lines[::2], panels(figure)[row.label].lines[1::2]
        assert [tuple(line.get_ydata()) for line in curves] == [run.val_auroc for run in row.runs]
        assert [list(line.get_xdata()) for line in marks] == [[r.best_epoch] for r in row.runs]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["seed 11", "seed 12", "seed 13"]


# Subgroups ----------------------------------------------------------------------------------


def test_a_gap_is_coloured_where_its_interval_leaves_zero_out():
    row = RESULTS.rows[0]
    gaps = {"F": (-0.05, -0.01), "M": (0.01, 0.05), "0-19": (-0.02, 0.02)}
    subgroups = []
    for group in row.subgroups[:3]:
        low, high = gaps[group.group]
        gap = Estimate(value=(low + high) / 2, low=low, high=high)
        subgroups.append(changed(group, gaps={MACRO: {"auroc": gap}}))
    figure = FIGURES["subgroups"](
        changed(RESULTS, rows=(changed(row, subgroups=tuple(subgroups)),))
    )
    auroc = figure.axes[0]
    marks = {
        line.get_ydata()[0]: line.get_marker() for line in auroc.lines if len(line.get_xdata()) == 1
    }
    assert marks == {0: "v", 1: "^", 2: "o"}
    assert [spans(auroc, y) for y in range(3)] == [[gap] for gap in gaps.values()]
    labels = [label.get_text() for label in auroc.get_yticklabels()]
    assert labels == ["sex F (300)", "sex M (300)", "age 0-19 (300)"]


def test_every_row_has_its_subgroups_by_three_metrics():
    figure = FIGURES["subgroups"](RESULTS)
    assert len(figure.axes) == 3 * len(RESULTS.rows)
    limits = np.array([axes.get_xlim() for axes in figure.axes]).reshape(-1, 3, 2)
    assert (limits == limits[0]).all()  # rows can be compared
    for axes, row in zip(figure.axes[::3], RESULTS.rows, strict=True):
        assert axes.texts[0].get_text() == row.label
        low, high = axes.get_xlim()
        assert all(low < g.gaps[MACRO]["auroc"].low < high for g in row.subgroups)


def test_labels_take_two_lines_at_most():
    assert short("alpha (tuned)") == "alpha (tuned)"
    assert short("alphabet-mini (default = tuned)") == "alphabet-mini\n(default = tuned)"
    assert short(LONG).count("\n") == 1
    assert short(LONG).endswith("...")
    assert max(map(len, short(LONG).split("\n"))) <= 26
