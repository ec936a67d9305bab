from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.recipe import Recipe
from harness.core.records import (
    EarlyReport,
    EpochReport,
    Evaluation,
    FailureReason,
    FindingMetrics,
    Outcome,
    Provenance,
    RunRecord,
    Status,
)
from harness.core.run_dir import RunDirectory

PROVENANCE = Provenance(
    git_commit="0" * 40, git_dirty=None, versions={"torch": "2.6"}, device="cpu",
    split="official", split_sha256="a", store_source="phantom", labels_sha256="b",
)  # fmt: skip
EVALUATION = Evaluation(
    part="val", threshold_rule="f1", num_images=4, num_patients=2,
    findings={"Mass": FindingMetrics(num_positives=0, num_images=4)},
    macro={"auroc": None}, left_out=("Mass",),
)  # fmt: skip
RECORD = RunRecord(
    run_id=Recipe().run_id, recipe=Recipe(), provenance=PROVENANCE, best_epoch=2, num_epochs=3,
    duration_s=1.5, metrics={"best/auroc_macro": 0.7}, val=EVALUATION,
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "t0007-3fa2c1")


def report(epoch: int) -> EpochReport:
    return EpochReport(epoch=epoch, metrics={"val/loss": 1 / epoch})


def test_an_empty_folder_is_a_queued_run(run) -> None:
    assert run.status.outcome is Outcome.QUEUED
    assert run.epochs == []
    absent = (run.recipe, run.provenance, run.record, run.thresholds, run.test_evaluation)
    assert absent == (None,) * 5
    assert run.predictions("val") is None
    assert not run.path.exists()


def test_everything_is_read_as_it_was_written(run) -> None:
    status = Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED, message="nan")
    run.set_status(status)
    run.write_recipe(Recipe(seed=3))
    run.write_provenance(PROVENANCE)
    run.write_record(RECORD)
    run.write_test_evaluation(EVALUATION)
    run.write_thresholds("f1", {"Mass": 0.25, "Hernia": None})
    assert run.status == status
    assert str(run.status) == "failed: diverged"
    assert run.recipe == Recipe(seed=3)
    assert run.provenance == PROVENANCE
    assert run.record == RECORD
    assert run.test_evaluation == EVALUATION
    assert run.thresholds == {"Mass": 0.25, "Hernia": None}


def test_files_have_the_names_that_the_design_gives_them(run) -> None:
    run.set_status(Status(outcome=Outcome.RUNNING))
    run.write_recipe(Recipe())
    run.write_provenance(PROVENANCE)
    run.write_record(RECORD)
    run.write_thresholds("f1", {})
    run.write_test_evaluation(EVALUATION)
    run.write_store(Path("/data/stores/nih-256"))
    run.append_epoch(report(1))
    assert {path.name for path in run.path.iterdir()} == {
        "status.json", "recipe.json", "provenance.json", "record.json", "thresholds.json",
        "test.json", "store.json", "metrics.jsonl",
    }  # fmt: skip
    assert run.checkpoint.name == "last.ckpt"
    assert run.best_weights.name == "best.safetensors"
    assert run.predictions_file("test").name == "predictions_test.npz"


def test_predictions_of_each_part(run) -> None:
    names = np.array(["a", "b"])
    scores = np.zeros((2, 1), np.float32)
    made = Predictions(scores, scores > 0, scores == 0, names, names, ("Mass",))
    made.save(run.predictions_file("val"))
    read = run.predictions("val")
    assert read is not None
    assert read.findings == ("Mass",)
    assert run.predictions("test") is None


def test_a_resumed_run_drops_the_epochs_that_its_checkpoint_does_not_know(run) -> None:
    run.set_status(Status(outcome=Outcome.RUNNING))
    for epoch in (1, 2, 3):
        run.append_epoch(report(epoch))
    with (run.path / "metrics.jsonl").open("a") as lines:
        lines.write('{"epoch": 4, "met')  # the crash
    run.keep_epochs(2)
    run.append_epoch(report(3))
    assert run.epochs == [report(1), report(2), report(3)]
    run.keep_epochs(0)
    assert run.epochs == []


def test_what_is_told_within_an_epoch_stays_as_it_was_told_first(run) -> None:
    assert run.early == []
    first = EarlyReport(epoch=0.5, score=0.6)
    run.add_early(first)
    run.add_early(EarlyReport(epoch=0.5, score=0.7))
    second = EarlyReport(epoch=1.5, score=0.8)
    run.add_early(second)
    assert run.early == [first, second]


def test_a_completed_run_needs_its_checkpoint_no_more(run) -> None:
    run.set_status(Status(outcome=Outcome.RUNNING))
    for _ in range(2):
        run.checkpoint.write_bytes(b"x")
        run.complete()
        assert run.status.outcome is Outcome.COMPLETED
        assert not run.checkpoint.exists()
        run.complete()


def test_a_state_is_written_over_in_place(run) -> None:
    run.set_status(Status(outcome=Outcome.RUNNING))
    lost = Status(outcome=Outcome.FAILED, reason=FailureReason.DISK, message="full")
    run.overwrite_status(lost)
    assert run.status == lost


def test_paths_must_be_absolute() -> None:
    with pytest.raises(AssertionError):
        RunDirectory(Path("runs/t0001"))


def test_a_record_holds_nothing_of_the_test_set() -> None:
    assert "test" not in " ".join(RunRecord.model_fields)
    assert RECORD.val.part == "val"


def test_an_epoch_counts_from_one() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        EpochReport(epoch=0, metrics={})


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("status.json", lambda run: run.status),
        ("recipe.json", lambda run: run.recipe),
        ("provenance.json", lambda run: run.provenance),
        ("record.json", lambda run: run.record),
        ("memory.json", lambda run: run.memory),
        ("metrics.jsonl", lambda run: run.epochs),
        ("thresholds.json", lambda run: run.thresholds),
        ("test.json", lambda run: run.test_evaluation),
        ("store.json", lambda run: run.store),
    ],
)
@pytest.mark.parametrize("content", [b'{"outcome": ', b'"words"\n', b'{"seeds": 1}\n', b"\xff\n"])
def test_a_damaged_file_is_named_in_one_line(run, name, read, content) -> None:
    run.path.mkdir()
    (run.path / name).write_bytes(content)
    if (name, content[-1:]) == ("metrics.jsonl", b" "):
        return  # a line that a crash cut off is none
    with pytest.raises(HarnessError) as caught:
        read(run)
    message = str(caught.value)
    assert message.startswith(f"{run.path / name}: damaged or changed by hand (")
    assert "\n" not in message


def test_a_damaged_file_says_where_it_is_wrong(run) -> None:
    run.write_record(RECORD)
    path = run.path / "record.json"
    path.write_text(path.read_text().replace('"best_epoch": 2', '"best_epoch": "two"'))
    with pytest.raises(HarnessError, match=r"record.json: damaged .*\(best_epoch: .* integer"):
        _ = run.record
