"""What is found is counted by hand; what is not finite has no metrics."""

import math

import pytest
import torch
from torch import Tensor

from harness.core.recipe import LossRecipe, Recipe
from harness.training.losses import build_loss
from harness.training.validation import Validation, validate

RECIPE = Recipe().with_values({"data.resize_px": 2, "data.input_px": 2})
LABEL_NL = torch.tensor([[1.0, 0.0], [0.0, math.nan], [1.0, 1.0], [0.0, math.nan]])


class OneBatch:
    """All images, each of one gray: the number of its row."""

    batch_size = len(LABEL_NL)

    def epoch(self, epoch: int = 0):
        row_N = torch.arange(len(LABEL_NL), dtype=torch.uint8)
        yield row_N[:, None, None, None].expand(-1, 1, 2, 2), LABEL_NL


class Told(torch.nn.Module):
    """Gives logits that were told it, by the gray of an image."""

    def __init__(self, logit_NL: Tensor) -> None:
        super().__init__()
        self.logit_NL = logit_NL

    def forward(self, image_B1HW: Tensor) -> Tensor:
        return self.logit_NL[(255 * image_B1HW[:, 0, 0, 0]).round().long()]


def found(logit_NL: Tensor, **loss: object) -> Validation:
    return validate(Told(logit_NL), OneBatch(), RECIPE, build_loss(LossRecipe(**loss)))


def test_the_loss_is_the_mean_over_the_labels_that_are_known():
    logit_NL = torch.tensor([[2.0, -1.0], [0.0, 9.0], [-1.0, 3.0], [-3.0, 9.0]])
    seen = found(logit_NL, name="bce")
    terms = [
        math.log1p(math.exp(-sign * logit))
        for sign, logit in ((1, 2), (-1, -1), (-1, 0), (1, -1), (1, 3), (-1, -3))
    ]
    assert seen.metrics["val/bce"] == pytest.approx(sum(terms) / 6, rel=1e-6)
    assert seen.metrics["val/loss"] == pytest.approx(sum(terms) / 6, rel=1e-6)
    assert seen.metrics["val/auroc_macro"] == pytest.approx((3 / 4 + 1) / 2)
    assert torch.equal(torch.from_numpy(seen.score_NL), torch.sigmoid(logit_NL))
    assert seen.is_finite


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_has_scores_and_no_metrics(value):
    logit_NL = torch.zeros(LABEL_NL.shape)
    logit_NL[0, 1] = value
    seen = found(logit_NL, name="bce")
    assert not seen.is_finite
    assert seen.metrics == {}
    assert seen.score_NL.shape == LABEL_NL.shape
