"""`Trainer`: the one training loop.

Shapes: B images of a batch, N images of a part, L findings.

Every random draw of an epoch comes from the recipe's seed, its use and the epoch's number, so a
run that continues from a checkpoint draws what it would have drawn.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.core.errors import DivergedError
from harness.core.recipe import Recipe
from harness.core.records import EarlyReport, EpochReport
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.core.selection import SCORE
from harness.models.zoo import Network
from harness.training.checkpoint import (
    check_run_space,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from harness.training.compiled import compiled
from harness.training.course import Course, as_best, parts_of_an_epoch
from harness.training.epoch_writer import EpochWriter
from harness.training.feed import shown
from harness.training.graphs import GraphedStep
from harness.training.listeners import NOBODY, Listeners, unwatched
from harness.training.losses import build_loss
from harness.training.means import Means
from harness.training.optim import (
    OPTIMIZERS,
    Schedule,
    as_numbers,
    build_optimizer,
    lay_out_as_weights,
)
from harness.training.parts import Parts
from harness.training.runtime import seeded
from harness.training.snapshot import Snapshot
from harness.training.step import Step, StepCall
from harness.training.thrift import recompute_activations
from harness.training.validation import Validation, validate

log = logging.getLogger(__name__)

STEPS_BETWEEN_CHECKS = 25
"""A loss is looked at this many steps late at most: each look makes a GPU wait."""


class Trainer:
    """Trains one network by one recipe in one run directory, and continues what it finds there.

    An epoch is written, and then reported, while the next one trains: the loop waits for a copy in
    memory. `kill -9` costs the epoch in training and the one that was being written.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        *,
        parts: Parts,
        run: RunDirectory,
        means: Means,
        listeners: Listeners = NOBODY,
    ) -> None:
        forward = compiled(network, recipe.train.batch_size) if means.does_compile else None
        if forward is not None:
            network = forward.network
        self.recipe = recipe
        self.network = network
        self.parts = parts
        self.run = run
        self.listeners = listeners
        self.watch = listeners.watch
        self.device = parts.train.device
        self.loss = build_loss(recipe.loss)
        self.optimizer = build_optimizer(network.backbone, recipe.optim)
        self.schedule = Schedule(
            self.optimizer, recipe.schedule, steps=len(parts.train), epochs=recipe.train.epochs
        )
        watch = unwatched if means.has_graphs else self.watch
        step = Step(network, self.optimizer, self.loss, means.thrift, watch=watch, forward=forward)
        self.step: StepCall = GraphedStep(step, self.watch) if means.has_graphs else step
        self.course = Course()
        self.metrics: dict[str, float] = {}
        self.best_score_NL: NDArray[np.float32] | None = None
        self._snapshot = Snapshot() if means.thrift.does_copy else None
        self.writer = EpochWriter(in_background=means.thrift.does_copy)
        if means.thrift.does_recompute:
            recompute_activations(network.backbone)

    def fit(self) -> Course:
        """Train to the end; all listeners have been told of it when this returns.

        Raises:
            DivergedError: A loss was not finite.
            DiskFullError: There is too little space for the checkpoint or the weights.
        """
        num_moments = OPTIMIZERS[self.recipe.optim.name].num_moments
        check_run_space(self.run, self.network.backbone, num_moments)
        self._resume()
        with self.writer:
            while not self.course.is_over(self.recipe.train):
                started = time.perf_counter()
                metrics = self._train_epoch(self.course.epoch + 1)
                found = self._judge()
                self.schedule.after_epoch(found.metrics["val/loss"])
                self._advance(metrics, found, time.perf_counter() - started)
                self.save()
        return self.course

    # One epoch ------------------------------------------------------------------------------

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        losses: list[Tensor] = []
        num_reports = self.listeners.reports_per_epoch
        part_after = parts_of_an_epoch(len(self.parts.train), num_reports)
        for step, loss in enumerate(self.steps(epoch), start=1):
            losses.append(loss)
            if step in part_after:
                self._report_early(((epoch - 1) * num_reports + part_after[step]) / num_reports)
        return {"lr": self.schedule.lr, "train/loss": float(torch.stack(losses).mean())}

    def steps(self, epoch: int) -> Iterator[Tensor]:
        """Train an epoch (from 1), step by step: the loss of each batch, a scalar on the device.

        Raises:
            DivergedError: A loss was not finite.
            BaseException: What the epoch writer's work has raised meanwhile.
        """
        self.network.train()
        first_step = (epoch - 1) * len(self.parts.train)
        batches = shown(
            self.parts.train,
            epoch,
            self.recipe,
            generator=torch.Generator().manual_seed(self._seed("augment", epoch)),
            watch=self.watch,
        )
        unchecked: list[Tensor] = []
        step = 0
        with seeded(self._seed("dropout", epoch), self.device):
            for step, (image_B1HW, label_BL) in enumerate(batches, start=1):
                self.schedule.before_step(first_step + step - 1)
                loss = self.step(image_B1HW, label_BL)
                unchecked.append(loss)
                if len(unchecked) == STEPS_BETWEEN_CHECKS:
                    self._check_finite(unchecked, epoch, step)
                    unchecked.clear()
                self.writer.check()
                yield loss
        self._check_finite(unchecked, epoch, step)

    def _check_finite(self, losses: list[Tensor], epoch: int, last_step: int) -> None:
        """Raise `DivergedError` where one of the latest losses is not finite."""
        if not losses:
            return
        is_bad = ~torch.isfinite(torch.stack(losses))
        if bool(is_bad.any()):
            step = last_step - len(losses) + 1 + int(is_bad.int().argmax())
            raise DivergedError(
                f"training loss is not finite at epoch {epoch}, step {step}, "
                f"lr {self.schedule.lr:.3g}"
            )

    def _validate(self) -> Validation:
        with self.watch("validation"):
            return validate(
                self.network,
                self.parts.val,
                self.recipe,
                self.loss,
                after_batch=self.writer.check,
            )

    def _judge(self) -> Validation:
        """The validation that ends an epoch.

        Raises:
            DivergedError: Its loss, or a score, is not finite.
        """
        found = self._validate()
        if not found.is_finite:
            raise DivergedError(
                f"validation loss is not finite after epoch {self.course.epoch + 1}, "
                f"lr {self.schedule.lr:.3g}"
            )
        return found

    def _report_early(self, epoch: float) -> None:
        """Tell the score within an epoch, and leave everything as it was.

        Where the validation is not finite nothing is told: the epoch's end will judge, as it would
        have without a report before it.
        """
        found = self._validate()
        self.network.train()
        if not found.is_finite:
            return
        is_better = self.course.is_better(found.metrics, self.recipe.train)
        kept = found.metrics if is_better else self.course.best_metrics
        told = EarlyReport(epoch=epoch, score=as_best(kept)[SCORE])

        def write() -> None:
            self.run.add_early(told)
            self.listeners.report_early(told)

        self.writer.start(write)

    # What is kept ---------------------------------------------------------------------------

    def _advance(self, metrics: dict[str, float], found: Validation, epoch_s: float) -> None:
        course, metrics = self.course, metrics | found.metrics
        course.epoch += 1
        course.duration_s += epoch_s
        if course.is_better(metrics, self.recipe.train):
            course.best_epoch = course.epoch
            course.best_metrics = metrics
            self.best_score_NL = found.score_NL
        best = as_best(course.best_metrics)
        self.metrics = metrics | best | {"best/epoch": course.best_epoch, "time/epoch_s": epoch_s}

    def save(self) -> None:
        """Copy the epoch's state as it is now; the writer writes it, then reports it."""
        with self.watch("checkpoint"):
            self.writer.wait()  # it reads the buffers of the copy before
            state = self.state()
            if self._snapshot is not None:
                state = self._snapshot.take(state)
            told = EpochReport(epoch=self.course.epoch, metrics=self.metrics)
            is_best = self.course.best_epoch == self.course.epoch
            best_score_NL = self.best_score_NL
            assert best_score_NL is not None

            def write() -> None:
                """The epoch's line, then the checkpoint, then what follows from a better one."""
                self.run.append_epoch(told)
                save_checkpoint(self.run.checkpoint, state)
                if is_best:
                    self._keep_best(state["backbone"], best_score_NL)
                self.listeners.report(told)

            self.writer.start(write)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds, live: it moves on as the training does."""
        assert self.best_score_NL is not None
        return {
            "backbone": self.network.backbone.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "course": asdict(self.course),
            "best_score_NL": torch.from_numpy(self.best_score_NL),
        }

    def _keep_best(self, weights: dict[str, Tensor], score_NL: NDArray[np.float32]) -> None:
        save_weights(self.run.best_weights, weights, metadata=self.parts.metadata)
        self.listeners.keep_scores(score_NL)

    def _resume(self) -> None:
        state: dict[str, Any] | None = load_checkpoint(self.run.checkpoint, self.device)
        if state is None:
            self.run.keep_epochs(0)
            return
        self.network.backbone.load_state_dict(state["backbone"])
        self.optimizer.load_state_dict(state["optimizer"])
        as_numbers(self.optimizer)
        lay_out_as_weights(self.optimizer)
        self.schedule.load_state_dict(state["schedule"])
        self.course = Course(**state["course"])
        self.best_score_NL = state["best_score_NL"].cpu().numpy()
        self.run.keep_epochs(self.course.epoch)
        if self.course.best_epoch == self.course.epoch:
            self._keep_best(state["backbone"], self.best_score_NL)
        log.info("%s continues after epoch %d", self.run.path.name, self.course.epoch)

    def _seed(self, use: str, epoch: int) -> int:
        return derive_seed(self.recipe.seed, use, epoch)
