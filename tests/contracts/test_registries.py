"""Every name that a recipe may hold is in its registry, and every registered thing is allowed."""

from typing import get_args

import pytest

from harness.core.recipe import (
    EvaluationRecipe,
    LossRecipe,
    OptimRecipe,
    Recipe,
    ScheduleRecipe,
    TrainRecipe,
)
from harness.data.splits import SPLITS
from harness.evaluation.thresholds import RULES
from harness.training.losses import LOSSES
from harness.training.optim import OPTIMIZERS


def allowed(section, field) -> set[str]:
    return set(get_args(section.model_fields[field].annotation))


@pytest.mark.parametrize(
    ("section", "field", "registry"),
    [
        (LossRecipe, "name", LOSSES),
        (OptimRecipe, "name", OPTIMIZERS),
        (EvaluationRecipe, "threshold_rule", RULES),
    ],
)
def test_a_recipe_allows_what_is_registered(section, field, registry):
    assert allowed(section, field) == set(registry)


def test_the_default_split_is_registered():
    assert Recipe().data.split in SPLITS


def test_schedules_and_kept_metrics_are_those_that_are_tested():
    assert allowed(ScheduleRecipe, "name") == {"plateau", "cosine", "constant"}
    assert allowed(TrainRecipe, "keep") == {"val/auroc_macro", "val/loss"}
