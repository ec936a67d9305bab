"""Tests between models: by hand, against R's pROC, against textbooks, and under no difference."""

from collections.abc import Callable
from math import erfc, isnan, nan, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.datasets import load_breast_cancer

from harness.evaluation.comparisons import delong, holm, paired_p, seed_se
from harness.evaluation.metrics import auroc

Scored = tuple[np.ndarray, np.ndarray, np.ndarray]


def two_models(num_images: int, *, gain: float = 0.0, seed: int = 0, decimals: int = 1) -> Scored:
    """Scores of two models with common noise, `gain` the second's; few decimals, many ties."""
    rng = np.random.default_rng(seed)
    label_N = rng.random(num_images) < 0.3
    noise_2N = rng.normal(size=(2, num_images)) + rng.normal(size=num_images)
    score_2N = np.round(noise_2N + label_N * np.array([[1.0], [1.0 + gain]]), decimals)
    return score_2N[0], score_2N[1], label_N


def multinomial_counts(num_resamples: int, num_units: int) -> np.ndarray:
    share_U = np.full(num_units, 1 / num_units)
    return np.random.default_rng(5).multinomial(num_units, share_U, size=num_resamples)


# --- paired_p -----------------------------------------------------------------------------------


def test_p_counted_by_hand() -> None:
    # From 0.2 the known ones are 0.1, 0.1, 0.4 and 0.05 away: one of four as far as 0 is.
    difference_R = np.array([0.1, 0.3, -0.2, 0.25] * 3 + [nan])
    assert paired_p(difference_R, observed=0.2) == 4 / 13


def test_rounding_does_not_break_ties() -> None:
    # As far as 0 is from 0.1, and less so by one rounding.
    assert abs((0.3 - 0.1) - 0.1) < 0.1
    assert paired_p(np.array([0.3 - 0.1, 0.1]), observed=0.1) == 2 / 3


def test_p_of_equal_predictions_is_one() -> None:
    assert paired_p(np.zeros(2000), observed=0.0) == 1.0


def test_p_is_never_zero_and_knows_no_direction() -> None:
    difference_R = np.random.default_rng(0).normal(0.3, 0.02, size=999)
    assert paired_p(difference_R, observed=0.3) == 1 / 1000
    assert paired_p(-difference_R, observed=-0.3) == 1 / 1000


@pytest.mark.parametrize(
    ("known", "observed"),
    [([0.1, 0.2], nan), ([nan, nan], 0.1), ([], 0.1), ([0.1] * 8 + [nan] * 2, 0.1)],
)
def test_p_of_nothing_or_of_too_little_is_nan(known: list[float], observed: float) -> None:
    assert isnan(paired_p(np.array(known), observed=observed))


def test_a_single_patient_tells_no_models_apart() -> None:
    # All its resamples are alike, and as far from 0 as can be.
    assert isnan(paired_p(np.full(999, 0.3), observed=0.3, num_units=1))
    assert isnan(paired_p(np.full(999, 0.3), observed=0.3, num_units=0))


def test_p_of_few_patients_is_that_of_student() -> None:
    difference_R = np.array([0.0] * 49 + [0.5] * 950)
    assert paired_p(difference_R, observed=0.5) == 0.05
    z = NormalDist().inv_cdf(0.975)
    assert paired_p(difference_R, observed=0.5, num_units=5) == pytest.approx(
        2 * student.sf(z / sqrt(5 / 4), df=4), rel=1e-6
    )
    assert paired_p(difference_R, observed=0.5, num_units=10_000) == pytest.approx(0.05, rel=0.01)
    assert paired_p(np.zeros(999), observed=0.0, num_units=5) == 1.0


def test_five_patients_do_not_often_tell_equal_models_apart() -> None:
    difference_UE = np.random.default_rng(2).normal(size=(5, 2000))
    resampled_RE = multinomial_counts(999, 5) @ difference_UE / 5
    observed_E = difference_UE.mean(axis=0)
    is_false_EK = np.array(
        [
            [paired_p(d_R, observed=o, num_units=num) < 0.05 for num in (None, 5)]
            for d_R, o in zip(resampled_RE.T, observed_E, strict=True)
        ]
    )
    plain, expanded = is_false_EK.mean(axis=0)
    assert plain > 0.1
    assert expanded < 0.065


def test_p_without_a_difference_is_uniform() -> None:
    # 2,000 experiments of 150 patients each, with skewed differences whose mean is 0.
    rng = np.random.default_rng(1)
    difference_UE = rng.exponential(size=(150, 2000)) - rng.exponential(size=(150, 2000))
    resampled_RE = multinomial_counts(999, 150) @ difference_UE / 150
    observed_E = difference_UE.mean(axis=0)
    p_E = np.array(
        [paired_p(d_R, observed=o) for d_R, o in zip(resampled_RE.T, observed_E, strict=True)]
    )
    for level in (0.05, 0.2, 0.5, 0.8):
        # Three standard errors of the share, and one point for the bootstrap's own.
        assert (p_E <= level).mean() == pytest.approx(
            level, abs=3 * sqrt(level * (1 - level) / 2000) + 0.01
        )


# --- holm ---------------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    # 4 x 0.005, 3 x 0.01, 2 x 0.03, and 1 x 0.04, which must not fall below the one before.
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(found) == ["a", "b", "c", "d"]


def test_holm_stops_at_one_and_leaves_one_test_alone() -> None:
    assert holm({"a": 0.4, "b": 0.9}) == {"a": 0.8, "b": 0.9}
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({"a": 0.03}) == {"a": 0.03}
    assert holm({}) == {}


def test_holm_does_not_count_what_has_no_p() -> None:
    found = holm({"a": 0.02, "b": nan, "c": 0.03})
    assert (found["a"], found["c"]) == (0.04, 0.04)
    assert isnan(found["b"])


def test_holm_keeps_false_alarms_of_a_family_below_the_level() -> None:
    p_EM = np.random.default_rng(2).random((4000, 14))
    alarms = [min(holm(dict(enumerate(map(float, p_M)))).values()) <= 0.05 for p_M in p_EM]
    assert np.mean(alarms) == pytest.approx(1 - (1 - 0.05 / 14) ** 14, abs=0.011)


# --- delong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "auroc_a", "auroc_b", "z", "p"),
    [
        # roc.test(..., method = "delong") of R's pROC 1.18.0, on the Wisconsin data (Street et al.
        # 1993) that scikit-learn brings; texture is rounded to whole numbers, for ties.
        ("mean concavity", "mean radius",
         0.937827017599493, 0.937516516040378, 0.0224029214687087, 0.982126549942703),
        ("mean radius", "mean texture",
         0.937516516040378, 0.777423233444321, 7.26251488932074, 3.79958675553496e-13),
    ],
)  # fmt: skip
def test_delong_equals_r(
    a: str, b: str, auroc_a: float, auroc_b: float, z: float, p: float
) -> None:
    data = load_breast_cancer()
    column = {name: data.data[:, i] for i, name in enumerate(data.feature_names)}
    column["mean texture"] = np.round(column["mean texture"])
    found = delong(column[a], column[b], data.target == 0)
    assert (found.auroc_a, found.auroc_b) == pytest.approx((auroc_a, auroc_b), rel=1e-12)
    assert found.difference == pytest.approx(auroc_a - auroc_b, abs=1e-14)
    assert found.difference / found.se == pytest.approx(z, rel=1e-9)
    assert found.p == pytest.approx(p, rel=1e-6)


def textbook_se(score_a_N: np.ndarray, score_b_N: np.ndarray, label_N: np.ndarray) -> float:
    """DeLong et al. 1988 as printed: all pairs of a positive and a negative image."""
    pair_PQ = []
    for score_N in (score_a_N, score_b_N):
        gap_PQ = score_N[label_N][:, None] - score_N[~label_N][None, :]
        pair_PQ.append((gap_PQ > 0) + 0.5 * (gap_PQ == 0))
    s10 = np.cov([pairs.mean(axis=1) for pairs in pair_PQ]) / label_N.sum()
    s01 = np.cov([pairs.mean(axis=0) for pairs in pair_PQ]) / (~label_N).sum()
    contrast = np.array([1.0, -1.0])
    return float(np.sqrt(contrast @ (s10 + s01) @ contrast))


@pytest.mark.parametrize("seed", range(5))
def test_delong_equals_the_textbook_on_ties(seed: int) -> None:
    a_N, b_N, label_N = two_models(150, gain=0.3, seed=seed, decimals=0)
    found = delong(a_N, b_N, label_N)
    assert found.se == pytest.approx(textbook_se(a_N, b_N, label_N), rel=1e-12)
    value_2 = auroc(np.column_stack([a_N, b_N]), np.column_stack([label_N, label_N]))
    assert [found.auroc_a, found.auroc_b] == pytest.approx(value_2)
    assert found.p == pytest.approx(erfc(abs(found.difference) / found.se / sqrt(2)))


def test_delong_agrees_with_the_bootstrap_where_images_are_independent() -> None:
    a_N, b_N, label_N = two_models(600, gain=0.25, decimals=3)
    found = delong(a_N, b_N, label_N)
    difference_R = []
    for count_N in multinomial_counts(600, 600):
        row = np.repeat(np.arange(600), count_N)
        value_2 = auroc(np.column_stack([a_N[row], b_N[row]]), np.column_stack([label_N[row]] * 2))
        difference_R.append(value_2[0] - value_2[1])
    assert found.se == pytest.approx(np.std(difference_R), rel=0.1)
    p = paired_p(np.array(difference_R), observed=found.difference)
    assert found.p == pytest.approx(p, abs=0.02)


@pytest.mark.parametrize("transform", [lambda score_N: score_N, np.exp])
def test_equal_rankings_do_not_differ(transform: Callable[[np.ndarray], np.ndarray]) -> None:
    a_N, _, label_N = two_models(200)
    found = delong(a_N, transform(a_N), label_N)
    assert (found.difference, found.se, found.p) == (0.0, 0.0, 1.0)


def test_too_few_images_have_no_se() -> None:
    nothing = delong(np.array([0.1, 0.2]), np.array([0.3, 0.1]), np.array([True, True]))
    assert all(map(isnan, (nothing.auroc_a, nothing.auroc_b, nothing.difference, nothing.p)))
    label_N = np.array([True, False, False])
    one = delong(np.array([0.9, 0.2, 0.1]), np.array([0.1, 0.2, 0.3]), label_N)
    assert (one.auroc_a, one.auroc_b, one.difference) == (1.0, 0.0, 1.0)
    assert isnan(one.se)
    assert isnan(one.p)


def test_an_se_of_zero_does_not_prove_a_difference() -> None:
    label_N = np.array([True, True, False, False])
    found = delong(np.array([4, 3, 2, 1.0]), np.array([1, 2, 3, 4.0]), label_N)
    assert (found.difference, found.se) == (1.0, 0.0)
    assert isnan(found.p)


# --- seed_se ------------------------------------------------------------------------------------


def test_seeds_in_common_are_paired() -> None:
    # Differences 0.1, 0.2, 0.3: standard deviation 0.1.
    a, b = {1: 0.6, 2: 0.9, 3: 0.7}, {3: 0.4, 2: 0.7, 1: 0.5}
    assert seed_se(a, b) == pytest.approx(0.1 / sqrt(3))


def test_other_seeds_are_independent() -> None:
    # Variances 0.01 of three and 0.02 of two.
    assert seed_se({1: 0.6, 2: 0.7, 3: 0.8}, {4: 0.5, 5: 0.7}) == pytest.approx(
        sqrt(0.01 / 3 + 0.02 / 2)
    )


def test_one_seed_tells_nothing() -> None:
    assert seed_se({1: 0.6}, {1: 0.5}) is None
    assert seed_se({1: 0.6, 2: 0.7}, {1: 0.5}) is None


def test_delong_of_several_seeds_is_that_of_their_mean_components():
    rng = np.random.default_rng(3)
    label_N = rng.random(300) < 0.3
    score_a_SN = rng.normal(size=(3, 300)) + label_N
    score_b_SN = rng.normal(size=(2, 300)) + 0.5 * label_N
    found = delong(score_a_SN, score_b_SN, label_N)
    assert found.auroc_a == pytest.approx(
        np.mean([delong(score_N, score_N, label_N).auroc_a for score_N in score_a_SN])
    )
    same = np.repeat(score_a_SN[:1], 3, axis=0)
    assert delong(same, score_b_SN, label_N) == delong(score_a_SN[0], score_b_SN, label_N)
    assert delong(score_a_SN, score_a_SN, label_N).p == 1
