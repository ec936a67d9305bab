"""Losses over the findings, as functions of logits and labels.

Shapes: B images, L findings.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.core.recipe import LossRecipe

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logit_BL, label_BL) -> scalar, float32."""


def bce_terms(logit_BL: Tensor, label_BL: Tensor, recipe: LossRecipe) -> Tensor:
    """Binary cross-entropy of each image and finding, shape (B, L)."""
    return F.binary_cross_entropy_with_logits(logit_BL, label_BL, reduction="none")


def focal_terms(logit_BL: Tensor, label_BL: Tensor, recipe: LossRecipe) -> Tensor:
    """Focal loss of each image and finding, shape (B, L).

    (1 - p_t)^gamma * BCE with p_t the probability of the true label (Lin et al. 2017, eq. 4),
    the positive term multiplied by alpha and the negative one by 1. alpha = 1 is the loss of
    DannyNet (Strick et al. 2025); gamma = 0 with alpha = 1 is BCE. The factor is computed as
    exp(gamma * log(1 - p_t)), whose gradient stays finite for gamma < 1 at p_t = 1.
    """
    bce_BL = F.binary_cross_entropy_with_logits(logit_BL, label_BL, reduction="none")
    sign_BL = 1 - 2 * label_BL
    log_wrong_BL = F.logsigmoid(sign_BL * logit_BL)
    weight_BL = 1 + (recipe.alpha - 1) * label_BL
    return weight_BL * torch.exp(recipe.gamma * log_wrong_BL) * bce_BL


LOSSES: dict[str, Callable[[Tensor, Tensor, LossRecipe], Tensor]] = {
    "bce": bce_terms,
    "focal": focal_terms,
}


def build_loss(recipe: LossRecipe) -> Loss:
    """The loss of a recipe: its terms averaged over images, and over or summed over findings.

    A label of NaN is not known: its term is 0 and has no gradient, as in the U-Ignore model of
    Irvin et al. 2019 (CheXpert). The mean is over all terms, so that a batch may be cut into parts.
    """
    terms = LOSSES[recipe.name]

    def loss(logit_BL: Tensor, label_BL: Tensor) -> Tensor:
        label_BL = label_BL.float()
        is_known_BL = ~label_BL.isnan()
        term_BL = terms(logit_BL.float(), label_BL.nan_to_num(0), recipe)
        term_BL = torch.where(is_known_BL, term_BL, 0)
        return term_BL.mean() if recipe.reduction == "mean" else term_BL.sum(dim=1).mean()

    return loss
