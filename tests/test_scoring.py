"""Test parts are scored once, by what a run has frozen, and every look is written down."""

import shutil
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.core.looks import read_looks
from harness.core.machine import Machine
from harness.core.run_dir import RunDirectory
from harness.data.splits import make_split
from harness.evaluation.evaluate import evaluate
from harness.scoring import score_test


class StopError(Exception):
    """The end of a process, as far as a test can bring it about within its own."""


def test_test_is_scored_once_with_the_frozen_thresholds(toy_run, toy_machine, toy_store, tmp_path):
    shutil.copytree(toy_run.path, tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    evaluation = score_test(toy_machine, run.path)
    predictions = run.predictions("test")
    split = make_split(toy_store, "official")
    assert list(predictions.image_ids) == list(toy_store.table["image"].iloc[split.test])
    assert evaluation == evaluate(
        predictions, thresholds=run.thresholds, rule="f1_shrunk", part="test"
    )
    assert evaluation.part == "test"
    before = run.predictions_file("test").stat().st_mtime_ns
    assert score_test(toy_machine, run.path) == evaluation
    assert run.predictions_file("test").stat().st_mtime_ns == before


def test_test_stays_shut_before_the_run_has_finished(toy_machine, tmp_path):
    with pytest.raises(HarnessError, match="not a finished run"):
        score_test(toy_machine, Path(tmp_path))
    assert read_looks(tmp_path) == ()


@pytest.fixture
def scorable(toy_run, tmp_path):
    """A finished run of its own."""
    shutil.copytree(toy_run.path, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def test_each_look_at_test_is_written_down_once(scorable, toy_machine):
    score_test(toy_machine, scorable.path)
    score_test(toy_machine, scorable.path)
    (look,) = read_looks(scorable.path)
    record = scorable.record
    assert (look.run, look.run_id) == ("run", record.run_id)
    assert look.thresholds_sha256 == sha256_of_file(scorable.thresholds_file)
    assert look.split_sha256 == record.provenance.split_sha256


def test_the_look_stands_before_the_first_test_label_is_read(scorable, toy_store, tmp_path):
    """The table of labels is taken away at that moment: it had not been opened yet."""
    machine = Machine(store=tmp_path / "store", device="cpu")
    shutil.copytree(toy_store.path, machine.store)
    looks = []

    def take_the_labels(look):
        looks.append(look)
        assert read_looks(scorable.path) == (look,)
        (machine.store / "table.parquet").unlink()

    with pytest.raises(HarnessError, match=r"table\.parquet is not there"):
        score_test(machine, scorable.path, take_the_labels)
    assert read_looks(scorable.path) == tuple(looks)
    assert scorable.test_evaluation is None
    assert not scorable.predictions_file("test").exists()


def test_a_look_that_a_crash_cut_short_survives_and_is_not_counted_twice(scorable, toy_machine):
    def crash(look):
        raise StopError

    with pytest.raises(StopError):
        score_test(toy_machine, scorable.path, crash)
    cut_short = read_looks(scorable.path)
    assert len(cut_short) == 1
    assert score_test(toy_machine, scorable.path) == scorable.test_evaluation
    assert read_looks(scorable.path) == cut_short


def test_the_test_part_of_another_split_stays_shut(scorable, toy_machine):
    record = scorable.record
    provenance = record.provenance.model_copy(update={"split_sha256": "f" * 64})
    scorable.write_record(record.model_copy(update={"provenance": provenance}))
    with pytest.raises(HarnessError, match=r"trained on the split ffffffffffff, and 'official' is"):
        score_test(toy_machine, scorable.path)
    assert read_looks(scorable.path) == ()
