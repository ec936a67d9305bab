"""Losses against their published formulas."""

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from harness.core.recipe import LossRecipe
from harness.training.losses import LOSSES, build_loss

GENERATOR = torch.Generator().manual_seed(0)
LOGIT_BL = 4 * torch.randn(32, 14, generator=GENERATOR)
LABEL_BL = (torch.rand(32, 14, generator=GENERATOR) < 0.2).float()


def published_focal(logit_BL, label_BL, gamma):
    """DannyNet's own formula: alpha (1 - pt)^gamma BCE with pt = exp(-BCE) and alpha 1, mean."""
    bce_BL = F.binary_cross_entropy_with_logits(logit_BL, label_BL, reduction="none")
    return ((1 - torch.exp(-bce_BL)) ** gamma * bce_BL).mean()


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.5])
def test_focal_with_alpha_1_is_the_published_loss(gamma):
    loss = build_loss(LossRecipe(name="focal", gamma=gamma, alpha=1))
    torch.testing.assert_close(loss(LOGIT_BL, LABEL_BL), published_focal(LOGIT_BL, LABEL_BL, gamma))


def test_focal_with_gamma_0_and_alpha_1_is_bce_to_the_bit():
    focal = build_loss(LossRecipe(name="focal", gamma=0, alpha=1))
    bce = build_loss(LossRecipe(name="bce"))
    assert torch.equal(focal(LOGIT_BL, LABEL_BL), bce(LOGIT_BL, LABEL_BL))
    torch.testing.assert_close(
        bce(LOGIT_BL, LABEL_BL), F.binary_cross_entropy_with_logits(LOGIT_BL, LABEL_BL)
    )


def test_alpha_weighs_the_positive_term_alone():
    positive, negative = torch.ones_like(LABEL_BL), torch.zeros_like(LABEL_BL)
    for labels, factor in ((positive, 3.0), (negative, 1.0)):
        weighted = build_loss(LossRecipe(alpha=3))(LOGIT_BL, labels)
        plain = build_loss(LossRecipe(alpha=1))(LOGIT_BL, labels)
        torch.testing.assert_close(weighted, factor * plain)


def test_alpha_relates_to_torchvisions_by_a_known_factor():
    """torchvision weighs positives by a and negatives by 1 - a: ours is theirs over 1 - a."""
    a = 0.75
    theirs = sigmoid_focal_loss(LOGIT_BL, LABEL_BL, alpha=a, gamma=2, reduction="mean")
    ours = build_loss(LossRecipe(gamma=2, alpha=a / (1 - a)))(LOGIT_BL, LABEL_BL)
    torch.testing.assert_close(ours, theirs / (1 - a))


def test_sum_is_over_findings_and_mean_over_images():
    mean, total = (build_loss(LossRecipe(name="bce", reduction=r)) for r in ("mean", "sum"))
    torch.testing.assert_close(total(LOGIT_BL, LABEL_BL), 14 * mean(LOGIT_BL, LABEL_BL))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [0.0, 30.0, 200.0])
def test_loss_and_gradient_are_finite_for_sure_and_surely_wrong_scores(name, size):
    recipe = LossRecipe(name="focal", gamma=0.3) if name == "focal" else LossRecipe(name=name)
    logit_BL = torch.tensor([[size, -size, size, -size]], requires_grad=True)
    loss = build_loss(recipe)(logit_BL, torch.tensor([[1.0, 0.0, 0.0, 1.0]]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logit_BL.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_score_costs_less(name):
    loss = build_loss(LossRecipe(name=name))
    label_BL = torch.tensor([[1.0, 0.0]])
    costs = [float(loss(torch.tensor([[x, -x]]), label_BL)) for x in (-2.0, 0.0, 2.0)]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == 3


# Labels that are not known ------------------------------------------------------------------------

IS_KNOWN_BL = torch.rand(32, 14, generator=GENERATOR) < 0.7
MASKED_BL = torch.where(IS_KNOWN_BL, LABEL_BL, float("nan"))
RECIPES = [
    LossRecipe(name="bce"), LossRecipe(alpha=3, gamma=0.5), LossRecipe(name="bce", reduction="sum"),
]  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
def test_unknown_labels_count_nothing(recipe):
    value = build_loss(recipe)(LOGIT_BL, MASKED_BL)
    term_BL = LOSSES[recipe.name](LOGIT_BL, LABEL_BL, recipe)
    total = term_BL[IS_KNOWN_BL].sum()
    torch.testing.assert_close(value, total / (32 if recipe.reduction == "sum" else 32 * 14))


@pytest.mark.parametrize("recipe", RECIPES)
def test_unknown_labels_have_no_gradient(recipe):
    logit_BL = LOGIT_BL.clone().requires_grad_()
    build_loss(recipe)(logit_BL, MASKED_BL).backward()
    assert logit_BL.grad.isfinite().all()
    assert torch.equal(logit_BL.grad != 0, IS_KNOWN_BL)


@pytest.mark.parametrize("recipe", RECIPES)
def test_where_all_are_known_nothing_changes_to_the_bit(recipe):
    term_BL = LOSSES[recipe.name](LOGIT_BL, LABEL_BL, recipe)
    expected = term_BL.mean() if recipe.reduction == "mean" else term_BL.sum(dim=1).mean()
    assert torch.equal(build_loss(recipe)(LOGIT_BL, LABEL_BL), expected)


def test_a_batch_in_parts_has_the_loss_of_the_whole():
    loss = build_loss(LossRecipe())
    parts = [
        loss(logit, label)
        for logit, label in zip(LOGIT_BL.split(8), MASKED_BL.split(8), strict=True)
    ]
    torch.testing.assert_close(sum(parts) / 4, loss(LOGIT_BL, MASKED_BL))
