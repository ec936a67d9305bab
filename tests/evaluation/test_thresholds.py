"""Thresholds against an exhaustive search, and through JSON."""

import json
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from sklearn import metrics as sk

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.evaluation.metrics import confusion, mean_known, points_per_finding
from harness.evaluation.thresholds import RULES, SHRINK_POSITIVES, aim_of, tune_thresholds

Counts = tuple[int, int, int, int]
Goal = Callable[[int, int, int, int], Fraction]


def exact_f1(tp: int, fp: int, fn: int, tn: int) -> Fraction:
    return Fraction(2 * tp, 2 * tp + fp + fn)


def exact_youden(tp: int, fp: int, fn: int, tn: int) -> Fraction:
    return Fraction(tp, tp + fn) - Fraction(fp, fp + tn)


def counts_at(score_N: np.ndarray, label_N: np.ndarray, threshold: float) -> Counts:
    called_N = np.array([float(score) >= threshold for score in score_N])
    return (
        int((called_N & label_N).sum()),
        int((called_N & ~label_N).sum()),
        int((~called_N & label_N).sum()),
        int((~called_N & ~label_N).sum()),
    )


def highest_of_the_best(score_N: np.ndarray, label_N: np.ndarray, goal: Goal) -> float:
    options = {float(score) for score in score_N}
    return max(options, key=lambda t: (goal(*counts_at(score_N, label_N, t)), t))


def random_cases(num_cases: int, num_images: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Few images and one decimal: many tied scores, and many thresholds that are equally good."""
    rng = np.random.default_rng(3)
    cases = []
    for _ in range(num_cases):
        label_N = rng.permutation(np.arange(num_images) < rng.integers(1, num_images))
        cases.append((rng.random(num_images).round(1).astype(np.float32), label_N))
    return cases


@pytest.mark.parametrize(("rule", "goal"), [("f1", exact_f1), ("youden", exact_youden)])
def test_thresholds_are_the_highest_of_the_best(
    make_predictions: Callable[..., Predictions], rule: str, goal: Goal
) -> None:
    for score_N, label_N in random_cases(150, 12):
        found = tune_thresholds(make_predictions(score_N[:, None], label_N[:, None]), rule)
        assert found["A"] == highest_of_the_best(score_N, label_N, goal)


def test_sensitivity_90_is_the_highest_threshold_that_reaches_it(
    make_predictions: Callable[..., Predictions],
) -> None:
    for score_N, label_N in random_cases(150, 24):
        found = tune_thresholds(
            make_predictions(score_N[:, None], label_N[:, None]), "sensitivity_90"
        )
        enough = []
        for threshold in {float(score) for score in score_N}:
            tp, _, fn, _ = counts_at(score_N, label_N, threshold)
            if Fraction(tp, tp + fn) >= Fraction(9, 10):
                enough.append(threshold)
        assert found["A"] == max(enough)


def test_nine_of_ten_positives_are_a_sensitivity_of_90(
    make_predictions: Callable[..., Predictions],
) -> None:
    score_N = np.linspace(0.95, 0.05, 11)
    label_N = np.arange(11) < 10
    found = tune_thresholds(make_predictions(score_N[:, None], label_N[:, None]), "sensitivity_90")
    assert found["A"] == float(np.float32(score_N[8]))


def test_f1_equals_the_best_point_of_scikit_learns_curve(sample: Predictions) -> None:
    thresholds = tune_thresholds(sample)
    for i, finding in enumerate(sample.findings):
        precision, recall, _ = sk.precision_recall_curve(
            sample.label_NL[:, i], sample.score_NL[:, i]
        )
        total = np.where(precision + recall > 0, precision + recall, 1)
        best = (2 * precision * recall / total).max()
        called_N = sample.score_NL[:, i].astype(np.float64) >= thresholds[finding]
        assert sk.f1_score(sample.label_NL[:, i], called_N) == pytest.approx(best)


def test_hand_counted(six: Predictions) -> None:
    # F1 by threshold: 0.9 -> 2/4, 0.7 -> 4/6, 0.4 -> 6/7, 0.3 -> 6/8, 0.1 -> 6/9.
    assert tune_thresholds(six, "f1") == {"A": float(np.float32(0.4))}
    assert tune_thresholds(six, "youden") == {"A": float(np.float32(0.4))}
    assert tune_thresholds(six, "sensitivity_90") == {"A": float(np.float32(0.4))}


@pytest.mark.parametrize("rule", RULES)
def test_counts_survive_json(sample: Predictions, rule: str) -> None:
    thresholds = tune_thresholds(sample, rule)
    read_back = json.loads(json.dumps(thresholds))
    assert read_back == thresholds
    points_L = points_per_finding(sample.score_NL, sample.label_NL, sample.is_known_NL)
    by_rule = RULES[rule].choose(points_L)
    assert by_rule == list(thresholds.values())
    # A number of NumPy's would be equal, and be shown as np.float64(0.4).
    assert {type(value) for value in (*by_rule, *thresholds.values())} == {float}
    for i, finding in enumerate(sample.findings):
        threshold = read_back[finding]
        assert np.float32(threshold) in sample.score_NL[:, i]
        at = confusion(sample.score_NL[:, [i]], sample.label_NL[:, [i]], [threshold])
        counted = counts_at(sample.score_NL[:, i], sample.label_NL[:, i], threshold)
        assert (at.tp_L[0], at.fp_L[0], at.fn_L[0], at.tn_L[0]) == counted


@pytest.mark.parametrize("rule", RULES)
def test_a_monotone_transform_moves_the_threshold_and_not_the_calls(
    make_predictions: Callable[..., Predictions], sample: Predictions, rule: str
) -> None:
    cubed = make_predictions(sample.score_NL**3, sample.label_NL)
    before, after = tune_thresholds(sample, rule), tune_thresholds(cubed, rule)
    for i, finding in enumerate(sample.findings):
        called_N = sample.score_NL[:, i].astype(np.float64) >= before[finding]
        called_after_N = cubed.score_NL[:, i].astype(np.float64) >= after[finding]
        assert called_N.tolist() == called_after_N.tolist()


@pytest.mark.parametrize("rule", RULES)
def test_constant_scores_have_one_threshold(
    make_predictions: Callable[..., Predictions], rule: str
) -> None:
    constant = make_predictions([[0.3], [0.3], [0.3]], [[1], [0], [0]])
    assert tune_thresholds(constant, rule) == {"A": float(np.float32(0.3))}


@pytest.mark.parametrize("rule", RULES)
def test_none_where_there_is_nothing_to_tune_on(
    make_predictions: Callable[..., Predictions], rule: str
) -> None:
    predictions = make_predictions([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]], [[0, 0, 1], [1, 0, 1]])
    thresholds = tune_thresholds(predictions, rule)
    assert thresholds == {"A": float(np.float32(0.9)), "B": None, "C": None}


def test_an_unknown_rule_is_named_with_the_nearest(sample: Predictions) -> None:
    with pytest.raises(HarnessError) as told:
        tune_thresholds(sample, "yuden")
    assert str(told.value) == (
        "unknown threshold rule 'yuden' (did you mean 'youden'?); "
        "known rules: f1_shrunk, f1, youden, sensitivity_90"
    )


def test_rules_say_what_they_aim_at() -> None:
    assert [aim_of(name) for name in ("f1", "youden", "sensitivity_90", "none of ours")] == [
        "the highest F1",
        "the highest sum of sensitivity and specificity (Youden 1950)",
        "a sensitivity of at least 90 %",
        "",
    ]
    assert aim_of("f1_shrunk").startswith("the highest F1; where positives are few, the ratio of")
    assert aim_of("f1_shrunk").endswith("shrunk towards that of the other findings")


def ranked(*positive_ranks: range | list[int], num_images: int = 400) -> tuple[np.ndarray, ...]:
    """A finding per argument, with positives at these ranks of falling, distinct scores."""
    score_N = np.linspace(0.99, 0.01, num_images).astype(np.float32)
    label_NL = np.zeros((num_images, len(positive_ranks)), dtype=bool)
    for column, ranks in enumerate(positive_ranks):
        label_NL[np.array(ranks) - 1, column] = True
    return np.repeat(score_N[:, None], len(positive_ranks), axis=1), label_NL


def test_f1_shrunk_counted_by_hand(make_predictions: Callable[..., Predictions]) -> None:
    # A: every other image down to rank 160, the best F1 there: 160 called for 80 positives.
    # B: ten at the top and ten at the bottom, the best F1 at rank 10: 10 called for 20.
    score_NL, label_NL = ranked(range(2, 161, 2), [*range(1, 11), *range(391, 401)])
    predictions = make_predictions(score_NL, label_NL)
    score_N = score_NL[:, 0].astype(float)
    assert tune_thresholds(predictions, "f1") == {"A": score_N[159], "B": score_N[9]}
    # Weights 1/2 and 1/5; log2 ratios 1 and -1, so 3/7 in the mean. A: 1/2 + 1/2 x 3/7 = 5/7;
    # B: -1/5 + 4/5 x 3/7 = 1/7. Called: 80 x 2^(5/7) = 131.3 and 20 x 2^(1/7) = 22.1.
    assert SHRINK_POSITIVES == 80
    assert tune_thresholds(predictions, "f1_shrunk") == {"A": score_N[130], "B": score_N[21]}


def test_f1_shrunk_of_one_finding_is_exact(make_predictions: Callable[..., Predictions]) -> None:
    for score_N, label_N in random_cases(150, 12):
        # Findings without positives or negatives are nothing to lean on.
        predictions = make_predictions(
            np.column_stack([score_N, score_N, score_N]),
            np.column_stack([np.zeros(12), label_N, np.ones(12)]),
        )
        exact = tune_thresholds(predictions, "f1")
        assert tune_thresholds(predictions, "f1_shrunk") == exact
        assert (exact["A"], exact["C"]) == (None, None)


def test_f1_shrunk_of_findings_that_agree_is_exact(
    make_predictions: Callable[..., Predictions],
) -> None:
    # Both at twice as many as are positive, of 80 and of 4.
    predictions = make_predictions(*ranked(range(2, 161, 2), range(2, 9, 2)))
    assert tune_thresholds(predictions, "f1_shrunk") == tune_thresholds(predictions, "f1")


def test_f1_shrunk_does_not_know_the_order_of_findings(
    make_predictions: Callable[..., Predictions], sample: Predictions
) -> None:
    backwards = make_predictions(sample.score_NL[:, ::-1], sample.label_NL[:, ::-1])
    there, back = tune_thresholds(sample, "f1_shrunk"), tune_thresholds(backwards, "f1_shrunk")
    assert list(there.values()) == list(back.values())[::-1]


def test_f1_shrunk_is_better_on_new_images_where_positives_are_few(
    make_predictions: Callable[..., Predictions],
) -> None:
    rng = np.random.default_rng(0)
    prevalence_L = np.array([0.15, 0.10, 0.05, 0.03, 0.02, 0.01])

    def draw(num_images: int) -> tuple[np.ndarray, np.ndarray]:
        label_NL = rng.random((num_images, 6)) < prevalence_L
        logit_NL = rng.normal(size=label_NL.shape) + label_NL * np.linspace(1.0, 2.5, 6)
        return 1 / (1 + np.exp(2 - logit_NL)), label_NL

    new = draw(20_000)

    def f1_on_new(predictions: Predictions, rule: str) -> np.ndarray:
        tuned = list(tune_thresholds(predictions, rule).values())
        return confusion(*new, [np.nan if value is None else value for value in tuned]).f1

    gain_RL = []
    for _ in range(40):
        predictions = make_predictions(*draw(1000))
        gain_RL.append(f1_on_new(predictions, "f1_shrunk") - f1_on_new(predictions, "f1"))
    gain_L = np.nanmean(gain_RL, axis=0)
    assert mean_known(gain_L) > 0.005
    assert gain_L[-1] > 0.015
    assert gain_L.min() > -0.005
