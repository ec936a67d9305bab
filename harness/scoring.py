"""`score_test`: what a finished run has frozen meets its test part; the look is written down."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.core.locks import held
from harness.core.looks import Look, ignore_look, record_looks
from harness.core.machine import Machine
from harness.core.recipe import RANDOM
from harness.core.records import Evaluation, RunRecord
from harness.core.run_dir import RunDirectory
from harness.evaluation.evaluate import evaluate
from harness.models.zoo import Network
from harness.training.build import build
from harness.training.checkpoint import load_weights
from harness.training.failures import failures_written_to
from harness.training.parts import as_predictions, make_batches, open_data, open_test
from harness.training.predict import predict
from harness.training.runtime import num_threads
from harness.trial import LOCK_WAIT_S


def score_test(
    machine: Machine, run_dir: Path, looked: Callable[[Look], None] = ignore_look
) -> Evaluation:
    """Score the test set with the weights and thresholds that a finished run has frozen.

    The test set is looked at once: called again, this returns what was found then. Before a test
    label is read, the look stands in the run's `test_looks.jsonl` and `looked` has returned: where
    the folder is a copy, it is to take that file to where it survives.

    Raises:
        HarnessError: The run is not finished, or the store or its split is another one.
    """
    run = RunDirectory(run_dir)
    if (evaluation := run.test_evaluation) is not None:
        return evaluation
    record = finished(run)
    with (
        held(run.lock_file, wait_s=LOCK_WAIT_S),
        failures_written_to(run),
        num_threads(machine.num_threads),
    ):
        if (evaluation := run.test_evaluation) is not None:
            return evaluation  # made while we waited
        check_same_split(run, record, machine)
        network = trained_network(run, record, machine)
        looked(record_look(run, record))
        evaluation = _score(run, record, network, machine)
        run.write_test_evaluation(evaluation)
        run.complete()  # it may have failed here before
    return evaluation


def finished(run: RunDirectory) -> RunRecord:
    """The record of a run whose thresholds are frozen.

    Raises:
        HarnessError: It is not finished.
    """
    if run.thresholds is None or (record := run.record) is None:
        raise HarnessError(
            f"{run.path}: not a finished run ({run.status}); only a completed one is scored on "
            "test, or explained"
        )
    return record


def trained_network(run: RunDirectory, record: RunRecord, machine: Machine) -> Network:
    """The network that a finished run has kept, on the machine's device.

    Raises:
        HarnessError: Its weights are not there, or not of this network.
    """
    # Every weight is in the run's own file, so none is fetched.
    network = build(record.recipe.with_values({"model.weights": RANDOM}), machine)
    load_weights(run.best_weights, network.backbone)
    return network


def record_look(run: RunDirectory, record: RunRecord) -> Look:
    """Write down that what a run has frozen is about to be held against its test part.

    Raises:
        HarnessError: As `record_looks`.
    """
    look = Look.of_this_code(
        run.path.name,
        run_id=record.run_id,
        thresholds_sha256=sha256_of_file(run.thresholds_file),
        split_sha256=record.provenance.split_sha256,
    )
    record_looks(run.path, [look])
    return look


def check_same_split(run: RunDirectory, record: RunRecord, machine: Machine) -> None:
    """Refuse a split that is not the run's: its test part may hold images that it was trained on.

    Raises:
        HarnessError: The machine's store is another one, or gives another split now.
    """
    _, split = open_data(record.recipe, machine)
    if split.sha256 != record.provenance.split_sha256:
        raise HarnessError(
            f"{run.path}: trained on the split {record.provenance.split_sha256[:12]}, and "
            f"{split.name!r} is {split.sha256[:12]} now, so its test set stays shut; "
            "make the run again"
        )


def _score(run: RunDirectory, record: RunRecord, network: Network, machine: Machine) -> Evaluation:
    """Open the test rows and score them."""
    thresholds = run.thresholds
    assert thresholds is not None
    test = open_test(record.recipe, machine)
    row_N = np.arange(len(test))
    logit_NL, _ = predict(network, make_batches(test, row_N, machine), record.recipe)
    predictions = as_predictions(torch.sigmoid(logit_NL).numpy(), test, row_N)
    predictions.save(run.predictions_file("test"))
    return evaluate(predictions, thresholds=thresholds, rule=record.val.threshold_rule, part="test")
