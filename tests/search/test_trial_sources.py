"""Several searches as one source of trials, within one budget."""

import pytest

from harness.core.records import Outcome
from harness.search.budget import Budget
from harness.search.trial_source import TrialSource
from harness.search.trial_sources import TrialSources
from tests.search.clerk import plan_of


def test_searches_side_by_side_get_on_alike(tmp_path):
    sources = [
        TrialSource(plan_of(tmp_path, name="a", num_trials=4), tmp_path / "a"),
        TrialSource(plan_of(tmp_path, name="b", num_trials=2), tmp_path / "b"),
    ]
    both = TrialSources(sources, Budget())
    order = []
    while run := both.next_run():
        order.append(run.group)
    assert order == ["a", "b", "a", "a", "b", "a"]


@pytest.mark.parametrize("budget", [Budget(hours=0.0), Budget(gpu_hours=0.0)])
def test_a_spent_budget_cuts_short_what_runs_and_begins_nothing(tmp_path, budget):
    source = TrialSource(plan_of(tmp_path), tmp_path)
    run = source.next_run()
    sources = TrialSources([source], budget)
    assert sources.next_run() is None
    assert sources.end_now(run).outcome is Outcome.PREEMPTED
