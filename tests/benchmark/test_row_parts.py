import numpy as np
import pytest

from harness.benchmark.entries import Scored
from harness.benchmark.estimates import MACRO
from harness.benchmark.row_parts import subgroups_of
from harness.core.predictions import Predictions
from harness.evaluation.resampling import Resamples
from harness.evaluation.subgroups import Cases

NUM_IMAGES = 1200


def scored_alike_in_both_sexes() -> tuple[Scored, Cases]:
    """A network that is as good for either sex; no woman has the finding that it knows best."""
    rng = np.random.default_rng(0)
    sex = np.where(np.arange(NUM_IMAGES) % 2, "M", "F")
    label_NL = rng.random((NUM_IMAGES, 2)) < 0.3
    label_NL[sex == "F", 1] = False
    noise_NL = np.repeat(rng.normal(size=(NUM_IMAGES // 2, 2)), 2, axis=0)
    label_NL[:, 0] = np.repeat(label_NL[::2, 0], 2)
    logit_NL = noise_NL + label_NL * np.array([0.5, 4.0])
    images = np.array([f"{image:04}.png" for image in range(NUM_IMAGES)])
    test = Predictions(
        score_NL=(1 / (1 + np.exp(-logit_NL))).astype(np.float32),
        label_NL=label_NL,
        is_known_NL=np.ones_like(label_NL),
        image_ids=images,
        patient_ids=images,
        findings=("Mass", "Hernia"),
    )
    age, view = np.full(NUM_IMAGES, np.nan), np.full(NUM_IMAGES, "")
    return Scored(test), Cases(images, images, sex, age, view)


def test_a_gap_is_over_the_findings_that_both_groups_have() -> None:
    scored, cases = scored_alike_in_both_sexes()
    resamples = Resamples.draw(cases.patient_ids, num=200, seed=0)
    women, men = subgroups_of([scored], cases, resamples)
    assert "Hernia" in men.figures
    assert "Hernia" not in women.figures
    assert men.figures[MACRO]["auroc"].value > women.figures[MACRO]["auroc"].value + 0.1
    for group in (women, men):
        gap = group.gaps[MACRO]["auroc"]
        assert gap.value == pytest.approx(group.gaps["Mass"]["auroc"].value) == 0
        assert gap.low < 0 < gap.high
        assert "auroc" not in group.gaps.get("Hernia", {})
