"""Predictions to test with: hand-counted ones, and seeded random ones with many ties."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import ArrayLike

from harness.core.predictions import Predictions

MakePredictions = Callable[..., Predictions]


def _make(score_NL: ArrayLike, label_NL: ArrayLike) -> Predictions:
    """Predictions with two images to a patient, and findings named A, B, C..."""
    score = np.asarray(score_NL, dtype=np.float32)
    num_images, num_findings = score.shape
    return Predictions(
        score_NL=score,
        label_NL=np.asarray(label_NL, dtype=bool),
        is_known_NL=np.ones(score.shape, dtype=bool),
        image_ids=np.array([f"{i:05}.png" for i in range(num_images)], dtype=np.str_),
        patient_ids=np.array([f"{i // 2:05}" for i in range(num_images)], dtype=np.str_),
        findings=tuple("ABCDEFGHIJKLMN"[:num_findings]),
    )


@pytest.fixture
def make_predictions() -> MakePredictions:
    return _make


@pytest.fixture
def sample() -> Predictions:
    """500 images, four findings from common to rare, scores that carry signal and have ties."""
    rng = np.random.default_rng(7)
    label_NL = rng.random((500, 4)) < (0.4, 0.2, 0.1, 0.02)
    logit_NL = rng.normal(size=label_NL.shape) + 1.5 * label_NL - 1.5
    score_NL = np.round(1 / (1 + np.exp(-logit_NL)), 2)
    return _make(score_NL, label_NL)


@pytest.fixture
def six(make_predictions: MakePredictions) -> Predictions:
    """Six images counted by hand below; the second and third share a score.

    A   score  0.9  0.7  0.7  0.4  0.3  0.1
        label    1    1    0    1    0    0
    """
    return make_predictions(
        [[0.9], [0.7], [0.7], [0.4], [0.3], [0.1]], [[1], [1], [0], [1], [0], [0]]
    )
