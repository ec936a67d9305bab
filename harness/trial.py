"""`run_trial`: a recipe becomes a finished run directory. The roof of the torch-only world.

Ray, the benchmark and `harness train` all call it; nothing below it knows them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.core.machine import Machine
from harness.core.memory import MemoryFloorError
from harness.core.predictions import Predictions
from harness.core.provenance import git_state, package_versions
from harness.core.recipe import Recipe
from harness.core.records import EarlyReport, EpochReport, Outcome, Provenance, RunRecord, Status
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.data.splits import Split
from harness.data.store import ImageStore
from harness.evaluation.evaluate import evaluate
from harness.evaluation.thresholds import tune_thresholds
from harness.models.seen import seen_metadata
from harness.models.zoo import Network
from harness.training.build import build
from harness.training.compiled import forget_compiled
from harness.training.course import Course
from harness.training.failures import cause_of, failures_written_to, memory_failure
from harness.training.listeners import Listeners, Watch, ignore, unwatched
from harness.training.means import Means
from harness.training.parts import (
    Parts,
    StoreRows,
    as_predictions,
    check_val_labels,
    make_batches,
    open_data,
)
from harness.training.runtime import describe_device, num_threads, resolve_device, resolve_speedups
from harness.training.thrift import Thrift, free_memory
from harness.training.trainer import Trainer

LOCK_WAIT_S = 60.0
"""How long a run waits for the process that made it before and is dying."""


def run_trial(
    recipe: Recipe,
    machine: Machine,
    run_dir: Path,
    report: Callable[[EpochReport], None] = ignore,
    *,
    watch: Watch = unwatched,
    reports_per_epoch: int = 1,
    report_early: Callable[[EarlyReport], None] = ignore,
) -> RunRecord:
    """Train, evaluate on validation and write everything into `run_dir`.

    Called again on the same folder it continues; a finished run is returned as it is. `report`
    is called after each epoch, when all of that epoch is on disk; the next one trains meanwhile,
    and what `report` raises ends the run at its next step. With more than one of
    `reports_per_epoch`, validation is scored within epochs, too, which `report_early` is told
    likewise and which changes nothing else. The test set is not touched.

    Out of memory, the run goes on from its last checkpoint at the next memory level, which
    changes its needs and not its numbers.

    Raises:
        HarnessError: The store, the split, the weights or the machine do not fit the recipe, or
            the folder holds a run of another recipe.
        LockedError: Another process trains in this folder; its status is left alone.
        DiskFullError: There is too little space.
        MemoryFloorError: There is too little memory at any level.
        DivergedError: A loss was not finite.
    """
    run = RunDirectory(run_dir)
    _check_same_recipe(run, recipe)
    if run.status.outcome is Outcome.COMPLETED and (record := run.record) is not None:
        return record
    with held(run.lock_file, wait_s=LOCK_WAIT_S):
        if (record := run.record) is not None:
            run.complete()  # the process that wrote it came no further
            return record
        with failures_written_to(run), num_threads(machine.num_threads):
            run.write_recipe(recipe)
            run.set_status(Status(outcome=Outcome.RUNNING))
            store, split = open_data(recipe, machine)
            check_val_labels(store, split)
            listeners = Listeners(
                report=report,
                report_early=report_early,
                watch=watch,
                reports_per_epoch=reports_per_epoch,
            )
            return _train(_Trial(recipe, machine, run, listeners, store, split))


def train_alone(
    recipe: Recipe,
    machine: Machine,
    run_dir: Path,
    report: Callable[[EpochReport], None] = ignore,
    *,
    watch: Watch = unwatched,
) -> RunRecord:
    """`run_trial` of a run that belongs to no search: its folder says where its store lies.

    Args:
        recipe: Is bound to the machine's store, whichever it was bound to.

    Raises:
        HarnessError: As `run_trial`, or there is no store; nothing was written then.
    """
    store = ImageStore.open(machine.store)
    recipe = recipe.with_values({"data.store": store.fingerprint})
    record = run_trial(recipe, machine, run_dir, report, watch=watch)
    RunDirectory(run_dir).write_store(store.path)  # where a bundle and maps are made from
    return record


def _check_same_recipe(run: RunDirectory, recipe: Recipe) -> None:
    before = run.recipe
    changed = before.differences(recipe) if before else {}
    if changed:
        told = "; ".join(f"{path} was {was!r}, is {now!r}" for path, (was, now) in changed.items())
        raise HarnessError(
            f"{run.path}: holds a run of another recipe: {told}; take another folder, or the same "
            "recipe to continue it"
        )


@dataclass(frozen=True)
class _Trial:
    """What `run_trial` was asked for, and the data that it opened."""

    recipe: Recipe
    machine: Machine
    run: RunDirectory
    listeners: Listeners
    store: StoreRows
    split: Split


def _train(trial: _Trial) -> RunRecord:
    """Train at the run's memory level, and at the next where it does not fit."""
    recipe, run = trial.recipe, trial.run
    while True:
        network = build(recipe, trial.machine)
        thrift = _thrift(run, network, recipe.train.batch_size)
        try:
            return _train_network(trial, network, thrift)
        except Exception as error:
            if (reason := memory_failure(error)) is None:
                raise
            why = cause_of(error)
        # Not within the clause above: its traceback holds all that was in memory.
        del network
        forget_compiled()
        free_memory()
        run.lower_memory(why, reason)


def _thrift(run: RunDirectory, network: Network, batch_size: int) -> Thrift:
    """What the run's memory level means; past the last one it stays at that, for another try."""
    memory = run.memory
    try:
        return Thrift.of(network.backbone, batch_size, memory)
    except MemoryFloorError:
        run.write_memory(memory.one_back())
        raise


def _train_network(trial: _Trial, network: Network, thrift: Thrift) -> RunRecord:
    recipe, machine, run = trial.recipe, trial.machine, trial.run
    store, split = trial.store, trial.split
    provenance = _provenance(trial, network)
    run.write_provenance(provenance)
    parts = Parts(
        train=make_batches(
            store,
            split.train,
            machine,
            batch_size=recipe.train.batch_size,
            seed=derive_seed(recipe.seed, "order"),
        ),
        val=make_batches(store, split.val, machine, batch_size=thrift.eval_batch_size),
        metadata=seen_metadata(recipe.model.weights, split, store.manifest),
    )
    means = Means(thrift, speedups=resolve_speedups(machine, run.memory.level))

    def keep_scores(score_NL: NDArray[np.float32]) -> None:
        """A run that is stopped later has the predictions of its best epoch."""
        as_predictions(score_NL, store, split.val).save(run.predictions_file("val"))

    listeners = replace(trial.listeners, keep_scores=keep_scores)
    trainer = Trainer(recipe, network, parts=parts, run=run, means=means, listeners=listeners)
    course = trainer.fit()
    assert trainer.best_score_NL is not None
    predictions = as_predictions(trainer.best_score_NL, store, split.val)
    return _finish(run, recipe, provenance, course, predictions)


def _finish(
    run: RunDirectory,
    recipe: Recipe,
    provenance: Provenance,
    course: Course,
    predictions: Predictions,
) -> RunRecord:
    """Freeze the thresholds, write the record, and only then call the run completed."""
    predictions.save(run.predictions_file("val"))
    rule = recipe.evaluation.threshold_rule
    thresholds = tune_thresholds(predictions, rule)
    run.write_thresholds(rule, thresholds)
    record = RunRecord(
        run_id=recipe.run_id,
        recipe=recipe,
        provenance=provenance,
        best_epoch=course.best_epoch,
        num_epochs=course.epoch,
        duration_s=course.duration_s,
        metrics=run.epochs[-1].metrics,
        val=evaluate(predictions, thresholds=thresholds, rule=rule, part="val"),
    )
    run.write_record(record)
    run.complete()
    return record


def _provenance(trial: _Trial, network: Network) -> Provenance:
    commit, is_dirty = git_state()
    manifest = trial.store.manifest
    return Provenance(
        git_commit=commit,
        git_dirty=is_dirty,
        versions=package_versions(),
        device=describe_device(resolve_device(trial.machine)),
        split=trial.split.name,
        split_sha256=trial.split.sha256,
        store_source=f"{manifest.source} (SYNTHETIC)" if manifest.is_synthetic else manifest.source,
        labels_sha256=manifest.labels_sha256,
        weights=network.weights_note,
        num_parameters=sum(weight.numel() for weight in network.backbone.parameters()),
        memory_level=trial.run.memory.level,
    )
