"""What `harness speed gpu` runs: steps by each means, the usual PNG loop, trials on one GPU.

Its data are random and made here, so nothing else need be there, nor pyarrow to read it.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from harness.core.findings import FINDINGS
from harness.core.machine import Speedups
from harness.core.recipe import Recipe
from harness.core.run_dir import RunDirectory
from harness.data.batches import TOGETHER_IMAGES, Batches
from harness.models.zoo import build_network
from harness.speed.work import RandomStore
from harness.training.build import placed
from harness.training.compiled import find_compiled
from harness.training.means import Means
from harness.training.parts import Parts
from harness.training.runtime import autocast
from harness.training.thrift import Thrift, free_memory
from harness.training.trainer import Trainer


@dataclass(frozen=True)
class Size:
    """How much is measured: all of it on a GPU, or next to nothing to try the script itself."""

    models: tuple[str, str, str]
    large: int
    small: tuple[int, ...]
    num_images: int
    stored_px: int
    input_px: int
    png_px: int
    num_pngs: int
    measure_s: float
    trial_images: int
    trial_batch: int
    device: str
    speedups: tuple[Speedups, ...]


FULL = Size(
    models=("densenet121", "vit_small_patch16_224", "vit_base_patch16_224"),
    large=256, small=(8, 16, 32), num_images=4096, stored_px=256, input_px=224, png_px=1024,
    num_pngs=64, measure_s=2.5, trial_images=1024, trial_batch=16, device="cuda",
    speedups=("none", "graphs", "compile", "both"),
)  # fmt: skip
TINY = Size(
    models=("densenet_mini", "vit_mini", "test_vit"),
    large=16, small=(4, 8), num_images=32, stored_px=40, input_px=32, png_px=48,
    num_pngs=4, measure_s=0.0, trial_images=16, trial_batch=8, device="cpu",
    speedups=("none",),
)  # fmt: skip


def make_trainer(
    size: Size, model: str, batch_size: int, speedups: Speedups, folder: Path, **values: Any
) -> Trainer:
    """A trainer on random images, as many as there are whole batches of."""
    recipe = Recipe().with_values(
        {
            "model.name": model,
            "model.weights": "none",
            "data.resize_px": size.stored_px,
            "data.input_px": size.input_px,
            "train.batch_size": batch_size,
            **{name.replace("__", "."): value for name, value in values.items()},
        }
    )
    network = build_network(
        recipe.model, num_findings=len(FINDINGS), input_px=size.input_px, seed=0
    )
    network = placed(network, torch.device(size.device))
    num_images = max(1, size.num_images // batch_size) * batch_size
    store = _store(num_images, size.stored_px)
    batches = Batches(
        store, np.arange(num_images), batch_size=batch_size, device=size.device, seed=0
    )
    means = Means(Thrift(batch_size), speedups=speedups)
    parts = Parts(train=batches, val=batches)
    return Trainer(recipe, network, parts=parts, run=RunDirectory(folder), means=means)


_stores: dict[tuple[int, int], RandomStore] = {}


def _store(num_images: int, size_px: int) -> RandomStore:
    """Drawing noise takes as long as some of the measurements."""
    key = (num_images, size_px)
    if key not in _stores:
        _stores[key] = RandomStore(num_images, size_px)
    return _stores[key]


# Steps ------------------------------------------------------------------------------------------


def step_speed(
    size: Size, model: str, batch_size: int, speedups: Speedups, **values: Any
) -> dict[str, float]:
    """Images a second through data, augmentation and step; seconds until the first step was done.

    `compilations` counts what this process has compiled for the network so far.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(size, model, batch_size, speedups, Path(folder).resolve(), **values)
        try:
            steps = itertools.chain.from_iterable(
                trainer.steps(epoch) for epoch in itertools.count(1)
            )
            began = time.perf_counter()
            next(steps)
            synchronize(size)
            first_s = time.perf_counter() - began
            rate = batch_size * _rate(size, steps, group=max(1, TOGETHER_IMAGES // batch_size))
            kept = find_compiled(trainer.network)
            compilations = kept.num_compilations if kept else 0
        finally:
            del trainer
            free_memory()
    return {"images_per_s": rate, "first_s": first_s, "compilations": compilations}


def _rate(size: Size, steps: Iterator[Tensor], *, group: int) -> float:
    """Steps a second, over whole groups of batches that are augmented together."""
    for _ in range(2 * group if size.measure_s else 1):
        next(steps)
    synchronize(size)
    began, count = time.perf_counter(), 0
    while True:
        for _ in range(4 * group if size.measure_s else 1):
            next(steps)
            count += 1
        synchronize(size)
        elapsed_s = time.perf_counter() - began
        if elapsed_s >= size.measure_s:
            return count / elapsed_s


def synchronize(size: Size) -> None:
    """Wait until the GPU has done all it was given."""
    if size.device == "cuda":
        torch.cuda.synchronize()


# The usual loop ---------------------------------------------------------------------------------


class PngFolder(Dataset[tuple[Tensor, Tensor]]):
    """Images as most code for these data reads them: a PNG file at a time, by torchvision."""

    def __init__(self, files: list[Path], length: int, input_px: int) -> None:
        from torchvision import transforms

        self.files = files
        self.length = length
        self.change = transforms.Compose(
            [
                transforms.RandomResizedCrop(input_px),
                transforms.RandomHorizontalFlip(),
                transforms.ColorJitter(brightness=0.1, contrast=0.1),
                transforms.ToTensor(),
            ]
        )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.files[row % len(self.files)]) as image:
            return self.change(image.convert("L")), torch.zeros(len(FINDINGS))


def png_loop_speed(size: Size, num_workers: int) -> float:
    """Images a second of a DataLoader over PNG files and a plain step of the first model."""
    with tempfile.TemporaryDirectory() as name:
        files = _draw_pngs(Path(name), size)
        length = 100_000 if size.measure_s else 2 * size.large
        loader = DataLoader(
            PngFolder(files, length, size.input_px), batch_size=size.large, shuffle=True,
            num_workers=num_workers, pin_memory=size.device == "cuda", drop_last=True,
        )  # fmt: skip
        network = build_network(
            Recipe().with_values({"model.name": size.models[0], "model.weights": "none"}).model,
            num_findings=len(FINDINGS), input_px=size.input_px, seed=0,
        ).to(size.device)  # fmt: skip
        optimizer = torch.optim.AdamW(network.parameters())
        loss_of = nn.BCEWithLogitsLoss()
        began, count = 0.0, -1
        for image, label in loader:
            with autocast(torch.device(size.device)):
                logit = network(image.to(size.device, non_blocking=True))
            loss = loss_of(logit.float(), label.to(size.device, non_blocking=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            synchronize(size)
            count += 1
            if count == 0:  # the workers have begun by now
                began = time.perf_counter()
            elif time.perf_counter() - began > 6 * size.measure_s:
                break
        return count * size.large / (time.perf_counter() - began)


def _draw_pngs(folder: Path, size: Size) -> list[Path]:
    """Smooth pictures with some noise: about as hard to inflate as a film."""
    rng = np.random.default_rng(0)
    files = []
    for number in range(size.num_pngs):
        coarse = Image.fromarray(rng.integers(0, 230, (16, 16), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((size.png_px, size.png_px), Image.Resampling.BICUBIC))
        noise = rng.integers(0, 8, smooth.shape, dtype=np.uint8)
        files.append(folder / f"{number}.png")
        Image.fromarray((smooth // 2 + noise).astype(np.uint8)).save(files[-1], compress_level=1)
    return files


# Trials -----------------------------------------------------------------------------------------


def make_trials(size: Size, count: int) -> None:
    """Train `count` small trials of three epochs in this process, one after the other."""
    for number in range(count):
        with tempfile.TemporaryDirectory() as folder:
            few = replace(size, num_images=size.trial_images)
            trainer = make_trainer(
                few, size.models[0], size.trial_batch, "none", Path(folder).resolve(),
                train__epochs=3, optim__lr=1e-4 * (1 + number),
            )  # fmt: skip
            trainer.fit()
            del trainer
            free_memory()
