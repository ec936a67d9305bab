"""`write_bundle`: a finished run becomes a bundle, once its network has given the run's own scores.

N images of validation, L findings.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.bundle.bundle import (
    BUNDLE_FILE,
    CARD_FILE,
    RECIPE_FILE,
    WEIGHTS_FILE,
    Agreement,
    Bundle,
    BundleFacts,
    Input,
)
from harness.bundle.card import card_of
from harness.bundle.classifier import Classifier
from harness.bundle.figures import part_figures, subgroup_figures
from harness.core.errors import HarnessError
from harness.core.files import (
    check_space,
    naming_a_full_disk,
    sha256_of_file,
    write_json,
    write_text,
)
from harness.core.machine import Machine
from harness.core.predictions import Predictions
from harness.core.progress import Progress, ignore
from harness.core.recipe import Recipe
from harness.core.records import Outcome, RunRecord
from harness.core.run_dir import RunDirectory
from harness.data.splits import Split
from harness.evaluation.subgroups import Cases
from harness.evaluation.temperature import fit_temperature
from harness.models.seen import seen_by
from harness.models.zoo import Network
from harness.training.build import build
from harness.training.parts import ImageRows, StoreRows, open_data
from harness.training.runtime import describe_device, num_threads
from harness.training.thrift import EVAL_BATCH_SIZE

BATCHES_AT_ONCE = 4
"""Between two steps of the progress."""


@dataclass(frozen=True, eq=False)
class _Finished:
    """A completed run and all that its bundle is made of."""

    run: RunDirectory
    record: RunRecord
    thresholds: dict[str, float | None]
    val: Predictions
    store: StoreRows
    split: Split


def write_bundle(
    run: RunDirectory,
    folder: Path,
    *,
    name: str,
    store: Path,
    tolerance: float = 0.0,
    progress: Progress = ignore,
) -> Bundle:
    """Write the bundle of a completed run into `folder`, all of it or nothing.

    The network is loaded from what was written and scores the validation images as the run did:
    the same device where there is one, batches and threads.

    Args:
        folder: Does not exist yet.
        name: Of the run, for people.
        store: The image store that the run was trained on.
        tolerance: Largest difference that a score may have; 0 wants them bit-equal.
        progress: Told of validation images that were scored, and their number.

    Raises:
        HarnessError: The run is not completed or has no weights left, the store is not its own, or
            the scores differ by more than `tolerance`.
    """
    folder = Path(folder).resolve()
    if folder.exists():
        raise HarnessError(f"{folder}: already exists; remove it or choose another folder")
    finished = _finished(run, store)
    check_space(folder, run.best_weights.stat().st_size)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with naming_a_full_disk(folder):
            partial.mkdir(parents=True)
            shutil.copyfile(run.best_weights, partial / WEIGHTS_FILE)
            recipe = finished.record.recipe
            write_json(partial / RECIPE_FILE, recipe.model_dump(mode="json"))
            facts = _facts(finished, name)
            _write_facts(partial, facts, recipe)
            agreement = _agreement(partial, finished, tolerance=tolerance, progress=progress)
            _write_facts(partial, facts.model_copy(update={"agreement": agreement}), recipe)
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Bundle.read(folder)


def check_finished(run: RunDirectory) -> RunRecord:
    """The record of a run that a bundle can be made of.

    Raises:
        HarnessError: The run is not completed, or its weights are gone.
    """
    status, record = run.status, run.record
    if status.outcome is not Outcome.COMPLETED or record is None:
        raise HarnessError(f"{run.path}: the run is {status}, and only a completed one will do")
    if not run.best_weights.is_file():
        raise HarnessError(
            f"{run.path}: its weights are gone, as `harness gc` and --keep remove them; train it "
            "again, or take one of the best trials"
        )
    return record


def _finished(run: RunDirectory, store: Path) -> _Finished:
    record = check_finished(run)
    thresholds, val = run.thresholds, run.predictions("val")
    if thresholds is None or val is None:
        raise HarnessError(f"{run.path}: its thresholds or validation predictions are gone")
    rows, split = open_data(record.recipe, Machine(store=store))
    names = rows.table["image"].to_numpy(dtype=np.str_)[split.val]
    if split.sha256 != record.provenance.split_sha256 or not np.array_equal(names, val.image_ids):
        raise HarnessError(
            f"{run.path}: trained on another split than {split.name!r} of {store} is now"
        )
    return _Finished(run, record, thresholds, val, rows, split)


def _facts(finished: _Finished, name: str) -> BundleFacts:
    """All but how the scores agreed."""
    run, record, val = finished.run, finished.record, finished.val
    manifest, recipe = finished.store.manifest, finished.record.recipe
    temperature = fit_temperature(val)
    test = run.predictions("test") if run.test_evaluation is not None else None
    cases = Cases.of_table(finished.store.table.iloc[finished.split.val])
    network = build(
        recipe.with_values({"model.weights": "none"}),
        Machine(store=finished.store.path, device="cpu"),
    )
    return BundleFacts(
        name=name,
        run_id=record.run_id,
        findings=val.findings,
        thresholds=finished.thresholds,
        threshold_rule=record.val.threshold_rule,
        temperature=temperature,
        input=Input(
            size_px=manifest.size_px,
            resize_px=recipe.data.resize_px,
            input_px=recipe.data.input_px,
            mean=_three(network, "mean"),
            std=_three(network, "std"),
        ),
        is_synthetic=manifest.is_synthetic,
        label_version=manifest.label_version,
        attribution=manifest.attribution,
        has_patients=manifest.has_patients,
        store=manifest.fingerprint,
        provenance=record.provenance,
        best_epoch=record.best_epoch,
        seen=seen_by(str(run.best_weights)),
        weights_sha256=sha256_of_file(run.best_weights),
        validation=part_figures(val, finished.thresholds, temperature=temperature),
        subgroups=subgroup_figures(val, cases, finished.thresholds),
        test=part_figures(test, finished.thresholds, temperature=temperature) if test else None,
    )


def _three(network: Network, name: str) -> tuple[float, float, float]:
    red, green, blue = getattr(network, name).flatten().tolist()
    return red, green, blue


def _write_facts(folder: Path, facts: BundleFacts, recipe: Recipe) -> None:
    write_json(folder / BUNDLE_FILE, facts.model_dump(mode="json"))
    write_text(folder / CARD_FILE, card_of(facts, recipe))


# Whether the scores are the run's own -------------------------------------------------------


def _agreement(
    folder: Path, finished: _Finished, *, tolerance: float, progress: Progress
) -> Agreement:
    trained_on = finished.record.provenance.device
    device: Literal["auto", "cpu"] = "cpu" if trained_on.startswith("CPU") else "auto"
    with num_threads(_threads_of(trained_on)):
        classifier = Classifier.load(folder, device=device)
        checked_on = describe_device(classifier.device)
        difference = _largest_difference(classifier, finished, progress)
    if not difference <= tolerance:
        raise HarnessError(
            f"{finished.run.path}: loaded again, it scores validation differently, by up to "
            f"{difference:.2g} (trained on {trained_on}, checked on {checked_on}); "
            f"--tolerance {_above(difference)} allows it, and the card will say so"
        )
    return Agreement(
        num_images=len(finished.val.image_ids),
        trained_on=trained_on,
        checked_on=checked_on,
        largest_difference=difference,
        tolerance=tolerance,
    )


def _largest_difference(classifier: Classifier, finished: _Finished, progress: Progress) -> float:
    """In batches as the run's evaluation had them: others may differ in the last bits."""
    batch_size = max(1, EVAL_BATCH_SIZE >> finished.record.provenance.memory_level)
    row_N, expected_NL = finished.split.val, finished.val.score_NL
    largest = 0.0
    for start in range(0, len(row_N), BATCHES_AT_ONCE * batch_size):
        rows = slice(start, start + BATCHES_AT_ONCE * batch_size)
        squares = ImageRows(finished.store.images, row_N[rows])
        score_NL = classifier.score(squares, batch_size=batch_size)
        difference = np.abs(score_NL - expected_NL[rows]).max()
        largest = float(np.maximum(largest, difference))  # NaN stays one
        progress(min(rows.stop, len(row_N)), len(row_N))
    return largest


def _threads_of(device: str) -> int:
    """Threads in the words of `describe_device`; another number may add in another order."""
    found = re.search(r"(\d+) threads", device)
    return int(found[1]) if found else 1


def _above(difference: float) -> str:
    """A round number that is a little larger."""
    exponent = np.floor(np.log10(difference))
    digit = int(np.floor(difference / 10**exponent)) + 1
    return f"{digit * 10**exponent:.0e}"
