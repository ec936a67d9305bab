"""Intervals of thresholds against tuning on the images of every resample, written out."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.evaluation.resampling import Resamples
from harness.evaluation.threshold_intervals import threshold_intervals
from harness.evaluation.thresholds import RULES, tune_thresholds


def draws(num_resamples: int, num_units: int) -> Resamples:
    """Resamples of units with two images each, as in `sample`."""
    return Resamples.draw(np.arange(2 * num_units) // 2, num=num_resamples, seed=0)


@pytest.mark.parametrize("rule", RULES)
def test_ends_are_those_of_tuning_on_every_resample(
    make_predictions: Callable[..., Predictions], sample: Predictions, rule: str
) -> None:
    # 100 images, of which so few have the rarest finding that some resamples lack it.
    score_NL, label_NL = sample.score_NL[200:300], sample.label_NL[200:300]
    resamples = draws(60, 50)
    tuned = []
    for count_U in resamples.count_RU:
        row = np.repeat(np.arange(100), count_U[resamples.unit_N])
        found = tune_thresholds(make_predictions(score_NL[row], label_NL[row]), rule)
        tuned.append([np.nan if found[name] is None else found[name] for name in "ABCD"])
    assert 0 < np.isnan(tuned)[:, 3].sum() < 60
    expected = np.nanquantile(tuned, (0.05, 0.95), axis=0)
    found = threshold_intervals(score_NL, label_NL, rule=rule, resamples=resamples, level=0.9)
    np.testing.assert_allclose(np.transpose(found), expected, rtol=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_the_images_themselves_give_the_tuned_threshold(sample: Predictions, rule: str) -> None:
    unchanged = Resamples(np.ones((50, 250), np.uint8), np.arange(500, dtype=np.int32) // 2)
    found = threshold_intervals(sample.score_NL, sample.label_NL, rule=rule, resamples=unchanged)
    assert found == [(tuned, tuned) for tuned in tune_thresholds(sample, rule).values()]


def test_a_finding_of_one_class_has_no_interval(sample: Predictions) -> None:
    label_NL = sample.label_NL.copy()
    label_NL[:, 1], label_NL[:, 2] = False, True
    found = threshold_intervals(sample.score_NL, label_NL, rule="f1", resamples=draws(60, 250))
    assert found[1:3] == [(None, None), (None, None)]
    assert None not in (*found[0], *found[3])


def test_an_unknown_rule_is_refused(sample: Predictions) -> None:
    with pytest.raises(HarnessError, match="unknown threshold rule 'f2'"):
        threshold_intervals(sample.score_NL, sample.label_NL, rule="f2", resamples=draws(2, 250))
