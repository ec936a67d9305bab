"""Resampled metrics against the same metrics of images repeated by hand; intervals that cover."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics as sk

from harness.core.predictions import Predictions
from harness.core.records import METRICS
from harness.evaluation import calibration, metrics
from harness.evaluation.intervals import (
    ALL_METRICS,
    centred,
    interval,
    resampled_macro,
    resampled_metrics,
    standard_error,
    units_of_classes,
)
from harness.evaluation.metrics import confusion, operating_points
from harness.evaluation.ranking import ranking_metrics
from harness.evaluation.resampling import Resamples

EXACT = ("auroc", "f1_oracle", "f1", "sensitivity", "specificity", "mcc", "f1_at_half")


def by_hand(score_NL, label_NL, threshold_L, resamples):
    """Every metric of every resample, its images repeated one by one, R x L."""
    found = {metric: [] for metric in (*METRICS, "f1_oracle")}
    for drawn_N in resamples.count_RU[:, resamples.unit_N]:
        rows = np.repeat(np.arange(len(drawn_N)), drawn_N)
        score, label = score_NL[rows], label_NL[rows]
        tuned = confusion(score, label, threshold_L)
        values = {
            name: getattr(tuned, name) for name in ("f1", "sensitivity", "specificity", "mcc")
        }
        values |= {
            name: getattr(metrics, name)(score, label) for name in ("auroc", "auprc", "brier")
        }
        values["ece"] = calibration.ece(score, label)
        values["f1_at_half"] = confusion(score, label, 0.5).f1
        values["f1_oracle"] = [best_f1(*pair) for pair in zip(score.T, label.T, strict=True)]
        for name, value_L in values.items():
            found[name].append(value_L)
    return {name: np.array(value_RL) for name, value_RL in found.items()}


def best_f1(score_N, label_N):
    return operating_points(score_N, label_N).f1.max() if label_N.any() else np.nan


def assert_as_by_hand(score_NL, label_NL, resamples, threshold_L):
    found = resampled_metrics(score_NL, label_NL, threshold_L=threshold_L, resamples=resamples)
    expected = by_hand(score_NL, label_NL, threshold_L, resamples)
    assert set(found) == {*METRICS, "f1_oracle"}
    for name, value_RL in expected.items():
        tolerance = 0 if name in EXACT else 1e-12
        np.testing.assert_allclose(found[name], value_RL, rtol=tolerance, atol=tolerance)
    return found


def clustered(sizes, *, decimals=2, seed=0):
    """Scores with ties, labels of five findings: common, rare, of one image, of none, of all."""
    rng = np.random.default_rng(seed)
    unit_N = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    label_NL = rng.random((len(unit_N), 5)) < (0.4, 0.05, 0, 0, 1)
    label_NL[3, 2] = True
    logit_NL = rng.normal(size=label_NL.shape) + label_NL - 1
    return (1 / (1 + np.exp(-logit_NL))).round(decimals).astype(np.float32), label_NL, unit_N


@pytest.mark.parametrize("decimals", [1, 2, 7])
@pytest.mark.parametrize(
    "sizes", [[1] * 60, [3] * 25, [150, 1, 2, 1, 5, 1]], ids=["images", "patients", "one patient"]
)
def test_every_metric_is_that_of_the_repeated_images(sizes, decimals) -> None:
    score_NL, label_NL, unit_N = clustered(sizes, decimals=decimals)
    resamples = Resamples.draw(unit_N, num=40, seed=0)
    threshold_L = [0.4, float(score_NL[7, 1]), 0.2, 0.3, np.nan]
    found = assert_as_by_hand(score_NL, label_NL, resamples, threshold_L)
    assert np.isnan(found["auroc"][:, 3:]).all()  # a class is missing
    assert np.isnan(found["f1"][:, 4]).all()  # there is no threshold
    is_missed_R = resamples.count_RU[:, unit_N[3]] == 0
    assert np.isnan(found["auprc"][:, 2]).tolist() == is_missed_R.tolist()


def test_scores_that_are_all_alike() -> None:
    _, label_NL, unit_N = clustered([2] * 20)
    resamples = Resamples.draw(unit_N, num=20, seed=0)
    found = assert_as_by_hand(np.full(label_NL.shape, 0.5), label_NL, resamples, 0.5)
    assert (found["auroc"][:, 0] == 0.5).all()


def test_a_subgroup_sees_the_same_resamples() -> None:
    score_NL, label_NL, unit_N = clustered([3] * 25)
    rows = np.flatnonzero(unit_N % 5 < 2)
    whole = Resamples.draw(unit_N, num=40, seed=0)
    assert_as_by_hand(score_NL[rows], label_NL[rows], whole.of(rows), 0.4)
    nobody = resampled_metrics(
        score_NL[:0], label_NL[:0], threshold_L=0.4, resamples=whole.of(rows[:0])
    )
    assert all(np.isnan(value_RL).all() for value_RL in nobody.values())


@pytest.mark.parametrize("metric", ALL_METRICS)
def test_a_metric_alone_is_as_among_all(metric: str) -> None:
    score_NL, label_NL, unit_N = clustered([3] * 25)
    resamples = Resamples.draw(unit_N, num=20, seed=0)
    asked = {"threshold_L": 0.4, "resamples": resamples}
    every = resampled_metrics(score_NL, label_NL, **asked)
    (found,) = resampled_metrics(score_NL, label_NL, **asked, metrics=[metric]).items()
    assert found[0] == metric
    np.testing.assert_array_equal(found[1], every[metric])


def test_curves_equal_scikit_learns_with_weights(sample: Predictions) -> None:
    resamples = Resamples.draw(sample.patient_ids, num=5, seed=0)
    found = resampled_metrics(
        sample.score_NL, sample.label_NL, threshold_L=0.3, resamples=resamples
    )
    for r, weight_N in enumerate(resamples.count_RU[:, resamples.unit_N]):
        for i in range(len(sample.findings)):
            weighted = sample.label_NL[:, i], sample.score_NL[:, i].astype(np.float64)
            area = sk.roc_auc_score(*weighted, sample_weight=weight_N)
            precision = sk.average_precision_score(*weighted, sample_weight=weight_N)
            assert found["auroc"][r, i] == pytest.approx(area, abs=1e-12)
            assert found["auprc"][r, i] == pytest.approx(precision, abs=1e-12)


def test_many_resamples_in_several_blocks_are_each_their_own() -> None:
    score_NL, label_NL, unit_N = clustered([3] * 25)
    resamples = Resamples.draw(unit_N, num=300, seed=0)
    assert_as_by_hand(score_NL, label_NL, resamples, 0.4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    resamples = Resamples.draw([0, 1], num=3, seed=0)
    with pytest.raises(ValueError, match="finite"):
        resampled_metrics(
            np.array([[0.1], [bad]]), np.array([[True], [False]]),
            threshold_L=0.5, resamples=resamples,
        )  # fmt: skip


# Summaries --------------------------------------------------------------------------------------


def test_the_interval_is_between_percentiles() -> None:
    value_R = np.random.default_rng(0).permutation(np.linspace(0, 1, 1001))
    assert interval(value_R) == pytest.approx((0.025, 0.975))
    assert interval(value_R, level=0.5) == pytest.approx((0.25, 0.75))
    assert standard_error(value_R) == pytest.approx(np.std(value_R, ddof=1))
    # Plain numbers: NumPy's are shown as np.float64(0.025).
    assert {type(each) for each in (*interval(value_R), standard_error(value_R))} == {float}


def test_missing_values_are_left_out_up_to_a_tenth() -> None:
    value_R = np.linspace(0, 1, 901)
    missing = np.full(100, np.nan)
    assert interval(np.concatenate([missing, value_R])) == pytest.approx((0.025, 0.975))
    assert standard_error(np.concatenate([missing, value_R])) == pytest.approx(value_R.std(ddof=1))
    too_few = np.concatenate([missing, missing, value_R])
    assert interval(too_few) == (None, None)
    assert standard_error(too_few) is None
    nine_of_ten = np.concatenate([missing, value_R[1:]])
    assert interval(nine_of_ten) != (None, None)
    assert standard_error(nine_of_ten) == pytest.approx(value_R[1:].std(ddof=1))
    assert interval(nine_of_ten[:-1]) == (None, None)


def test_too_few_resamples_have_no_interval() -> None:
    assert interval(np.linspace(0, 1, 39)) == (None, None)
    assert interval(np.linspace(0, 1, 40))[0] is not None
    assert interval(np.empty(0)) == (None, None)
    assert interval(np.linspace(0, 1, 4), level=0.5) == pytest.approx((0.25, 0.75))
    assert interval(np.linspace(0, 1, 3), level=0.5) == (None, None)
    assert standard_error(np.array([0.5])) is None
    assert standard_error(np.array([0.5, 0.7])) == pytest.approx(0.1 * np.sqrt(2))


def test_few_units_expand_the_interval_by_students_t() -> None:
    value_R = np.linspace(0, 1, 1001)
    # t with 14 degrees of freedom at 97.5 % is 2.1448.
    low = norm.cdf(-2.1448 * np.sqrt(15 / 14))
    assert interval(value_R, num_units=15) == pytest.approx((low, 1 - low), abs=1e-5)
    assert interval(value_R, num_units=10**9) == pytest.approx(interval(value_R))
    assert interval(value_R, num_units=1) == interval(value_R, num_units=0) == (None, None)
    # t with 1 degree of freedom at 97.5 % is 12.706: both ends are those of the resamples.
    assert interval(value_R, num_units=2) == pytest.approx((0, 1))


def test_limiting_units_are_those_of_the_rarer_class() -> None:
    label_NL = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], dtype=bool)
    resamples = Resamples.draw(["a", "a", "b", "c", "c"], num=2, seed=0)
    assert units_of_classes(label_NL, resamples).of("auroc").tolist() == [1, 1, 0]
    assert units_of_classes(~label_NL, resamples).of("auroc").tolist() == [1, 1, 0]
    assert units_of_classes(label_NL, resamples).of("sensitivity").tolist() == [1, 3, 0]
    assert units_of_classes(label_NL, resamples).of("specificity").tolist() == [2, 1, 3]


def test_macro_is_the_mean_of_the_kept_findings() -> None:
    value_RL = np.array([[0.5, 0.7, 9.0], [0.6, 0.9, 9.0]])
    kept_L = np.array([True, True, False])
    assert resampled_macro(value_RL, kept_L).tolist() == pytest.approx([0.6, 0.75])


def test_a_finding_that_a_resample_missed_counts_with_its_mean() -> None:
    value_RL = np.array([[0.5, np.nan], [0.6, 0.9], [0.7, 0.7]])
    assert resampled_macro(value_RL, np.array([True, True])).tolist() == pytest.approx(
        [(0.5 + 0.8) / 2, 0.75, 0.7]
    )


def test_macro_of_no_figures_is_none() -> None:
    value_RL = np.array([[0.5, np.nan], [0.6, np.nan]])
    for is_kept_L in ([True, True], [False, False]):
        assert np.isnan(resampled_macro(value_RL, np.array(is_kept_L))).all()


# Coverage ---------------------------------------------------------------------------------------

NUM_SETS = 800
SHIFT, SCORE_SD, LABEL_SD = 2.0, 2.0, 3.0
"""Positives score higher by SHIFT; the SDs are of patients, beside 1 of images of a patient."""

TRUE_AUROC = norm.cdf(SHIFT / np.sqrt(2 * (1 + SCORE_SD**2)))
"""Of two images of different patients; of all pairs, those within one patient are few."""


def simulated(num_patients, num_each, prevalence):
    """Many data sets of the same size side by side, a column each, and the patient of each row."""
    rng = np.random.default_rng(0)
    patient_N = np.repeat(np.arange(num_patients), num_each)

    def effects(patient_sd):
        by_patient = patient_sd * rng.normal(size=(num_patients, NUM_SETS))
        return by_patient[patient_N] + rng.normal(size=(len(patient_N), NUM_SETS))

    label_NL = effects(LABEL_SD) > norm.isf(prevalence) * np.sqrt(1 + LABEL_SD**2)
    return effects(SCORE_SD) + SHIFT * label_NL, label_NL, patient_N


def coverage(intervals):
    """Share of the intervals that hold the true AUROC."""
    low, high = np.array(intervals).T
    return ((low <= TRUE_AUROC) & (high >= TRUE_AUROC)).mean()


def coverage_of_auroc_and_macro(score_NL, label_NL, unit_ids_N):
    """Coverage of the columns, and of the means of two neighbours."""
    resamples = Resamples.draw(unit_ids_N, num=400, seed=1)
    auroc_RL = ranking_metrics(score_NL, label_NL, resamples)["auroc"]
    both = np.array([True, True])
    macros = [
        interval(resampled_macro(auroc_RL[:, i : i + 2], both))
        for i in range(0, auroc_RL.shape[1], 2)
    ]
    return coverage([interval(auroc_R) for auroc_R in auroc_RL.T]), coverage(macros)


def test_intervals_over_patients_cover_the_truth_and_those_over_images_do_not() -> None:
    score_NL, label_NL, patient_N = simulated(num_patients=500, num_each=4, prevalence=0.2)
    by_patient = coverage_of_auroc_and_macro(score_NL, label_NL, patient_N)
    assert all(0.93 <= share <= 0.97 for share in by_patient), by_patient
    by_image = coverage_of_auroc_and_macro(
        score_NL[:, :200], label_NL[:, :200], np.arange(len(patient_N))
    )
    assert all(share < 0.85 for share in by_image), by_image


def test_few_positive_patients_need_the_expanded_interval() -> None:
    score_NL, label_NL, patient_N = simulated(num_patients=300, num_each=5, prevalence=0.02)
    resamples = Resamples.draw(patient_N, num=400, seed=1)
    auroc_RL = ranking_metrics(score_NL, label_NL, resamples)["auroc"]
    num_L = units_of_classes(label_NL, resamples).of("auroc")
    assert 10 < num_L.mean() < 20
    pairs = list(zip(auroc_RL.T, num_L, strict=True))
    plain = coverage([interval(auroc_R) for auroc_R, _ in pairs])
    expanded = coverage([interval(auroc_R, num_units=num) for auroc_R, num in pairs])
    assert plain < 0.92 < expanded < 0.97, (plain, expanded)


def test_what_resampling_itself_adds_is_taken_out():
    """ECE of calibrated scores lies below nearly all of its resamples."""
    generator = np.random.default_rng(0)
    score_NL = generator.uniform(0, 1, (300, 1))
    label_NL = generator.random((300, 1)) < score_NL
    resamples = Resamples.draw(np.arange(300), num=500, seed=0)
    ece_R, observed_R = (
        resampled_metrics(score_NL, label_NL, threshold_L=0.5, resamples=draws, metrics=("ece",))[
            "ece"
        ][:, 0]
        for draws in (resamples, resamples.whole)
    )
    observed = float(observed_R[0])
    assert np.quantile(ece_R, 0.1) > observed
    low, high = interval(centred(ece_R, observed))
    assert low < observed < high
    assert centred(ece_R, observed).mean() == pytest.approx(observed)
    assert np.isnan(centred(np.full(3, np.nan), 0.5)).all()
