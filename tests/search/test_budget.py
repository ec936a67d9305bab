"""When time is up, and in which words."""

import time

import pytest

from harness.search.budget import Budget


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(), ""),
        (Budget(hours=2, started_s=time.monotonic() - 7000), ""),
        (
            Budget(hours=2, started_s=time.monotonic() - 7201),
            "the 2 hours given by --hours are over",
        ),
        (Budget(gpu_hours=0.6), ""),
        (Budget(gpu_hours=0.5), "the 0.5 GPU-hours given by --gpu-hours are used up"),
    ],
)
def test_half_an_hour_of_a_gpu_was_used(budget, said):
    assert budget.spent(lambda: 1800.0) == said
