"""`promote` and `export`: the bundle of a run, in the model registry or in a folder of its own."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from harness.benchmark.find_run import FoundRun, store_of
from harness.bundle.bundle import Bundle
from harness.bundle.write import check_finished, write_bundle
from harness.core.errors import HarnessError
from harness.core.files import sha256_of_file
from harness.core.progress import Progress, ignore
from harness.tracking.new_version import register
from harness.tracking.registry import PromotedModel, find_promoted, has_files, set_alias


@dataclass(frozen=True, kw_only=True)
class BundleOrder:
    """What bundles are made of.

    Attributes:
        results: Absolute path of the results folder.
        store: Where the image store lies; None for where it was.
        tolerance: Largest difference that a score may have from the run's own.
        progress: Told of validation images that were scored again.
    """

    results: Path
    store: Path | None = None
    tolerance: float = 0.0
    progress: Progress = field(default=ignore)


@dataclass(frozen=True)
class Promotion:
    """A model that was promoted; `is_new` unless only its alias was moved."""

    model: PromotedModel
    is_new: bool
    agreement: str


def promote(found: FoundRun, *, name: str, alias: str, order: BundleOrder) -> Promotion:
    """Make a run a version of a registered model, and let an alias name it.

    Args:
        name: Of the model; empty for that of the run's search or benchmark.

    Raises:
        HarnessError: No bundle can be made of the run, or the store refuses.
    """
    record = check_finished(found.directory)
    name = name or found.group or found.directory.path.name
    model = find_promoted(
        order.results,
        name,
        run_id=record.run_id,
        weights_sha256=sha256_of_file(found.directory.best_weights),
    )
    is_new, agreement = model is None or not has_files(model, order.results), ""
    if model is None or is_new:
        with tempfile.TemporaryDirectory() as scratch:
            bundle = _bundle(found, Path(scratch) / "bundle", order)
            model = register(bundle, group=found.group, results=order.results, name=name)
            agreement = _agreement(bundle)
    return Promotion(set_alias(model, alias, results=order.results), is_new, agreement)


def export(
    found: FoundRun, folder: Path, *, with_onnx: bool, order: BundleOrder
) -> tuple[Bundle, str]:
    """Write the bundle of a run into a folder of its own, and how its scores agreed.

    Args:
        with_onnx: Also as ONNX, checked against PyTorch on the store's validation images.

    Raises:
        HarnessError: No bundle can be made of the run, or ONNX disagrees; nothing was written.
    """
    if folder.exists():
        raise HarnessError(f"--to {folder}: already exists; remove it or choose another folder")
    if not with_onnx:
        bundle = _bundle(found, folder, order)
        return bundle, _agreement(bundle)
    from harness.bundle.onnx_form import check_installed, write_onnx

    check_installed()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        bundle = _bundle(found, Path(scratch) / folder.name, order)
        store = store_of(found, order.results, order.store)
        difference = write_onnx(bundle, store=store)
        bundle.folder.rename(folder)
    return Bundle.read(folder), f"{_agreement(bundle)}; ONNX within {difference:.1g} of PyTorch"


def _bundle(found: FoundRun, folder: Path, order: BundleOrder) -> Bundle:
    check_finished(found.directory)
    return write_bundle(
        found.directory,
        folder,
        name=found.name,
        store=store_of(found, order.results, order.store),
        tolerance=order.tolerance,
        progress=order.progress,
    )


def _agreement(bundle: Bundle) -> str:
    """In words."""
    found = bundle.facts.agreement
    assert found is not None
    if found.largest_difference == 0:
        return f"bit-equal to the run's scores of {found.num_images:,} validation images"
    return (
        f"within {found.largest_difference:.2g} of the run's scores of {found.num_images:,} "
        f"validation images (trained on {found.trained_on}, checked on {found.checked_on})"
    )
