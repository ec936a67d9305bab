import os
import shutil
from pathlib import Path

import pytest

from harness.benchmark.forms import read_results
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.report import is_current, write_report
from harness.core.errors import HarnessError
from tests.benchmark.conftest import PLAN, Lab, make_lab, score_all


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The scored lab, its comparison and its report."""
    lab = score_all(make_lab(tmp_path_factory.mktemp("report")), PLAN)
    lab.compare(PLAN)
    write_report(lab.results / PLAN.name)
    return lab


def test_every_form_is_written_and_tells_the_same(reported: Lab) -> None:
    folder = reported.results / PLAN.name
    results = read_results(folder / "results.json")
    assert results == reported.compare(PLAN)
    for name in ("report.html", "table.md", "table.csv", "table.tex", "methods.md", "claim.md"):
        assert (folder / name).stat().st_size > 0
    assert {path.suffix for path in (folder / "figures").iterdir()} == {".png", ".svg", ".pdf"}


@pytest.mark.parametrize("part", ["comparison.json", "cases.parquet", "runs/*/test.json", "runs/*"])
def test_a_report_is_made_anew_when_what_it_is_made_of_changes(reported: Lab, part: str) -> None:
    folder = reported.results / PLAN.name
    written_ns = (folder / "results.json").stat().st_mtime_ns
    for path in (*folder.glob("*.*"), *folder.glob("runs/*"), *folder.glob("runs/*/*")):
        os.utime(path, ns=(written_ns, written_ns))
    (folder / "runs" / "lock").touch()  # held anew by each call
    assert is_current(folder)
    os.utime(next(folder.glob(part)), ns=(written_ns + 1, written_ns + 1))
    assert not is_current(folder)


def test_without_a_report_there_is_none_to_keep(lab: Lab, plan: BenchmarkPlan) -> None:
    lab.compare(plan)
    assert not is_current(lab.results / plan.name)


def test_a_report_whose_runs_were_left_behind_is_not_emptied(reported: Lab, tmp_path: Path) -> None:
    copied = tmp_path / PLAN.name
    shutil.copytree(reported.results / PLAN.name, copied)
    before = {path.name: path.read_bytes() for path in copied.glob("*.*")}
    lost = sorted(path.name for path in (copied / "runs").iterdir() if path.is_dir())[0]
    shutil.rmtree(copied / "runs" / lost)
    with pytest.raises(HarnessError, match=rf"1 final runs .* runs/{lost}, .* results\.json"):
        write_report(copied)
    assert {path.name: path.read_bytes() for path in copied.glob("*.*")} == before
    (copied / "results.json").unlink()
    assert write_report(copied)[0].is_partial
