"""What `evaluate` refuses. The rest of it is in `tests/api/test_comparisons.py`."""

import pytest

from harness.benchmark.plan import StatisticsPlan
from harness.core.errors import HarnessError
from harness.jobs.evaluate import Evaluated, evaluate
from tests.benchmark.conftest import PLAN, make_lab


def test_the_folder_of_a_benchmark_is_left_alone(tmp_path):
    lab = make_lab(tmp_path)
    lab.compare(PLAN)
    folder = lab.results / PLAN.name
    before = (folder / "comparison.json").read_bytes()
    asked = Evaluated(predictions={"theirs": tmp_path / "none.csv"}, labels=tmp_path / "none.csv")
    with pytest.raises(HarnessError, match="holds a benchmark, which would be lost"):
        evaluate(asked, out=folder, statistics=StatisticsPlan())
    assert (folder / "comparison.json").read_bytes() == before
