from statistics import stdev

import numpy as np
import pytest

from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.table import Cell, ComparisonTable
from harness.core.records import METRICS, FailureReason, Outcome, Status
from tests.benchmark.conftest import Lab, make_evaluation


def reasons(table: ComparisonTable) -> dict[str, str]:
    return {problem.where: problem.reason for problem in table.problems}


def test_a_cell_is_mean_and_sample_sd() -> None:
    cell = Cell.of([0.2, None, 0.4])
    assert cell is not None
    assert cell.mean == pytest.approx(0.3)
    assert cell.sd == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert cell.values == (0.2, 0.4)


def test_a_cell_of_one_seed_has_no_sd_and_of_none_is_a_gap() -> None:
    one = Cell.of([0.5])
    assert one is not None
    assert one.sd is None
    assert Cell.of([None, None]) is None
    assert Cell.of([]) is None


def test_figures_are_means_over_the_test_evaluations(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    table = scored_lab.table(plan)
    # alpha tuned, alpha published, beta default: seed 0 of each, then seed 1
    tests = [make_evaluation(10 + k, "test", signal=2.0, without="Hernia") for k in (0, 3)]
    for metric in METRICS:
        values = [test.macro[metric] for test in tests]
        cell = table.rows[0].macro[metric]
        assert cell is not None
        assert cell.mean == pytest.approx(sum(values) / 2)
        assert cell.sd == pytest.approx(stdev(values))
        per_finding = table.rows[0].findings["Mass"][metric]
        assert per_finding is not None
        assert per_finding.values == tuple(getattr(t.findings["Mass"], metric) for t in tests)


def test_a_row_tells_search_retraining_and_test_apart(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    tuned, published, _ = scored_lab.table(plan).rows
    assert (tuned.search_score, tuned.num_trials) == (0.80, 3)
    assert tuned.val_auroc is not None
    assert tuned.val_auroc.values == pytest.approx((0.70, 0.73))
    assert tuned.num_parameters_m == pytest.approx(6.968206)
    assert (tuned.num_seeds, tuned.num_scored) == (2, 2)
    assert tuned.changes == {"optim.lr": (5e-5, 1e-4)}
    assert published.search_score == 0.70


def test_the_caption_says_what_was_measured(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    caption = scored_lab.table(plan).caption
    assert caption.is_synthetic
    assert (caption.num_images, caption.num_patients) == (60, 20)
    assert (caption.split, caption.split_sha256) == ("official", "ab" * 32)
    assert caption.labels_sha256 == "cd" * 32
    assert caption.threshold_rule == "f1"
    assert len(caption.seeds) == 2
    assert caption.commits == ("c0ffeec0ffee",)


def test_a_complete_table_lists_only_findings_without_positives(
    scored_lab: Lab, plan: BenchmarkPlan
) -> None:
    table = scored_lab.table(plan)
    assert not table.is_partial
    assert table.num_positives["Hernia"] == 0
    assert set(reasons(table)) == {"Hernia"}
    for row in table.rows:
        assert set(row.findings["Hernia"].values()) == {None}


def test_before_any_run_everything_is_a_gap_with_a_reason(lab: Lab, plan: BenchmarkPlan) -> None:
    table = lab.table(plan)
    assert table.is_partial
    assert reasons(table) == {run.name: "not run yet" for run in lab.plan_runs(plan)}
    for row in table.rows:
        assert set(row.macro.values()) == {None}
        assert row.num_scored == 0


def test_a_failed_seed_leaves_the_others(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    run = scored_lab.runs[0]
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED, message="loss nan\nx")
    run.directory.set_status(failed)
    table = scored_lab.table(plan)
    assert table.is_partial
    assert reasons(table)[run.name] == "failed: diverged (loss nan)"
    cell = table.rows[0].macro["auroc"]
    assert cell is not None
    assert len(cell.values) == 1
    assert cell.sd is None
    assert (table.rows[0].num_scored, table.rows[1].num_scored) == (1, 2)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("test.json", None, "trained, but its test part has not been scored"),
        ("record.json", None, "completed, but record.json is missing"),
        ("status.json", None, "not run yet"),
        ("test.json", "{", "cannot be read"),
        ("record.json", "{}", "cannot be read"),
    ],
)
def test_a_missing_or_broken_file_is_a_gap_and_never_an_error(
    scored_lab: Lab, plan: BenchmarkPlan, name: str, text: str | None, reason: str
) -> None:
    run = scored_lab.runs[0]
    path = run.directory.path / name
    path.unlink() if text is None else path.write_text(text)
    table = scored_lab.table(plan)
    assert table.is_partial
    assert reasons(table)[run.name].startswith(reason)


def test_a_directory_of_another_recipe_does_not_count(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    run, other = scored_lab.runs[:2]
    (run.directory.path / "record.json").write_bytes(
        (other.directory.path / "record.json").read_bytes()
    )
    assert "another recipe" in reasons(scored_lab.table(plan))[run.name]


def test_runs_on_other_splits_are_called_incomparable(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    run = scored_lab.runs[0].directory
    assert run.record is not None
    provenance = run.record.provenance.model_copy(update={"split_sha256": "ef" * 32})
    run.write_record(run.record.model_copy(update={"provenance": provenance}))
    assert "not comparable" in reasons(scored_lab.table(plan))["split"]


def test_a_winner_that_was_chosen_on_other_images_is_named(lab: Lab) -> None:
    lab.add_search("gamma", [(5e-5, 0.7)], store="6" * 64)
    table = lab.table(BenchmarkPlan(name="p", searches=("gamma",)))
    assert "another image store (66666666)" in reasons(table)["gamma (published = tuned)"]


def test_json_brings_the_same_table_back(scored_lab: Lab, plan: BenchmarkPlan) -> None:
    table = scored_lab.table(plan)
    assert ComparisonTable.model_validate_json(table.model_dump_json()) == table
