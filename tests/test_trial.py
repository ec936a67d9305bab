"""A recipe becomes a finished run directory: whole, resumed, short of something, scored once."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress

import numpy as np
import pytest
import torch

from harness.core.errors import DiskFullError, DivergedError, HarnessError
from harness.core.locks import LockedError, held, is_held
from harness.core.machine import Machine
from harness.core.memory import MemoryFloorError
from harness.core.records import FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.data.splits import make_split
from harness.data.store import StoreOrigin, write_store
from harness.evaluation.metrics import macro_auroc
from harness.scoring import score_test
from harness.training import trainer, validation
from harness.training.checkpoint import load_checkpoint, load_weights
from harness.training.compiled import forget_compiled
from harness.training.thrift import free_memory
from harness.training.validation import Validation
from harness.trial import run_trial


@pytest.fixture
def recipe(short_recipe):
    return short_recipe


@pytest.fixture
def machine(toy_machine):
    return toy_machine


@pytest.fixture
def finished(toy_run):
    return toy_run


def without_times(run: RunDirectory) -> list[dict[str, float]]:
    return [
        {name: value for name, value in report.metrics.items() if not name.startswith("time/")}
        for report in run.epochs
    ]


class StopError(Exception):
    """The end of a worker, as far as a test can bring it about within its own process."""


def stop_after_two(report):
    if report.epoch == 2:
        raise StopError


def test_a_run_learns_and_writes_all_of_it(finished, recipe, toy_store):
    record = finished.record
    assert finished.status.outcome is Outcome.COMPLETED
    assert finished.recipe == record.recipe == recipe
    assert record.run_id == recipe.run_id
    assert len(finished.epochs) == record.num_epochs == 3
    assert finished.epochs[-1].metrics["train/loss"] < finished.epochs[0].metrics["train/loss"]
    assert record.val.macro["auroc"] > 0.6
    assert record.provenance.split_sha256 == make_split(toy_store, "official").sha256
    assert not finished.checkpoint.exists()
    assert not finished.predictions_file("test").exists()


def test_the_record_is_that_of_the_kept_epoch(finished):
    record = finished.record
    kept = max(finished.epochs, key=lambda report: report.metrics["val/auroc_macro"])
    assert record.best_epoch == kept.epoch
    assert record.metrics[SCORE] == kept.metrics["val/auroc_macro"]
    assert record.val.macro["auroc"] == pytest.approx(record.metrics[SCORE])


def test_equal_recipes_give_equal_runs(finished, recipe, machine, tmp_path):
    run_trial(recipe, machine, tmp_path / "again")
    assert without_times(RunDirectory(tmp_path / "again")) == without_times(finished)


def test_another_seed_gives_another_run(finished, recipe, machine, tmp_path):
    short = recipe.with_values({"seed": 1, "train.epochs": 1})
    run_trial(short, machine, tmp_path / "other")
    assert without_times(RunDirectory(tmp_path / "other"))[0] != without_times(finished)[0]


@pytest.mark.parametrize("model", ["densenet_mini", "vit_mini"])
@pytest.mark.parametrize("epoch", [1, 2])
def test_a_resumed_run_equals_the_uninterrupted_one_to_the_bit(
    model, epoch, recipe, machine, tmp_path
):
    values = {"model.name": model, "model.drop_path": 0.2 if model == "vit_mini" else 0.0}
    values |= {"optim.layer_decay": 0.7} if model == "vit_mini" else {}
    recipe = recipe.with_values(values)
    run_trial(recipe, machine, tmp_path / "whole")

    def stop_after(report):
        if report.epoch == epoch:
            raise StopError

    with pytest.raises(StopError):
        run_trial(recipe, machine, tmp_path / "halves", stop_after)
    run_trial(recipe, machine, tmp_path / "halves")
    whole, halves = (RunDirectory(tmp_path / name) for name in ("whole", "halves"))
    assert without_times(whole) == without_times(halves)
    assert whole.best_weights.read_bytes() == halves.best_weights.read_bytes()
    assert np.array_equal(whole.predictions("val").score_NL, halves.predictions("val").score_NL)


def same_numbers(run, other):
    return (
        without_times(run) == without_times(other)
        and run.best_weights.read_bytes() == other.best_weights.read_bytes()
        and np.array_equal(run.predictions("val").score_NL, other.predictions("val").score_NL)
        and run.thresholds == other.thresholds
    )


def test_reports_within_epochs_move_no_number(finished, recipe, machine, tmp_path):
    """Batch statistics in `finished`; dropped paths, drawn while an epoch runs, in the other."""
    run, told = RunDirectory(tmp_path / "run"), []
    run_trial(
        recipe, machine, run.path, lambda report: told.append(report.epoch),
        reports_per_epoch=4, report_early=lambda report: told.append(report.epoch),
    )  # fmt: skip
    assert same_numbers(run, finished)
    assert told == [number / 4 for number in range(1, 13)]
    assert [report.epoch for report in run.early] == [x for x in told if x % 1]
    assert not (finished.path / "early.jsonl").exists()
    vit = {"model.name": "vit_mini", "model.drop_path": 0.3, "train.epochs": 2}
    for parts in (1, 3):
        changed = recipe.with_values(vit)
        run_trial(changed, machine, tmp_path / f"vit{parts}", reports_per_epoch=parts)
    assert same_numbers(RunDirectory(tmp_path / "vit1"), RunDirectory(tmp_path / "vit3"))


def test_an_early_report_is_the_score_if_the_epoch_ended_there(recipe, machine, tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        scores = iter([0.6, 0.8, 0.7, 0.75, 0.65, 0.9])
        patch.setattr(validation, "macro_auroc", lambda *args: next(scores))
        run_trial(recipe.with_values({"train.epochs": 2}), machine, run.path, reports_per_epoch=3)
    assert [report.score for report in run.early] == [0.6, 0.8, 0.75, 0.7]
    assert [report.metrics[SCORE] for report in run.epochs] == [0.7, 0.9]
    assert [report.metrics["best/epoch"] for report in run.epochs] == [1, 2]


def test_a_run_stopped_within_an_epoch_goes_on_to_the_same_numbers(
    finished, recipe, machine, tmp_path
):
    run = RunDirectory(tmp_path / "run")

    def stop(report):
        if report.epoch == 1.5:
            raise StopError

    with pytest.raises(StopError):
        run_trial(recipe, machine, run.path, reports_per_epoch=2, report_early=stop)
    before = run.early
    assert [report.epoch for report in before] == [0.5, 1.5]
    assert len(run.epochs) == 1
    run_trial(recipe, machine, run.path, reports_per_epoch=2)
    assert same_numbers(run, finished)
    assert [report.epoch for report in run.early] == [0.5, 1.5, 2.5]
    assert run.early[:2] == before


def test_a_validation_that_is_not_finite_within_an_epoch_is_not_told(
    finished, recipe, machine, tmp_path, monkeypatch
):
    validate, calls = trainer.validate, []

    def fail_first(*given, **named):
        found = validate(*given, **named)
        calls.append(found)
        return found if len(calls) > 1 else Validation({}, found.score_NL)

    monkeypatch.setattr(trainer, "validate", fail_first)
    run = RunDirectory(tmp_path / "run")
    run_trial(recipe, machine, run.path, reports_per_epoch=2)
    assert [report.epoch for report in run.early] == [1.5, 2.5]
    assert same_numbers(run, finished)


def test_a_line_that_the_checkpoint_does_not_know_is_written_once(recipe, machine, tmp_path):
    """The process dies between an epoch's line and its checkpoint."""

    with pytest.raises(StopError):
        run_trial(recipe, machine, tmp_path / "run", stop_after_two)
    metrics = tmp_path / "run" / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    extra = json.loads(lines[-1]) | {"epoch": 3}
    metrics.write_text("".join(lines) + json.dumps(extra) + "\n" + '{"epoch": 4, "metr')
    run_trial(recipe, machine, tmp_path / "run")
    assert [report.epoch for report in RunDirectory(tmp_path / "run").epochs] == [1, 2, 3]


def test_best_weights_lost_to_a_crash_come_back_from_the_checkpoint(recipe, machine, tmp_path):
    """The process dies between a checkpoint and the best weights that follow from it."""

    def stop_after_one(report):
        raise StopError

    recipe = recipe.with_values({"train.epochs": 1})
    with pytest.raises(StopError):
        run_trial(recipe, machine, tmp_path / "run", stop_after_one)
    run = RunDirectory(tmp_path / "run")
    run.best_weights.unlink()
    record = run_trial(recipe, machine, run.path)
    assert record.best_epoch == 1
    assert run.best_weights.exists()


def test_a_killed_process_is_continued(recipe, machine, tmp_path, finished):
    """kill -9 of a real process after its second epoch, and the end equals the whole run."""
    script = f"""
import os, signal, sys
from pathlib import Path
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.trial import run_trial
recipe = Recipe.model_validate_json(sys.stdin.read())
def report(epoch):
    if epoch.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
run_trial(recipe, Machine(store=Path({str(machine.store)!r}), device="cpu"),
          Path({str(tmp_path / "run")!r}), report)
"""
    process = subprocess.run(
        [sys.executable, "-c", script], input=recipe.model_dump_json(), text=True, check=False
    )
    run = RunDirectory(tmp_path / "run")
    assert process.returncode == -9
    assert run.status.outcome is Outcome.RUNNING
    run_trial(recipe, machine, run.path)
    assert without_times(run) == without_times(finished)
    assert run.best_weights.read_bytes() == finished.best_weights.read_bytes()


def test_the_next_epoch_trains_while_one_is_written(recipe, machine, tmp_path, finished):
    """A report that waits for the next epoch's end would never return if that waited for it."""
    run = RunDirectory(tmp_path / "run")
    trained = threading.Event()
    seen = []

    def watch(phase):
        if phase == "validation" and seen:
            trained.set()
        return nullcontext()

    def report(epoch):
        checkpoint = load_checkpoint(run.checkpoint, torch.device("cpu"))
        seen.append((checkpoint["course"]["epoch"], len(run.epochs), run.best_weights.exists()))
        if epoch.epoch == 1:
            assert trained.wait(60)

    run_trial(recipe, machine, run.path, report, watch=watch)
    assert seen == [(1, 1, True), (2, 2, True), (3, 3, True)]
    assert without_times(run) == without_times(finished)
    assert run.best_weights.read_bytes() == finished.best_weights.read_bytes()


@pytest.mark.parametrize("has_written", [False, True])
def test_kill_9_costs_at_most_the_epoch_that_was_being_written(
    has_written, recipe, machine, tmp_path, finished, monkeypatch
):
    """Epoch 2 trains while epoch 1 is written; all that is on disk then is taken to be the end."""
    run, copy = (RunDirectory(tmp_path / name) for name in ("run", "copy"))
    real_save, may_save = trainer.save_checkpoint, threading.Event()

    def save_late(path, state):
        assert has_written or may_save.wait(60)
        real_save(path, state)

    def watch(phase):
        if phase == "validation" and not copy.path.exists() and run.epochs:
            shutil.copytree(run.path, copy.path)
            may_save.set()
        return nullcontext()

    def report(epoch):
        if epoch.epoch == 1:
            return
        raise StopError

    monkeypatch.setattr(trainer, "save_checkpoint", save_late)
    with pytest.raises(StopError):
        run_trial(recipe, machine, run.path, report, watch=watch)
    assert has_written or not copy.checkpoint.exists()
    monkeypatch.undo()
    told = []
    run_trial(recipe, machine, copy.path, lambda report: told.append(report.epoch))
    assert told[-1] == 3
    assert told[0] <= 2
    assert without_times(copy) == without_times(finished)
    assert copy.best_weights.read_bytes() == finished.best_weights.read_bytes()


def test_a_stop_after_the_last_epoch_leaves_all_of_it(recipe, machine, tmp_path):
    """As Ray ends a run whose `max_t` are its epochs; made again, it needs no training."""

    def stop(report):
        if report.epoch == 3:
            raise SystemExit(0)

    run = RunDirectory(tmp_path / "run")
    with pytest.raises(SystemExit):
        run_trial(recipe, machine, run.path, stop)
    assert len(run.epochs) == 3
    assert not is_held(run.lock_file)
    told = []
    run_trial(recipe, machine, run.path, told.append)
    assert told == []
    assert run.status.outcome is Outcome.COMPLETED


def test_divergence_has_a_name_and_a_place(recipe, machine, tmp_path):
    wild = recipe.with_values({"optim.name": "sgd", "optim.lr": 1e18})
    with pytest.raises(DivergedError, match=r"not finite at epoch 1, step \d+, lr 1e\+18"):
        run_trial(wild, machine, tmp_path / "run")
    status = RunDirectory(tmp_path / "run").status
    assert (status.outcome, status.reason) == (Outcome.FAILED, FailureReason.DIVERGED)
    assert "epoch 1" in status.message


def test_early_stop_ends_after_the_stale_epochs(recipe, machine, tmp_path):
    still = recipe.with_values(
        {"optim.lr": 1e-12, "optim.weight_decay": 0, "train.epochs": 9, "train.keep": "val/loss",
         "train.early_stop_epochs": 2, "model.name": "vit_mini"}
    )  # fmt: skip
    record = run_trial(still, machine, tmp_path / "run")
    assert record.num_epochs - record.best_epoch == 2
    assert record.num_epochs < 9


def test_keeping_by_loss_keeps_the_epoch_of_the_lowest_loss(recipe, machine, tmp_path):
    record = run_trial(recipe.with_values({"train.keep": "val/loss"}), machine, tmp_path / "run")
    losses = [report.metrics["val/loss"] for report in RunDirectory(tmp_path / "run").epochs]
    assert record.best_epoch == 1 + int(np.argmin(losses))
    assert record.metrics["best/loss"] == min(losses)


def test_a_recipe_of_another_store_is_refused(recipe, machine, tmp_path):
    with pytest.raises(HarnessError, match="belongs to the store 0000"):
        run_trial(recipe.with_values({"data.store": "0" * 64}), machine, tmp_path / "run")
    assert RunDirectory(tmp_path / "run").status.reason is FailureReason.DATA


def test_the_kept_weights_give_the_kept_predictions(finished, machine, toy_store):
    from harness.training.build import build
    from harness.training.parts import as_predictions, make_batches
    from harness.training.predict import predict

    network = build(finished.recipe, machine)
    load_weights(finished.best_weights, network.backbone)
    split = make_split(toy_store, "official")
    logit_NL, _ = predict(network, make_batches(toy_store, split.val, machine), finished.recipe)
    again = as_predictions(torch.sigmoid(logit_NL).numpy(), toy_store, split.val)
    assert np.array_equal(again.score_NL, finished.predictions("val").score_NL)


@pytest.fixture
def other_test_store(toy_store, tmp_path):
    """The toy store with every label and every pixel of its test part turned round."""
    test = make_split(toy_store, "official").test
    images, table = np.array(toy_store.images), toy_store.table.copy()
    images[test] = 255 - images[test]
    for finding in toy_store.findings:
        table.loc[test, finding] = ~table.loc[test, finding]
    origin = StoreOrigin(**toy_store.manifest.model_dump(include=set(StoreOrigin.model_fields)))
    return write_store(tmp_path / "other", images=images, table=table, boxes=None, origin=origin)


def test_no_label_and_no_pixel_of_the_test_part_moves_a_run(
    finished, recipe, toy_store, other_test_store, tmp_path
):
    """Two stores that differ in the test part alone give the same run, to the bit."""
    machine = Machine(store=other_test_store.path, device="cpu")
    recipe = recipe.with_values({"data.store": other_test_store.fingerprint})
    run_trial(recipe, machine, tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    assert without_times(run) == without_times(finished)
    for name in ("best.safetensors", "thresholds.json", "predictions_val.npz"):
        assert (run.path / name).read_bytes() == (finished.path / name).read_bytes()
    assert run.record.val == finished.record.val
    assert {path.name for path in run.path.iterdir()} == {
        path.name for path in finished.path.iterdir()
    }
    shutil.copytree(finished.path, tmp_path / "scored")
    before = score_test(Machine(store=toy_store.path, device="cpu"), tmp_path / "scored")
    assert score_test(machine, run.path).macro["auroc"] != before.macro["auroc"]


# Shortages ----------------------------------------------------------------------------------


def test_out_of_memory_goes_on_from_the_checkpoint_with_the_same_numbers(
    finished, recipe, machine, tmp_path
):
    told = []

    def fail_once(report):
        told.append(report.epoch)
        if told == [1]:
            raise MemoryError("after the first epoch")

    record = run_trial(recipe, machine, tmp_path / "run", fail_once)
    run = RunDirectory(tmp_path / "run")
    assert told == [1, 2, 3]
    assert run.status.outcome is Outcome.COMPLETED
    assert record.provenance.memory_level == int(run.memory) == 1
    assert run.memory.shortages[0].why == "after the first epoch"
    assert without_times(run) == without_times(finished)
    assert run.best_weights.read_bytes() == finished.best_weights.read_bytes()


def test_a_run_that_its_driver_has_made_thrifty_has_the_same_numbers(
    finished, recipe, machine, tmp_path
):
    run = RunDirectory(tmp_path / "run")
    run.lower_memory("its worker was killed")
    record = run_trial(recipe, machine, run.path)
    assert record.provenance.memory_level == 1
    assert without_times(run) == without_times(finished)


def test_past_the_last_level_a_run_has_failed_and_may_be_tried_again(recipe, machine, tmp_path):
    run = RunDirectory(tmp_path / "run")
    for why in ("killed once", "killed twice"):
        run.lower_memory(why)
    with pytest.raises(MemoryFloorError, match="killed twice"):
        run_trial(recipe, machine, run.path)
    assert (run.status.outcome, run.status.reason) == (Outcome.FAILED, FailureReason.HOST_MEMORY)
    assert int(run.memory) == 1
    run_trial(recipe, machine, run.path)
    assert run.status.outcome is Outcome.COMPLETED


TIGHT = """
import resource, sys
from pathlib import Path
from harness.core.machine import Machine
from harness.core.recipe import Recipe
from harness.trial import run_trial

store, folder = map(Path, sys.argv[1:])
machine = Machine(store=store, device="cpu")
recipe = Recipe.model_validate_json(sys.stdin.read())

def run(name, **values):
    values = {path.replace("__", "."): value for path, value in values.items()}
    run_trial(recipe.with_values(values), machine, folder / name)

def leave(num_mb):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + num_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, -1))

small = {"data__resize_px": 128, "data__input_px": 128, "train__batch_size": 8}
run("warm", **small)  # all of the code is loaded
leave(50)
try:
    run("floor")
except Exception as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
run("warm_vit", **small, model__name="test_vit")
leave(180)
run("fits", model__name="test_vit")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a limit of the address space")
def test_a_process_that_is_short_of_memory_trains_what_can_be_trained(recipe, machine, tmp_path):
    """A real limit: pieces of the batch fit into what is left, and recomputing alone does not.

    What is freed goes back to the system at once (mallopt(3)), else the heap's holes decide.
    """
    large = {"data.resize_px": 128, "data.input_px": 128, "train.batch_size": 192}
    recipe = recipe.with_values(large | {"train.epochs": 1})
    process = subprocess.run(
        [sys.executable, "-c", TIGHT, str(machine.store), str(tmp_path)],
        input=recipe.model_dump_json(), text=True, capture_output=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "100000"},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    fits, floor = (RunDirectory(tmp_path / name) for name in ("fits", "floor"))
    assert fits.status.outcome is Outcome.COMPLETED
    assert fits.record.provenance.memory_level == int(fits.memory) >= 1
    assert "can't allocate memory" in fits.memory.shortages[0].why
    assert (floor.status.outcome, floor.status.reason) == (
        Outcome.FAILED, FailureReason.HOST_MEMORY
    )  # fmt: skip
    assert "recomputed instead of kept" in floor.status.message
    assert "smaller train.batch_size" in process.stdout


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_gpu_that_is_short_of_memory_trains_what_can_be_trained(recipe, toy_store, tmp_path):
    """As above, on a GPU of which this process may use a small part."""
    machine = Machine(store=toy_store.path, device="cuda")
    large = {"data.resize_px": 224, "data.input_px": 224, "train.batch_size": 192}
    recipe = recipe.with_values(large | {"train.epochs": 1, "model.name": "test_vit"})
    run_trial(recipe.with_values({"train.batch_size": 4}), machine, tmp_path / "warm")
    _, total = torch.cuda.mem_get_info()
    # Into 8 MB no batch fits as it is shown, which takes over 30 MB whatever the memory level.
    for name, num_mb in (("fits", 300), ("floor", 8)):
        forget_compiled()
        free_memory()  # what an earlier run has left would be there to be used, limit or not
        limit = (torch.cuda.memory_allocated() + num_mb * 2**20) / total
        torch.cuda.set_per_process_memory_fraction(limit)
        try:
            with suppress(MemoryFloorError, torch.OutOfMemoryError):  # the latter for the weights
                run_trial(recipe, machine, tmp_path / name)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
    fits, floor = (RunDirectory(tmp_path / name) for name in ("fits", "floor"))
    assert fits.status.outcome is Outcome.COMPLETED
    assert fits.record.provenance.memory_level >= 1
    assert floor.status.reason is FailureReason.OUT_OF_MEMORY


def test_a_disk_on_which_a_run_could_not_end_is_refused_at_once(recipe, machine, make_disk):
    run = RunDirectory(make_disk(8) / "run")
    with pytest.raises(DiskFullError, match=r"last\.ckpt: .* to stay free"):
        run_trial(recipe, machine, run.path)
    assert (run.status.outcome, run.status.reason) == (Outcome.FAILED, FailureReason.DISK)
    assert run.epochs == []


def test_a_run_goes_on_once_there_is_space_again(
    finished, recipe, machine, make_disk, fill_disk
):  # fmt: skip
    disk = make_disk(24)
    run = RunDirectory(disk / "run")

    def fill(report):
        if report.epoch == 1:
            fill_disk(disk)

    with pytest.raises(DiskFullError):
        run_trial(recipe, machine, run.path, fill)
    assert (run.status.outcome, run.status.reason) == (Outcome.FAILED, FailureReason.DISK)
    (disk / "filler").unlink()
    run_trial(recipe, machine, run.path)
    assert run.status.outcome is Outcome.COMPLETED
    assert without_times(run) == without_times(finished)
    assert run.best_weights.read_bytes() == finished.best_weights.read_bytes()


def test_a_folder_is_trained_in_by_one_process_at_a_time(recipe, machine, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.trial.LOCK_WAIT_S", 0.2)
    run = RunDirectory(tmp_path / "run")
    with held(run.lock_file), pytest.raises(LockedError, match=f"in use by process {os.getpid()}"):
        run_trial(recipe, machine, run.path)
    assert run.status.outcome is Outcome.QUEUED
    assert run.epochs == []


def test_a_run_holds_its_lock_as_long_as_it_trains(recipe, machine, tmp_path):
    run = RunDirectory(tmp_path / "run")
    seen = []
    run_trial(
        recipe.with_values({"train.epochs": 1}), machine, run.path,
        lambda report: seen.append(is_held(run.lock_file)),
    )  # fmt: skip
    assert seen == [True]
    assert not is_held(run.lock_file)


def test_a_run_that_is_stopped_has_the_predictions_of_its_best_epoch(recipe, machine, tmp_path):
    with pytest.raises(StopError):
        run_trial(recipe, machine, tmp_path / "run", stop_after_two)
    run = RunDirectory(tmp_path / "run")
    predictions = run.predictions("val")
    score = macro_auroc(predictions.score_NL, predictions.label_NL)
    assert score == run.epochs[-1].metrics[SCORE]
    assert score == max(report.metrics["val/auroc_macro"] for report in run.epochs)


def test_a_run_that_died_between_its_record_and_its_status_is_completed(
    finished, recipe, machine, tmp_path
):
    shutil.copytree(finished.path, tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    run.set_status(Status(outcome=Outcome.RUNNING))
    run.checkpoint.write_bytes(b"left over")
    assert run_trial(recipe, machine, run.path) == finished.record
    assert run.status.outcome is Outcome.COMPLETED
    assert not run.checkpoint.exists()
