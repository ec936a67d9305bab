"""When time is up, and in which words."""

import time

import pytest

from harness.search.budget import Budget


@pytest.mark.parametrize(
    ("limits", "seconds_ago", "said"),
    [
        ({}, 7201, ""),
        ({"hours": 2}, 7000, ""),
        ({"hours": 2}, 7201, "the 2 hours given by --hours are over"),
        ({"gpu_hours": 0.6}, 0, ""),
        ({"gpu_hours": 0.5}, 0, "the 0.5 GPU-hours given by --gpu-hours are used up"),
    ],
)
def test_half_an_hour_of_a_gpu_was_used(limits, seconds_ago, said):
    budget = Budget(**limits, started_s=time.monotonic() - seconds_ago)
    assert budget.spent(lambda: 1800.0) == said
