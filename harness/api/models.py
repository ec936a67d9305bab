"""Winners in use: where a run looks, the model it becomes, what that says of images."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from harness.api.calls import AnyPath, AnyStore, called, results_folder, store_path
from harness.api.frames import answers_frame
from harness.api.run import Run
from harness.core.errors import HarnessError
from harness.words import checked_alias, checked_name, classifier_of, writable

if TYPE_CHECKING:
    from PIL.Image import Image

    from harness.benchmark.find_run import FoundRun
    from harness.bundle.bundle import Bundle
    from harness.bundle.classifier import Classifier
    from harness.jobs.explain import Explained as RunExplained
    from harness.jobs.promote import BundleOrder, Promotion

AnyRun = AnyPath | Run
"""A run, its folder, `SEARCH/TRIAL`, or its name or id."""


@dataclass(frozen=True)
class Explained:
    """A run's Grad-CAM maps, held against the boxes of its images.

    Attributes:
        found: Figures and geometry as `harness explain` has them.
    """

    found: "RunExplained"

    def frame(self) -> pd.DataFrame:
        """A row for each finding and one for `macro`; columns by measure and `value, low, high`.

        Measures are `pointing`, `chance`, `centre` and overlaps; `pointing - chance` and
        `pointing - centre` are differences on the same resamples. Intervals are 95 %, over
        patients.
        """
        local = self.found.localisation
        rows = {
            scope: {
                (measure, part): getattr(estimate, part)
                for measures in (
                    local.figures[scope],
                    {f"pointing - {blind}": each for blind, each in local.gains[scope].items()},
                )
                for measure, estimate in measures.items()
                for part in ("value", "low", "high")
            }
            for scope in (*local.findings, "macro")
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("finding")

    @property
    def sheet(self) -> "Image":
        """Some of the maps with their boxes, drawn blindly from all; a notebook shows it."""
        from PIL import Image

        return Image.open(self.found.paths[-1])

    def _repr_png_(self) -> bytes:
        return self.found.paths[-1].read_bytes()


@called
def explain(
    run: AnyRun,
    *,
    part: Literal["val", "test"] = "val",
    layer: str = "",
    tolerance: float = 0.0,
    resamples: int = 2000,
    threads: int = 1,
    allow_contaminated: bool = False,
    data: AnyStore | None = None,
    results: AnyPath | None = None,
) -> Explained:
    """Hold a run's Grad-CAM maps against the boxes of its images, beside chance and the centre.

    Args:
        part: Whose boxes; `test` is a look at it, which is written down.
        layer: Weigh another layer: `features.denseblock3`.
        tolerance: So many px beside a box count as in it, in its own frame.
        resamples: Bootstrap resamples behind each interval.
        threads: Of the CPU.
        allow_contaminated: Weights that may have seen the test images.
        data: Image store of the run; without, where it was.

    Raises:
        HarnessError: There is no such run, it is not finished, or the part has no box.
    """
    from harness.benchmark.find_run import store_of
    from harness.benchmark.plan import StatisticsPlan
    from harness.console import progress_bar
    from harness.core.machine import Machine
    from harness.jobs.explain import explain as explain_run

    found, folder = _found(run, results)
    store = store_of(found, folder, None if data is None else store_path(data))
    machine = Machine(store=store, num_threads=threads)
    statistics = StatisticsPlan().with_options(resamples=resamples, tolerance_px=tolerance)
    with progress_bar("making maps") as progress:
        explained = explain_run(
            found.directory,
            machine,
            part,
            statistics=statistics,
            results=folder,
            layer=layer,
            allow_contaminated=allow_contaminated,
            progress=progress,
        )
    return Explained(explained)


@called
def promote(
    run: AnyRun,
    *,
    alias: str = "champion",
    name: str = "",
    data: AnyStore | None = None,
    tolerance: float = 0.0,
    results: AnyPath | None = None,
) -> "Promotion":
    """Make a completed run a model of MLflow's registry; called again, the alias moves.

    Args:
        alias: That the version gets.
        name: Of the model; without, of the search.
        data: Image store of the run; without, where it was.
        tolerance: Largest difference of a score from the run's own; 0 is bit-equal.

    Returns:
        `model` (its `uri` names it), `is_new`, and how its scores agreed with the run's.

    Raises:
        HarnessError: There is no such run, no bundle can be made of it, or the store refuses.
    """
    name = checked_name(name) if name else ""
    checked_alias(alias)
    from harness.jobs.promote import promote as promote_run

    with _order(run, data, tolerance, results) as (found, order):
        return promote_run(found, name=name, alias=alias, order=order)


@called
def export(
    run: AnyRun,
    *,
    to: AnyPath,
    onnx: bool = False,
    data: AnyStore | None = None,
    tolerance: float = 0.0,
    results: AnyPath | None = None,
) -> "Bundle":
    """A completed run as a folder: weights, recipe, thresholds, temperature, model card.

    Args:
        to: Folder that is written.
        onnx: Also as `model.onnx`, checked against PyTorch; needs the extra `onnx`.
        data: Image store of the run; without, where it was.
        tolerance: Largest difference of a score from the run's own; 0 is bit-equal.

    Raises:
        HarnessError: There is no such run, no bundle can be made of it, or `to` exists.
    """
    from harness.jobs.promote import export as export_run

    with _order(run, data, tolerance, results) as (found, order):
        return export_run(found, Path(to).resolve(), with_onnx=onnx, order=order)[0]


@called
def open_model(model: AnyPath | None = None, *, results: AnyPath | None = None) -> "Classifier":
    """A promoted model, loaded: for `predict`, or for arrays by its `answers`.

    Args:
        model: `models:/NAME@ALIAS` or a bundle's folder; without, the newest champion.

    Raises:
        HarnessError: There is no such model.
    """
    return classifier_of(str(model) if model else None, results_folder(results))


@called
def predict(
    images: AnyPath | Sequence[AnyPath],
    *,
    model: "AnyPath | Classifier | None" = None,
    results: AnyPath | None = None,
) -> pd.DataFrame:
    """What a promoted model says of images. Not a medical device.

    Args:
        images: PNG, JPEG, DICOM, ... files, or folders of them.
        model: As for `open_model`, or what that gave.

    Returns:
        A row for each image and finding: `image`, `finding`, `score`, `score_threshold` (NaN
        where there is none), calibrated `probability` and `flag`. A file that cannot be read is
        told in a warning, and with its reason in `frame.attrs["failures"]`.

    Raises:
        HarnessError: There is no such model or file, or no image could be read.
    """
    from harness.data.image_files import image_files

    words = [images] if isinstance(images, str | os.PathLike) else images
    files = image_files([Path(word) for word in words])
    from harness.bundle.classifier import Classifier  # takes seconds: mistakes are told first
    from harness.bundle.predict import predict as predict_files
    from harness.console import progress_bar

    classifier = model if isinstance(model, Classifier) else open_model(model, results=results)
    with progress_bar("reading images") as progress:
        answered = predict_files(classifier, files, progress=progress)
    failures = {str(path): reason for path, reason in answered.failures.items()}
    if failures and not answered.answers:
        path, reason = next(iter(failures.items()))
        raise HarnessError(f"none of {len(failures)} images could be read; {path}: {reason}")
    for path, reason in failures.items():
        warnings.warn(f"not read: {path}: {reason}", stacklevel=3)
    frame = answers_frame(answered)
    frame.attrs["failures"] = failures
    return frame


@contextmanager
def _order(
    run: AnyRun, data: AnyStore | None, tolerance: float, results: AnyPath | None
) -> "Iterator[tuple[FoundRun, BundleOrder]]":
    """Which run is meant, and what its bundle is made of, with its progress."""
    from harness.console import progress_bar
    from harness.jobs.promote import BundleOrder

    found, folder = _found(run, results)
    store = None if data is None else store_path(data)
    with progress_bar("scoring validation again") as progress:
        yield (
            found,
            BundleOrder(
                results=writable(folder), store=store, tolerance=tolerance, progress=progress
            ),
        )


def _found(run: AnyRun, results: AnyPath | None) -> "tuple[FoundRun, Path]":
    """The run that is meant, and the results folder: its own, where it has one."""
    from harness.benchmark.find_run import find_run

    if isinstance(run, Run):
        folder = results_folder(results or run.results)
        return find_run(str(run.path), folder), folder
    folder = results_folder(results)
    return find_run(str(run), folder), folder
