"""The pictures of a search show its trials, all of them, each as it ended."""

import logging
import os

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import PathPatch

from harness.core.records import Outcome
from harness.data.manifest import StoreOrigin
from harness.evaluation.plates import Heading
from harness.search.control import LEDGER_FILE
from harness.search.history import SearchHistory, TrialHistory
from harness.search.pictures import (
    COMPLETED,
    CUT_SHORT,
    DEFAULT,
    PICTURES,
    PRUNED,
    WINNER,
    draw_pictures,
    history_figure,
    importance_figure,
    learning_figure,
    parallel_figure,
)
from tests.search.made_search import make_search

HEADING = Heading("toy", "phantom", is_synthetic=True)
STORE = StoreOrigin(
    source="phantom", is_synthetic=True, label_version="1", attribution="", box_frame_px=64
)
ENDS = ["completed", "completed", "pruned", "completed", "failed", "preempted", "failed"]


def trial(number, outcome, **about):
    curve = () if number == 6 else tuple(0.6 + 0.01 * number + 0.02 * e for e in range(number + 1))
    values = {
        "optim.lr": 10.0**-number,
        "loss.name": "focal" if number % 2 else "bce",
        "train.batch_size": 8,
    }
    if number % 2:
        values["loss.gamma"] = float(number)
    facts = {"values": values, "val_auroc": curve, "score": curve[-1] if curve else None} | about
    return TrialHistory(name=f"t{number:04}-3fa2c1", outcome=Outcome(outcome), **facts)


@pytest.fixture
def search():
    """Seven trials, of which the last failed before its first epoch; number 3 is the winner."""
    return SearchHistory(
        name="toy", space="toy", num_trials=9, log_scaled=("optim.lr",),
        trials=tuple(trial(number, outcome) for number, outcome in enumerate(ENDS)),
        importance={"loss.name": 0.004, "optim.lr": 0.7, "loss.gamma": 0.296},
    )  # fmt: skip


def with_trials(search, *trials):
    return search.model_copy(update={"trials": trials, "importance": {}})


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def lines(axes, look):
    """The curves that are drawn in a look."""
    color, width = look.line["color"], look.line["linewidth"]
    return [
        line for line in axes.lines
        if same_color(line.get_color(), color) and line.get_linewidth() == width
        and line.get_marker() == "None"
    ]  # fmt: skip


def test_learning_has_a_curve_a_trial_the_winner_strong_the_pruned_pale(search):
    figure = learning_figure([search], HEADING)
    axes = figure.axes[0]
    for look, number in ((WINNER, 1), (DEFAULT, 1), (COMPLETED, 1), (PRUNED, 1), (CUT_SHORT, 2)):
        assert len(lines(axes, look)) == number, look.label
    winner = lines(axes, WINNER)[0]
    assert tuple(winner.get_ydata()) == search.trials[3].val_auroc
    assert list(winner.get_xdata()) == [1, 2, 3, 4]
    assert winner.get_linewidth() == max(line.get_linewidth() for line in axes.lines)
    assert legend(figure) == [
        "winner", "default point (trial 0)", "completed", "pruned", "failed or cut short",
    ]  # fmt: skip
    assert "SYNTHETIC" in figure.get_suptitle()


def test_history_has_a_mark_a_score_and_the_best_completed_so_far(search):
    figure = history_figure([search], HEADING)
    axes = figure.axes[0]
    marks = {line.get_xdata()[0]: line.get_ydata()[0] for line in axes.lines if
             line.get_linestyle() == "None"}  # fmt: skip
    assert marks == {
        number: each.score for number, each in enumerate(search.trials) if each.score is not None
    }
    best = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    scores = [search.trials[number].score for number in (0, 1, 3)]
    assert list(best.get_xdata()) == [0, 1, 3, 8.5]
    assert list(best.get_ydata()) == [*np.maximum.accumulate(scores), max(scores)]
    assert axes.get_xlim() == (-0.5, 8.5)


def test_parallel_has_a_line_a_scored_trial_through_its_values_to_its_score(search):
    figure = parallel_figure([search], HEADING)
    axes = figure.axes[0]
    paths = [patch.get_path().vertices for patch in axes.patches if isinstance(patch, PathPatch)]
    assert len(paths) == 6
    meets = np.array([path[::3, 1] for path in paths])  # where each line meets each axis
    labels = [text.get_text() for text in axes.texts]
    for label in ("optim.lr", "loss.name", "loss.gamma", "train.batch_size", "val AUROC",
                  "bce", "focal", "not active", "1", "1e-05", "0.001"):  # fmt: skip
        assert label in labels
    scored = [each for each in search.trials if each.score is not None]
    by_score = sorted(scored, key=lambda each: (each.outcome == "completed", each.score))
    lr_T = np.log10([each.values["optim.lr"] for each in by_score])
    score_T = np.array([each.score for each in by_score])
    assert meets[:, 0] == pytest.approx((lr_T + 5) / 5)
    assert meets[:, -1] == pytest.approx((score_T - min(score_T)) / np.ptp(score_T))
    is_inactive = np.array(["loss.gamma" not in each.values for each in by_score])
    assert ((meets[:, 3] < 0) == is_inactive).all()
    widths = [patch.get_linewidth() for patch in axes.patches]
    assert widths.index(max(widths)) == by_score.index(search.winner)


def test_a_logarithm_is_not_taken_of_zero(search):
    zero = [trial(n, "completed", values={"optim.lr": n * 0.1}) for n in range(4)]
    axes = parallel_figure([with_trials(search, *zero)], HEADING).axes[0]
    meets = [patch.get_path().vertices[0, 1] for patch in axes.patches]
    assert sorted(meets) == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_importance_has_a_bar_a_parameter_largest_first(search):
    axes = importance_figure([search], HEADING).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.7, 0.296, 0.004]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "optim.lr", "loss.gamma", "loss.name",
    ]  # fmt: skip
    assert [text.get_text() for text in axes.texts] == ["70%", "30%", "<1%"]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_every_search_has_a_panel_with_its_name(search, name, number):
    several = [search.model_copy(update={"name": f"s{n}"}) for n in range(number)]
    figure = PICTURES[name](several, HEADING)
    titles = [axes.get_title("left") for axes in figure.axes if axes.axison]
    assert titles == [f"s{n}, best {search.winner.score:.4f}" for n in range(number)]


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_to_show_is_no_figure(search, name):
    assert PICTURES[name]([], HEADING) is None
    assert PICTURES[name]([with_trials(search)], HEADING) is None
    assert PICTURES[name]([with_trials(search, search.trials[6])], HEADING) is None


@pytest.mark.parametrize("name", ["learning", "history"])
def test_one_trial_that_is_under_way_is_shown(search, name):
    under_way = trial(0, "running")
    figure = PICTURES[name]([with_trials(search, under_way)], HEADING)
    assert figure.axes[0].get_title("left") == "toy"  # nobody has won
    assert legend(figure)[0] == "default point (trial 0)"


# A folder -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    make_search(tmp_path / "toy", num_trials=13)
    return tmp_path / "toy"


def test_the_pictures_of_a_search_lie_in_its_folder(folder):
    assert draw_pictures(folder, STORE) == folder / "figures"
    drawn = {path.name for path in (folder / "figures").iterdir()}
    assert drawn == {f"{name}.{end}" for name in PICTURES for end in ("png", "svg", "pdf")}
    text = (folder / "figures" / "history.svg").read_text()
    assert "SYNTHETIC: search toy" in text
    assert "phantom, split official, validation part; 13 completed; 1.9 device-hours" in text


def test_they_are_drawn_anew_when_a_trial_has_changed_and_else_left(tmp_path):
    folder = tmp_path / "toy"
    make_search(folder, num_trials=1)
    draw_pictures(folder, STORE)
    paths = sorted((folder / "figures").iterdir())
    before = [path.stat().st_mtime_ns for path in paths]
    draw_pictures(folder, STORE)
    assert [path.stat().st_mtime_ns for path in paths] == before
    os.utime(folder / LEDGER_FILE)
    draw_pictures(folder, STORE)
    assert all(path.stat().st_mtime_ns > at for path, at in zip(paths, before, strict=True))


def test_what_goes_wrong_is_logged_and_ends_nothing(folder, caplog):
    (folder / "figures").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert draw_pictures(folder, STORE) is None
    assert "search toy: its pictures are not drawn" in caplog.text


def test_a_search_without_an_epoch_has_no_pictures(tmp_path):
    make_search(tmp_path / "toy", num_trials=0)
    assert draw_pictures(tmp_path / "toy", STORE) is None
