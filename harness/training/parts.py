"""The parts of an image store that a run needs: opened once, checked, and cut into batches.

Shapes: N images of a part, L findings.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.predictions import Predictions
from harness.core.recipe import Recipe
from harness.data.batches import Batches
from harness.data.splits import Split, make_split
from harness.data.store import ImageStore
from harness.training.runtime import resolve_device
from harness.training.thrift import EVAL_BATCH_SIZE

NUM_KEPT_OPEN = 2


@dataclass(frozen=True)
class Parts:
    """The images that a network is trained on, and those that choose the epoch."""

    train: Batches
    val: Batches


def open_data(recipe: Recipe, machine: Machine) -> tuple[ImageStore, Split]:
    """The store and the split of a recipe, kept open from one run to the next.

    Raises:
        HarnessError: The store at this path is not the one that the recipe is bound to.
    """
    store = _open_store(machine.store, _state_of(machine.store))
    if recipe.data.store != store.fingerprint:
        raise HarnessError(
            f"{machine.store}: the recipe belongs to the store {recipe.data.store[:12] or '-'}, "
            f"this one is {store.fingerprint[:12]}"
        )
    return store, _split_of(store, recipe.data.split)


@lru_cache(maxsize=NUM_KEPT_OPEN)
def _open_store(path: Path, state: tuple[object, ...]) -> ImageStore:
    """Opening one checks its whole table: seconds for 112,120 images."""
    del state  # what it is told apart by
    return ImageStore.open(path)


_split_of = lru_cache(maxsize=NUM_KEPT_OPEN)(make_split)


def _state_of(store: Path) -> tuple[object, ...]:
    """Equal as long as nobody has written to the files of a store."""
    files = sorted(store.iterdir()) if store.is_dir() else []
    stats = ((path.name, path.stat()) for path in files)
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def check_val_labels(store: ImageStore, split: Split) -> None:
    """Refuse a validation part by which no epoch could be told from another."""
    label_NL = store.label_NL[split.val]
    if not (label_NL.any(axis=0) & ~label_NL.all(axis=0)).any():
        raise HarnessError(
            f"{store.path}: no finding is both present and absent among the {len(split.val)} "
            f"validation images of the split {split.name!r}, so no AUROC can be computed"
        )


def make_batches(
    store: ImageStore,
    index_N: NDArray[np.integer[Any]],
    machine: Machine,
    *,
    batch_size: int = EVAL_BATCH_SIZE,
    seed: int | None = None,
) -> Batches:
    """Batches on the machine's device: shuffled by `seed`, or in order for evaluation."""
    return Batches(store, index_N, batch_size=batch_size, device=resolve_device(machine), seed=seed)


def as_predictions(
    score_NL: NDArray[np.floating[Any]], store: ImageStore, index_N: NDArray[np.integer[Any]]
) -> Predictions:
    """Scores of some of a store's images beside what the store knows of them."""
    rows = store.table.iloc[index_N]
    return Predictions(
        score_NL=score_NL.astype(np.float32),
        label_NL=store.label_NL[index_N],
        image_ids=rows["image"].to_numpy(dtype=np.str_),
        patient_ids=rows["patient"].to_numpy(dtype=np.str_),
        findings=store.findings,
    )
