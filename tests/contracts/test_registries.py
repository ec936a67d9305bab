"""Every name that a recipe or a space may hold is in its registry, and nothing else is."""

from typing import get_args

import pytest

from harness.core.errors import HarnessError
from harness.core.parameters import SearchSettings
from harness.core.recipe import Recipe, TrainRecipe
from harness.core.registered import registered
from harness.core.space import SearchSpace
from harness.data.splits import SPLITS
from harness.evaluation.thresholds import RULES
from harness.search.samplers import SAMPLERS
from harness.training.losses import LOSSES
from harness.training.optim import OPTIMIZERS, SCHEDULES

NAMED = {
    "loss.name": ("training/losses.py:LOSSES", LOSSES),
    "optim.name": ("training/optim.py:OPTIMIZERS", OPTIMIZERS),
    "schedule.name": ("training/optim.py:SCHEDULES", SCHEDULES),
    "evaluation.threshold_rule": ("evaluation/thresholds.py:RULES", RULES),
}


@pytest.mark.parametrize("path", NAMED)
def test_what_core_reads_is_what_is_registered(path):
    place, registry = NAMED[path]
    assert registered(place) == tuple(registry)
    for name in registry:
        assert Recipe().with_values({path: name}).get(path) == name


@pytest.mark.parametrize("path", NAMED)
def test_an_unknown_name_is_met_with_the_nearest(path):
    name = next(iter(NAMED[path][1]))
    wrong = name[:-1] + name[-1] * 2
    found = rf"^{path}: should be .*, not '{wrong}' \(did you mean '{name}'\?\)$"
    with pytest.raises(HarnessError, match=found):
        Recipe().with_values({path: wrong})


def test_samplers_are_those_of_a_space():
    assert registered("search/samplers.py:SAMPLERS") == tuple(SAMPLERS)
    for name in SAMPLERS:
        assert SearchSettings(sampler=name).sampler == name
    with pytest.raises(HarnessError, match=r"sampler: should be .*did you mean 'random'"):
        SearchSpace.load("dannynet").with_search({"sampler": "randon"})


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_it_looks_for(name):
    aim = RULES[name].aim
    assert aim
    assert aim == aim.strip().removesuffix(".")


def test_the_default_split_is_registered():
    assert Recipe().data.split in SPLITS


def test_kept_metrics_are_those_that_are_tested():
    kept = get_args(TrainRecipe.model_fields["keep"].annotation)
    assert set(kept) == {"val/auroc_macro", "val/loss"}
