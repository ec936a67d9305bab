import numpy as np
import pytest

from harness.benchmark.entries import Scored
from harness.benchmark.estimates import MACRO
from harness.benchmark.sampling import estimates, macro_over, sample
from harness.core.predictions import Predictions
from harness.evaluation.resampling import Resamples
from tests.benchmark.conftest import make_predictions


def test_a_mean_over_findings_of_one_patient_claims_no_interval() -> None:
    test = make_predictions(1)
    resamples = Resamples.draw(np.full(len(test.image_ids), "one"), num=200, seed=0)
    macro = sample([Scored(test)], resamples, metrics=("auroc",))[MACRO]["auroc"].estimate
    assert 0.5 < macro.value < 1
    assert (macro.low, macro.high) == (None, None)


def test_a_mean_over_findings_of_few_patients_is_less_sure() -> None:
    test = make_predictions(1)
    resamples = Resamples.draw(test.patient_ids, num=2000, seed=0).of(np.arange(12))
    part = sample([Scored(test.of(np.arange(12)))], resamples, metrics=("auroc",))[MACRO]["auroc"]
    assert part.num_units == 4
    low, high = np.quantile(part.mean_R, (0.025, 0.975))
    assert part.estimate.high - part.estimate.low > 1.2 * (high - low)


def test_macro_over_all_findings_is_macro() -> None:
    test = make_predictions(1)
    resamples = Resamples.draw(test.patient_ids, num=200, seed=0)
    found = sample([Scored(test), Scored(make_predictions(2))], resamples, metrics=("auroc",))
    over = macro_over(found, "auroc", test.findings)
    assert over.value_S == pytest.approx(found[MACRO]["auroc"].value_S)
    assert over.mean_R == pytest.approx(found[MACRO]["auroc"].mean_R)
    two = macro_over(found, "auroc", ("Mass", "Edema"))
    assert two.value == pytest.approx(
        (found["Mass"]["auroc"].value + found["Edema"]["auroc"].value) / 2
    )


def all_found(num_positives: int) -> Scored:
    """100 patients of one image; each of the first has a finding that is seen, and no other."""
    label_NL = np.arange(100)[:, None] < num_positives
    images = np.array([f"{image:03}" for image in range(100)])
    test = Predictions(
        score_NL=np.where(label_NL, 0.9, 0.1).astype(np.float32),
        label_NL=label_NL,
        is_known_NL=np.ones_like(label_NL),
        image_ids=images,
        patient_ids=images,
        findings=("Mass",),
    )
    return Scored(test, thresholds={"Mass": 0.5})


def test_all_of_a_few_is_not_surely_all() -> None:
    """Of four and of 96: Clopper & Pearson's bounds are 0.025 to the power of 1/4 and 1/96."""
    scored = all_found(4)
    resamples = Resamples.draw(scored.test.patient_ids, num=400, seed=0)
    metrics = ("auroc", "sensitivity", "specificity", "f1")
    found = estimates(sample([scored], resamples, metrics=metrics))
    assert {name: one.value for name, one in found["Mass"].items()} == dict.fromkeys(metrics, 1.0)
    for name, low in (("sensitivity", 0.3976), ("specificity", 0.9623)):
        mass = found["Mass"][name]
        assert (mass.low, mass.high) == (pytest.approx(low, abs=1e-4), 1.0)
    for one in (found["Mass"]["auroc"], found["Mass"]["f1"], *found[MACRO].values()):
        assert (one.low, one.high) == (None, None)
