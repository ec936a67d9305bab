import numpy as np
import pytest

from harness.benchmark.entries import Scored
from harness.benchmark.estimates import MACRO
from harness.benchmark.sampling import macro_over, sample
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
