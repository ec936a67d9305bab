"""Where a job runs and writes, and what must be there before its first run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console

from harness.core.imports import import_quickly
from harness.core.machine import Machine
from harness.core.progress import progress_console
from harness.core.recipe import Recipe
from harness.data.splits import make_split
from harness.data.store import ImageStore
from harness.execution.checks import Needs
from harness.execution.preflight import look_from_driver, preflight, raise_failed
from harness.execution.ray_session import Resources, fit_resources, num_slots, start_ray
from harness.execution.storage import Storage
from harness.models.seen import files_of

SMALL_FILES_BYTES = 1_000_000
"""Metrics, record and validation predictions of a run, about."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job runs and writes.

    Attributes:
        results: Absolute path of the results folder, which every node must see without a storage.
        address: Of a Ray cluster; None for this machine alone.
        storage: URI of where the nodes mirror their run directories; None for `results` itself.
        tracking_uri: Of an MLflow server; None for `MLFLOW_TRACKING_URI`, else a file in `results`.
        console: Where progress is shown.
    """

    results: Path
    address: str | None = None
    resources: Resources = field(default_factory=Resources)
    storage: str | None = None
    tracking_uri: str | None = None
    console: Console = field(default_factory=progress_console)


def open_images(path: Path, recipes: Sequence[Recipe]) -> ImageStore:
    """The store at `path`, once it is sure that it has the splits of the recipes.

    Raises:
        HarnessError: There is no store, or a split cannot be made of it.
    """
    images = ImageStore.open(path)
    for name in {recipe.data.split for recipe in recipes}:
        make_split(images, name)
    return images


def check_networks(recipes: Sequence[Recipe], num_findings: int) -> int:
    """Build each network with the weights it starts from, so that a mistake in them is met now.

    Returns:
        The number of weights of the largest.

    Raises:
        HarnessError: There is no such network, or its weights cannot be had, or do not fit.
    """
    import_quickly("harness.models.zoo")
    from harness.models.zoo import build_network

    networks = (
        build_network(model, num_findings=num_findings, input_px=input_px, seed=0)
        for model, input_px in {(recipe.model, recipe.data.input_px) for recipe in recipes}
    )
    return max(sum(weight.numel() for weight in net.backbone.parameters()) for net in networks)


def get_ready(
    place: Place, recipes: Sequence[Recipe], images: ImageStore, *, num_runs: int, num_kept: int
) -> Resources:
    """What a run gets, once a Ray that can give it is there and every node passes its checks.

    Args:
        num_kept: Of `num_runs` runs so many keep their weights.

    Raises:
        HarnessError: Something that the runs need is missing.
    """
    place.console.print("getting ready: networks and their weights, Ray, a look at every node")
    num_weights = check_networks(recipes, len(images.findings))
    start_ray(place.address)
    resources = fit_resources(place.resources)
    files = {file for recipe in recipes for file in files_of(recipe.model.weights)}
    needs = Needs(
        store=images.path,
        fingerprint=images.fingerprint,
        results=place.results,
        storage=place.storage,
        files=tuple(sorted(path for path in files if path.is_absolute())),
        num_bytes=_bytes_for(
            num_weights, num_running=num_slots(resources), num_runs=num_runs, num_kept=num_kept
        ),
    )
    # The private Ray of this machine has no node but this one.
    raise_failed(preflight(needs, resources) if place.address else look_from_driver(needs))
    return resources


def _bytes_for(num_weights: int, *, num_running: int, num_runs: int, num_kept: int) -> int:
    """About what runs write: a checkpoint holds each weight and Adam's two moments of it.

    A running run has a checkpoint, the one that is about to replace it, and its weights.
    """
    weights_bytes = 4 * num_weights
    running = min(num_running, num_runs) * 7 * weights_bytes
    return running + min(num_kept, num_runs) * weights_bytes + num_runs * SMALL_FILES_BYTES


def open_storage(place: Place) -> Storage | None:
    """The storage of a job; None where the results folder is it."""
    return Storage.open(place.storage) if place.storage else None


def machine_of(images: ImageStore, resources: Resources) -> Machine:
    """What a worker is told of where it runs."""
    device: Literal["cpu", "cuda"] = "cuda" if resources.gpus else "cpu"
    return Machine(store=images.path, device=device, num_threads=resources.cpus)
