"""The parts of an image store that a run needs: opened once, checked, and cut into batches.

Shapes: N images of a part, L findings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.predictions import Predictions
from harness.core.recipe import Recipe
from harness.data.batches import Batches, Images, LabelledImages
from harness.data.splits import Split, make_split
from harness.data.store import ImageStore
from harness.training.runtime import resolve_device
from harness.training.thrift import EVAL_BATCH_SIZE

NUM_KEPT_OPEN = 2


@dataclass(frozen=True)
class Parts:
    """The images that a network is trained on, and those that choose the epoch.

    `metadata` stands in the file of the weights: what they have seen (`models.seen`).
    """

    train: Batches
    val: Batches
    metadata: Mapping[str, str] = field(default_factory=dict)


class ImageRows:
    """Some images of a store, numbered from 0; the others cannot be reached through it."""

    def __init__(self, images: Images, row_N: NDArray[np.int64]) -> None:
        self._images = images
        self._row_N = row_N

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._row_N), *self._images.shape[1:]

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        image_HW: NDArray[np.uint8] = self._images[self._row_N[row]]
        return image_HW


class StoreRows:
    """Some rows of an image store, numbered from 0; of the others it holds nothing.

    Attributes:
        path, manifest, findings: Those of the store.
        table, label_NL, is_known_NL, images, boxes: As the store's, of these rows alone.
    """

    def __init__(self, store: ImageStore, row_N: NDArray[np.int64]) -> None:
        self.path = store.path
        self.manifest = store.manifest
        self.findings = store.findings
        self.table = store.table.iloc[row_N].reset_index(drop=True)
        self.label_NL: NDArray[np.bool_] = store.label_NL[row_N]
        self.is_known_NL: NDArray[np.bool_] = store.is_known_NL[row_N]
        self.images = ImageRows(store.images, row_N)
        self.boxes = store.boxes[store.boxes["image"].isin(self.table["image"])]

    def __len__(self) -> int:
        return len(self.table)


def open_data(recipe: Recipe, machine: Machine) -> tuple[StoreRows, Split]:
    """What a run may see: the train and val rows of its store, and where they are among these.

    The split has its name and its hash, and no `test`: no label, image or name of the test part is
    in what is returned, or in what is kept open for the next run.

    Raises:
        HarnessError: The store at this path is not the one that the recipe is bound to, or the
            split cannot be made of it.
    """
    state = _state_of(machine.store)
    return _open_choosable(machine.store, state, recipe.data.store, recipe.data.split)


@lru_cache(maxsize=NUM_KEPT_OPEN)
def _open_choosable(
    path: Path, state: tuple[object, ...], fingerprint: str, split_name: str
) -> tuple[StoreRows, Split]:
    """Opening a store checks its whole table: seconds for 112,120 images."""
    del state  # what it is told apart by
    store, split = _open_whole(path, fingerprint, split_name)
    row_N = np.union1d(split.train, split.val)
    renumbered = replace(
        split,
        train=np.searchsorted(row_N, split.train),
        val=np.searchsorted(row_N, split.val),
        test=np.empty(0, dtype=np.int64),
    )
    return StoreRows(store, row_N), renumbered


def open_test(recipe: Recipe, machine: Machine) -> StoreRows:
    """The test rows of a recipe's store, once a look is written down; not kept open.

    Raises:
        HarnessError: The store at this path is not the one that the recipe is bound to.
    """
    store, split = _open_whole(machine.store, recipe.data.store, recipe.data.split)
    return StoreRows(store, split.test)


def _open_whole(path: Path, fingerprint: str, split_name: str) -> tuple[ImageStore, Split]:
    store = ImageStore.open(path)
    if fingerprint != store.fingerprint:
        raise HarnessError(
            f"{path}: the recipe belongs to the store {fingerprint[:12] or '-'}, "
            f"this one is {store.fingerprint[:12]}"
        )
    return store, make_split(store, split_name)


def _state_of(store: Path) -> tuple[object, ...]:
    """Equal as long as nobody has written to the files of a store."""
    files = sorted(store.iterdir()) if store.is_dir() else []
    stats = ((path.name, path.stat()) for path in files)
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def check_val_labels(store: StoreRows, split: Split) -> None:
    """Refuse a validation part by which no epoch could be told from another.

    Raises:
        HarnessError: No finding is known to be both present and absent in it.
    """
    label_NL, is_known_NL = store.label_NL[split.val], store.is_known_NL[split.val]
    is_present_L, is_absent_L = label_NL.any(axis=0), (~label_NL & is_known_NL).any(axis=0)
    if not (is_present_L & is_absent_L).any():
        raise HarnessError(
            f"{store.path}: no finding is known to be both present and absent among the "
            f"{len(split.val)} validation images of the split {split.name!r}, so no AUROC can be "
            "computed"
        )


def make_batches(
    store: LabelledImages,
    index_N: NDArray[np.integer[Any]],
    machine: Machine,
    *,
    batch_size: int = EVAL_BATCH_SIZE,
    seed: int | None = None,
) -> Batches:
    """Batches on the machine's device: shuffled by `seed`, or in order for evaluation."""
    return Batches(store, index_N, batch_size=batch_size, device=resolve_device(machine), seed=seed)


def as_predictions(
    score_NL: NDArray[np.floating[Any]],
    store: ImageStore | StoreRows,
    index_N: NDArray[np.integer[Any]],
) -> Predictions:
    """Scores of some of a store's images beside what the store knows of them."""
    rows = store.table.iloc[index_N]
    return Predictions(
        score_NL=score_NL.astype(np.float32),
        label_NL=store.label_NL[index_N],
        is_known_NL=store.is_known_NL[index_N],
        image_ids=rows["image"].to_numpy(dtype=np.str_),
        patient_ids=rows["patient"].to_numpy(dtype=np.str_),
        findings=store.findings,
    )
