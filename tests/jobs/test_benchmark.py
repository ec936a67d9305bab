"""What a benchmark says and writes before it runs. The rest of it is in `tests/test_jobs.py`."""

import pytest

from harness.benchmark.comparison import COMPARISON_FILE
from harness.benchmark.contestants import contestants
from harness.benchmark.plan import BenchmarkPlan
from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.core.looks import read_looks
from harness.data.splits import make_split
from harness.jobs.benchmark import Entered, _write_comparison, note_on_published


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


def test_looks_are_recorded_before_the_comparison_stands(toy_store, tmp_path, monkeypatch):
    """A comparison that stands is not written again, nor what belongs to it."""
    plan = BenchmarkPlan(name="duel", recipes=("chexnet",))
    rows = contestants(plan, tmp_path)
    table = toy_store.table.iloc[make_split(toy_store, rows[0].recipe.data.split).test]
    scores = table[["image", *FINDINGS]].astype(dict.fromkeys(FINDINGS, float))
    scores.to_csv(tmp_path / "theirs.csv", index=False)
    entered = Entered(predictions={"theirs": tmp_path / "theirs.csv"})
    folder = tmp_path / "duel"

    def write() -> None:
        _write_comparison(plan, rows, toy_store, folder=folder, entered=entered)

    def is_held(*_: object) -> None:
        raise HarnessError("in use")

    with monkeypatch.context() as patch:
        patch.setattr("harness.jobs.benchmark.record_looks", is_held)
        with pytest.raises(HarnessError, match="in use"):
            write()
    write()
    assert [look.run for look in read_looks(tmp_path)] == ["theirs"]
    assert (folder / COMPARISON_FILE).exists()
