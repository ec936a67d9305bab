"""Curves show the figures: they end where they must, and texts carry the metrics."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics as sk

from harness.core.predictions import Predictions
from harness.evaluation.calibration import reliability
from harness.evaluation.curves import pr_figure, reliability_figure, roc_figure
from harness.evaluation.figures import VERMILLION
from harness.evaluation.metrics import auprc, auroc, confusion
from harness.evaluation.thresholds import tune_thresholds

FIGURES = [roc_figure, pr_figure, reliability_figure]
Draw = Callable[[Predictions, str], Figure]


def texts(axes: Axes) -> str:
    return "\n".join(text.get_text() for text in axes.texts)


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def marks(axes: Axes) -> np.ndarray:
    dots = [line.get_xydata() for line in axes.lines if line.get_color() == VERMILLION]
    return np.concatenate(dots) if dots else np.empty((0, 2))


@pytest.mark.parametrize("draw", FIGURES)
def test_a_panel_per_finding_under_the_caption(draw: Draw, sample: Predictions) -> None:
    figure = draw(sample, "run t0007, validation, $official$ split")
    assert figure.get_suptitle() == "run t0007, validation, $official$ split"
    assert not figure.texts[0].get_parse_math()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == list(sample.findings)


@pytest.mark.parametrize("draw", FIGURES)
def test_spare_panels_are_off_and_empty_ones_say_why(
    draw: Draw, make_predictions: Callable[..., Predictions]
) -> None:
    rng = np.random.default_rng(0)
    label_NL = rng.random((40, 7)) < 0.5
    label_NL[:, 1], label_NL[:, 2] = False, True
    figure = draw(make_predictions(rng.random((40, 7)), label_NL), "seven findings")
    assert [axes.axison for axes in figure.axes] == [True] * 7 + [False] * 3
    assert texts(figure.axes[1]) == "no positives"
    assert texts(figure.axes[2]) == "no negatives"


def test_roc_curves_and_their_area(sample: Predictions) -> None:
    figure = roc_figure(sample, "ROC")
    value_L = auroc(sample.score_NL, sample.label_NL)
    for axes, value in zip(figure.axes, value_L, strict=True):
        x, y = axes.lines[1].get_data()
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        assert sk.auc(x, y) == pytest.approx(value)
        assert texts(axes) == f"AUROC {value:.3f}"
    assert legend(figure) == [f"model (macro AUROC {value_L.mean():.3f})", "chance"]


def test_pr_curves_and_their_area(sample: Predictions) -> None:
    figure = pr_figure(sample, "PR")
    value_L = auprc(sample.score_NL, sample.label_NL)
    prevalence_L = sample.label_NL.mean(axis=0)
    for axes, value, prevalence in zip(figure.axes, value_L, prevalence_L, strict=True):
        assert axes.lines[0].get_ydata() == pytest.approx([prevalence, prevalence])
        x, y = axes.lines[1].get_data()
        assert axes.lines[1].get_drawstyle() == "steps-pre"
        assert (np.diff(x) * y[1:]).sum() == pytest.approx(value)
        assert texts(axes) == f"AUPRC {value:.3f}\nchance {prevalence:.3f}"
    assert legend(figure)[0] == f"model (macro AUPRC {value_L.mean():.3f})"


def test_thresholds_are_marked_where_they_operate(sample: Predictions) -> None:
    thresholds = {**tune_thresholds(sample), "B": None, "C": 1.5}
    at = confusion(sample.score_NL, sample.label_NL, [thresholds[f] or np.nan for f in "ABCD"])
    roc, pr = roc_figure(sample, "", thresholds), pr_figure(sample, "", thresholds)
    for i in (0, 3):
        point = [1 - at.specificity[i], at.sensitivity[i]]
        np.testing.assert_allclose(marks(roc.axes[i]), [point])
        point = [at.sensitivity[i], at.tp_L[i] / (at.tp_L[i] + at.fp_L[i])]
        np.testing.assert_allclose(marks(pr.axes[i]), [point])
    for figure in (roc, pr):
        assert len(marks(figure.axes[1])) == 0
        assert legend(figure)[-1] == "threshold"
    assert marks(roc.axes[2]).tolist() == [[0, 0]]
    assert len(marks(roc_figure(sample, "").axes[0])) == 0


def test_reliability_points_are_the_bins(sample: Predictions) -> None:
    figure = reliability_figure(sample, "reliability")
    curve = reliability(sample.score_NL, sample.label_NL)
    for i, axes in enumerate(figure.axes):
        drawn = np.ma.filled(axes.collections[0].get_offsets().astype(float), np.nan)
        expected = np.column_stack([curve.mean_score_LM[i], curve.positive_rate_LM[i]])
        np.testing.assert_allclose(drawn, expected)
        assert texts(axes) == f"ECE {curve.ece[i]:.3f}"


def test_macro_in_a_legend_leaves_out_findings_of_one_class(
    make_predictions: Callable[..., Predictions], sample: Predictions
) -> None:
    label_NL = sample.label_NL.copy()
    label_NL[:, 1:] = False
    figure = reliability_figure(make_predictions(sample.score_NL, label_NL), "")
    expected = reliability(sample.score_NL, sample.label_NL).ece[0]
    assert f"macro ECE {expected:.3f}" in legend(figure)[0]
