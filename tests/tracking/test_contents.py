import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.recipe import recipe_paths
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run import Run
from harness.tracking import contents


def test_parameters_are_all_dotted_paths_of_the_recipe(make_run: Callable[..., Run]) -> None:
    params = contents.params_of(make_run(lr=3e-4).recipe)
    assert list(params) == recipe_paths()
    assert params["optim.lr"] == "0.0003"
    assert params["data.split"] == "official"


def test_the_tags_of_a_run_are_flat(make_run: Callable[..., Run]) -> None:
    run = make_run("t0003-abcdef", lr=3e-4)
    tags = contents.tags_of(run)
    assert tags["harness.group"] == "dannynet"
    assert tags["harness.kind"] == "trial"
    assert tags["harness.run"] == "t0003-abcdef"
    assert tags["harness.run_id"] == run.recipe.run_id
    assert json.loads(tags["harness.values"]) == {"optim.lr": 3e-4}


def test_a_status_replaces_the_reason_of_the_one_before() -> None:
    failed = Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED, message="loss is nan")
    assert contents.status_tags(failed) == {
        "harness.outcome": "failed",
        "harness.reason": "diverged",
        "harness.message": "loss is nan",
    }
    assert contents.status_tags(Status(outcome=Outcome.RUNNING))["harness.reason"] == ""


def test_every_outcome_that_ends_a_run_has_a_status_of_mlflow() -> None:
    assert set(Outcome) - set(contents.TERMINAL) == {Outcome.QUEUED, Outcome.RUNNING}


def test_only_finite_values_are_metrics() -> None:
    assert contents.finite({"a": 1.0, "b": math.nan, "c": math.inf, "d": None}) == {"a": 1.0}


def test_final_metrics_are_those_of_each_finding_and_leave_the_curves_alone(
    make_run: Callable[..., Run], train: Callable[..., Status]
) -> None:
    run = make_run()
    train(run, (0.6, 0.7))
    record = run.directory.record
    assert record is not None
    metrics = contents.final_metrics(record, curves={"best/auroc_macro"})
    assert "best/auroc_macro" not in metrics
    assert metrics["best/epoch"] == 2
    assert metrics["val/auroc/Cardiomegaly"] == record.val.findings["Cardiomegaly"].auroc
    assert "val/threshold/Cardiomegaly" not in metrics  # it is in the record
    assert metrics["best/f1_macro"] == record.val.macro["f1"]
    assert not any("Hernia" in name for name in metrics)


def test_artifacts_are_small_files_and_never_the_weights(
    make_run: Callable[..., Run], train: Callable[..., Status], tmp_path: Path
) -> None:
    run = make_run()
    train(run, (0.6, 0.7), with_predictions=True)
    folder = tmp_path / "staged"
    folder.mkdir()
    contents.stage_artifacts(run, folder)
    staged = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert staged == {"recipe.json", "record.json", "thresholds.json"}


def test_a_run_without_results_stages_what_it_has(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run()
    folder = tmp_path / "staged"
    folder.mkdir()
    contents.stage_artifacts(run, folder)
    assert {path.name for path in folder.iterdir()} == {"recipe.json"}
    assert not contents.stage_figures(run, folder)


def test_the_leaderboard_is_a_table_for_mlflow_and_for_a_spreadsheet(tmp_path: Path) -> None:
    contents.write_leaderboard(tmp_path, [{"run": "a", "score": 0.5}, {"run": "b", "lr": math.nan}])
    assert json.loads((tmp_path / "leaderboard.json").read_text()) == {
        "columns": ["run", "score", "lr"],
        "data": [["a", 0.5, None], ["b", None, None]],
    }
    assert (tmp_path / "leaderboard.csv").read_text().split() == ["run,score,lr", "a,0.5,", "b,,"]


@pytest.mark.parametrize("group", ["dannynet", "ann's"])
def test_a_filter_quotes_the_name(group: str) -> None:
    assert contents.group_filter(group).strip("'\"").endswith(group)
