"""`run_trial`: a recipe becomes a finished run directory. The roof of the torch-only world.

Ray, the benchmark and `harness train` all call it; nothing below it knows them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from harness.core.errors import DivergedError, HarnessError
from harness.core.findings import FINDINGS
from harness.core.machine import Machine
from harness.core.predictions import Predictions
from harness.core.provenance import git_state, package_versions
from harness.core.recipe import Recipe
from harness.core.records import (
    EpochReport,
    Evaluation,
    FailureReason,
    Outcome,
    Provenance,
    RunRecord,
    Status,
)
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.data.batches import Batches
from harness.data.splits import Split, make_split
from harness.data.store import ImageStore
from harness.evaluation.evaluate import evaluate
from harness.evaluation.thresholds import tune_thresholds
from harness.models.zoo import Network, build_network
from harness.training.checkpoint import load_weights
from harness.training.runtime import describe_device, num_threads, resolve_device
from harness.training.trainer import EVAL_BATCH_SIZE, Progress, Trainer, predict


def ignore(report: EpochReport) -> None:
    """A `report` for those who do not listen."""


def run_trial(
    recipe: Recipe,
    machine: Machine,
    run_dir: Path,
    report: Callable[[EpochReport], None] = ignore,
) -> RunRecord:
    """Train, evaluate on validation and write everything into `run_dir`.

    Called again on the same folder it continues; a finished run is returned as it is. `report`
    is called after each epoch, when all of that epoch is on disk. The test set is not touched.

    Raises:
        HarnessError: The store, the split, the weights or the machine do not fit the recipe, or
            the folder holds a run of another recipe.
        DivergedError: A loss was not finite.
    """
    run = RunDirectory(run_dir)
    _check_same_recipe(run, recipe)
    if (record := run.record) is not None:
        return record
    run.path.mkdir(parents=True, exist_ok=True)
    run.write_recipe(recipe)
    run.set_status(Status(outcome=Outcome.RUNNING))
    with _failures_written_to(run), num_threads(machine.num_threads):
        return _train(recipe, machine, run, report)


def _check_same_recipe(run: RunDirectory, recipe: Recipe) -> None:
    before = run.recipe
    changed = before.differences(recipe) if before else {}
    if changed:
        told = "; ".join(f"{path} was {was!r}, is {now!r}" for path, (was, now) in changed.items())
        raise HarnessError(
            f"{run.path}: holds a run of another recipe: {told}; take another folder, or the same "
            "recipe to continue it"
        )


@contextmanager
def _failures_written_to(run: RunDirectory) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        reason, message = name_failure(error)
        run.set_status(Status(outcome=Outcome.FAILED, reason=reason, message=message))
        raise


def name_failure(error: Exception) -> tuple[FailureReason, str]:
    """The reason and the one-line message under which an error is recorded."""
    reasons: dict[type[Exception], FailureReason] = {
        DivergedError: FailureReason.DIVERGED,
        torch.OutOfMemoryError: FailureReason.OUT_OF_MEMORY,
        MemoryError: FailureReason.HOST_MEMORY,
        HarnessError: FailureReason.DATA,
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason, str(error)
    return FailureReason.CODE, f"{type(error).__name__}: {error}"


def score_test(machine: Machine, run_dir: Path) -> Evaluation:
    """Score the test set with the weights and thresholds that a finished run has frozen.

    The test set is looked at once: called again, this returns what was found then.

    Raises:
        HarnessError: The run is not finished, or the store is another one.
    """
    run = RunDirectory(run_dir)
    if (evaluation := run.test_evaluation) is not None:
        return evaluation
    recipe, thresholds = run.recipe, run.thresholds
    if recipe is None or thresholds is None or run.record is None:
        raise HarnessError(f"{run_dir}: not a finished run, so its test set stays shut")
    with _failures_written_to(run), num_threads(machine.num_threads):
        store, split = open_data(recipe, machine)
        # Every weight is in the run's own file, so none is fetched.
        network = build(recipe.with_values({"model.weights": "none"}), machine)
        load_weights(run.best_weights, network.backbone)
        batches = make_batches(store, split.test, machine)
        logit_NL, _ = predict(network, batches, recipe)
    predictions = as_predictions(torch.sigmoid(logit_NL).numpy(), store, split.test)
    predictions.save(run.predictions_file("test"))
    evaluation = evaluate(
        predictions, thresholds=thresholds, rule=run.record.val.threshold_rule, part="test"
    )
    run.write_test_evaluation(evaluation)
    return evaluation


def open_data(recipe: Recipe, machine: Machine) -> tuple[ImageStore, Split]:
    """The store and the split of a recipe.

    Raises:
        HarnessError: The store at this path is not the one that the recipe is bound to.
    """
    store = ImageStore.open(machine.store)
    if recipe.data.store != store.fingerprint:
        raise HarnessError(
            f"{machine.store}: the recipe belongs to the store {recipe.data.store[:12] or '-'}, "
            f"this one is {store.fingerprint[:12]}"
        )
    return store, make_split(store, recipe.data.split)


def _train(
    recipe: Recipe, machine: Machine, run: RunDirectory, report: Callable[[EpochReport], None]
) -> RunRecord:
    store, split = open_data(recipe, machine)
    _check_val_labels(store, split)
    network = build(recipe, machine)
    provenance = _provenance(store, split, network, machine)
    run.write_provenance(provenance)
    trainer = Trainer(
        recipe,
        network,
        train=make_batches(
            store,
            split.train,
            machine,
            batch_size=recipe.train.batch_size,
            seed=derive_seed(recipe.seed, "order"),
        ),
        val=make_batches(store, split.val, machine),
        run=run,
    )
    progress = trainer.fit(report)
    assert trainer.best_score_NL is not None
    predictions = as_predictions(trainer.best_score_NL, store, split.val)
    return _finish(run, recipe, provenance, progress, predictions)


def _check_val_labels(store: ImageStore, split: Split) -> None:
    """Refuse a validation part by which no epoch could be told from another."""
    label_NL = store.label_NL[split.val]
    if not (label_NL.any(axis=0) & ~label_NL.all(axis=0)).any():
        raise HarnessError(
            f"{store.path}: no finding is both present and absent among the {len(split.val)} "
            f"validation images of the split {split.name!r}, so no AUROC can be computed"
        )


def _finish(
    run: RunDirectory,
    recipe: Recipe,
    provenance: Provenance,
    progress: Progress,
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
        best_epoch=progress.best_epoch,
        num_epochs=progress.epoch,
        duration_s=progress.duration_s,
        metrics=run.epochs[-1].metrics,
        val=evaluate(predictions, thresholds=thresholds, rule=rule, part="val"),
    )
    run.write_record(record)
    run.set_status(Status(outcome=Outcome.COMPLETED))
    run.checkpoint.unlink(missing_ok=True)
    return record


def build(recipe: Recipe, machine: Machine) -> Network:
    """The network of a recipe on the machine's device, as it is before training."""
    network = build_network(
        recipe.model,
        num_findings=len(FINDINGS),
        input_px=recipe.data.input_px,
        seed=derive_seed(recipe.seed, "weights"),
    )
    return network.to(resolve_device(machine))


def make_batches(
    store: ImageStore,
    index_N: np.ndarray,
    machine: Machine,
    *,
    batch_size: int = EVAL_BATCH_SIZE,
    seed: int | None = None,
) -> Batches:
    """Batches on the machine's device: shuffled by `seed`, or in order for evaluation."""
    return Batches(store, index_N, batch_size=batch_size, device=resolve_device(machine), seed=seed)


def as_predictions(score_NL: np.ndarray, store: ImageStore, index_N: np.ndarray) -> Predictions:
    """Scores of some of a store's images beside what the store knows of them."""
    rows = store.table.iloc[index_N]
    return Predictions(
        score_NL=score_NL.astype(np.float32),
        label_NL=store.label_NL[index_N],
        image_ids=rows["image"].to_numpy(dtype=np.str_),
        patient_ids=rows["patient"].to_numpy(dtype=np.str_),
        findings=store.findings,
    )


def _provenance(store: ImageStore, split: Split, network: Network, machine: Machine) -> Provenance:
    commit, is_dirty = git_state()
    manifest = store.manifest
    return Provenance(
        git_commit=commit,
        git_dirty=is_dirty,
        versions=package_versions(),
        device=describe_device(resolve_device(machine)),
        split=split.name,
        split_sha256=split.sha256,
        store_source=f"{manifest.source} (SYNTHETIC)" if manifest.is_synthetic else manifest.source,
        labels_sha256=manifest.labels_sha256,
        weights=network.weights_note,
        num_parameters=sum(weight.numel() for weight in network.backbone.parameters()),
    )
