"""`Pace`: how fast a recipe trains on the device at hand, by the trainer itself.

B images of a batch, N images of a part. Run in a worker; knows nothing of Ray.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.core.errors import DivergedError, HarnessError
from harness.core.machine import Machine
from harness.core.memory import MemoryLevel
from harness.core.recipe import Recipe
from harness.core.records import EpochReport
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.data.batches import Batches, LabelledImages
from harness.models.seen import seen_metadata
from harness.models.zoo import Network
from harness.training.build import build
from harness.training.listeners import Listeners
from harness.training.means import Means
from harness.training.parts import as_predictions, open_data
from harness.training.runtime import describe_device, num_threads, resolve_device, resolve_speedups
from harness.training.thrift import Thrift
from harness.training.trainer import Parts, Trainer

TRAIN_S, VAL_S = 6.0, 3.0
"""Time that is given to steps, and to batches of validation, after the first of each."""
NUM_WARMUP_GPU, NUM_WARMUP_CPU = 5, 1
"""Batches before the clock counts: libraries are loaded and memory is taken at the first."""
READ_IMAGES = 1024


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What one recipe takes on one device that it has to itself: seconds and bytes.

    Attributes:
        start_s: To build the network and to move the images to where they stay.
        train_image_s: Of one training image, in batches of the recipe.
        val_image_s: Of one validation image.
        save_s: After an epoch: its score, its checkpoint and its weights.
        gpu_bytes: Memory of the GPU; 0 on a CPU.
    """

    device: str
    num_train: int
    num_val: int
    start_s: float
    train_image_s: float
    val_image_s: float
    save_s: float
    checkpoint_bytes: int
    weights_bytes: int
    predictions_bytes: int
    gpu_bytes: int

    @property
    def epoch_s(self) -> float:
        """What a run's `time/epoch_s` will say, where nothing is reported within epochs."""
        return self.num_train * self.train_image_s + self.num_val * self.val_image_s

    @property
    def image_rate(self) -> float:
        """Training images a second."""
        return 1 / self.train_image_s


def measure_pace(recipe: Recipe, machine: Machine) -> Pace:
    """Train a few steps of the recipe in a folder that is removed, validate a few batches.

    Raises:
        HarnessError: The recipe does not fit the store or the machine, or fails at once.
    """
    with num_threads(machine.num_threads), tempfile.TemporaryDirectory() as folder:
        try:
            return _measure(recipe, machine, RunDirectory(Path(folder).resolve()))
        except DivergedError as error:
            raise HarnessError(f"the first steps of the published recipe: {error}") from None
        except torch.OutOfMemoryError:
            raise HarnessError(
                f"train.batch_size {recipe.train.batch_size} does not fit into the memory of the "
                "GPU, so its pace cannot be measured; lower it, or take another GPU"
            ) from None


def _measure(recipe: Recipe, machine: Machine, run: RunDirectory) -> Pace:
    store, split = open_data(recipe, machine)
    begin_s = time.perf_counter()
    network = build(recipe, machine)
    build_s = time.perf_counter() - begin_s
    thrift = Thrift.of(network, recipe.train.batch_size, MemoryLevel())
    device = resolve_device(machine)
    seed = derive_seed(recipe.seed, "order")
    train = FirstBatches(
        store, split.train, batch_size=recipe.train.batch_size, device=device, seed=seed
    )
    val_N = _with_a_finding_first(store, split.val)
    val = FirstBatches(store, val_N, batch_size=thrift.eval_batch_size, device=device)
    train.limit_s, val.limit_s = TRAIN_S, VAL_S
    metadata = seen_metadata(recipe.model.weights, split, store.manifest)
    means = Means(thrift, speedups=resolve_speedups(machine))
    save_s = _fit(recipe, network, Parts(train, val, metadata), run, means)
    scores_NL = np.random.default_rng(0).random((len(split.val), len(store.findings)))
    as_predictions(scores_NL, store, split.val).save(run.predictions_file("val"))
    return Pace(
        device=describe_device(device),
        num_train=train.num_images,
        num_val=val.num_images,
        start_s=build_s + train.copy_s + val.copy_s,
        train_image_s=train.image_s,
        val_image_s=val.image_s,
        save_s=save_s,
        checkpoint_bytes=run.checkpoint.stat().st_size,
        weights_bytes=run.best_weights.stat().st_size,
        predictions_bytes=run.predictions_file("val").stat().st_size,
        gpu_bytes=torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0,
    )


def _fit(recipe: Recipe, network: Network, parts: Parts, run: RunDirectory, means: Means) -> float:
    """Train an epoch of the few batches; seconds from its last batch until all is on disk."""
    ended_s: list[float] = []

    def report(epoch: EpochReport) -> None:
        ended_s.append(time.perf_counter())

    one_epoch = recipe.with_values({"train.epochs": 1})
    told = Listeners(report=report)
    Trainer(one_epoch, network, parts=parts, run=run, means=means, listeners=told).fit()
    assert isinstance(parts.val, FirstBatches)
    return ended_s[0] - parts.val.end_s


def _with_a_finding_first(
    store: LabelledImages, index_N: NDArray[np.integer[Any]]
) -> NDArray[np.integer[Any]]:
    """The same images; the first batch has an AUROC, which the trainer asks for."""
    return np.roll(index_N, -int(store.label_NL[index_N].any(axis=1).argmax()))


class FirstBatches(Batches):
    """The first batches of an epoch, timed from one to the next.

    Attributes:
        limit_s: No further batch is begun after this time.
        copy_s: What it would take to move all images to the GPU; the images there are blank.
        end_s: When the last batch had been used, by `time.perf_counter`.
    """

    together_images = 1  # each batch is to be timed by itself
    limit_s = 0.0
    copy_s = 0.0
    end_s = 0.0

    def epoch(self, epoch: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        self.laps: list[tuple[int, float]] = []
        self._synchronize()
        self.end_s = time.perf_counter()
        for batch in super().epoch(epoch):
            yield batch  # and on the way back it has been used
            self._synchronize()
            begin_s, self.end_s = self.end_s, time.perf_counter()
            self.laps.append((len(batch[0]), self.end_s - begin_s))
            if len(self.laps) > self._num_warmup and self._counted_s >= self.limit_s:
                return

    @property
    def image_s(self) -> float:
        """Seconds an image, the first batches left out where there are others."""
        laps = self.laps[self._num_warmup :] or self.laps
        return sum(seconds for _, seconds in laps) / sum(count for count, _ in laps)

    @property
    def _counted_s(self) -> float:
        return sum(seconds for _, seconds in self.laps[self._num_warmup :])

    @property
    def _num_warmup(self) -> int:
        return NUM_WARMUP_GPU if self.device.type == "cuda" else NUM_WARMUP_CPU

    def _copy_all(self) -> Tensor:
        """Blank images, at once, in place of all of a store, which may take minutes to read."""
        row_B = np.arange(min(READ_IMAGES, self.num_images))
        begin_s = time.perf_counter()
        image_B1HW = self._read(row_B).to(self.device)
        self._synchronize()
        self.copy_s = (time.perf_counter() - begin_s) * self.num_images / len(row_B)
        return image_B1HW.new_zeros((self.num_images, *image_B1HW.shape[1:]))

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
