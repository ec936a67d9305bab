"""What a benchmark says before it runs. The rest of it is in `tests/test_jobs.py`."""

import pytest

from harness.benchmark.plan import BenchmarkPlan
from harness.jobs.benchmark import note_on_published


@pytest.mark.parametrize(
    ("reproduce", "is_synthetic", "note"),
    [
        ("dannynet", True, "--reproduce dannynet: nothing published is shown beside synthetic"),
        ("dannynet", False, ""),
        (None, True, ""),
    ],
)
def test_a_published_row_that_is_left_out_is_told(reproduce, is_synthetic, note):
    plan = BenchmarkPlan(name="few", searches=("dannynet",)).with_options(reproduce=reproduce)
    told = note_on_published(plan, is_synthetic=is_synthetic)
    assert told.startswith(note)
    assert bool(told) == bool(note)
