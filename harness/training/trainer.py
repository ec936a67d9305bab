"""`Trainer`: the one training loop.

Shapes: B images of a batch, N images of a part, L findings.

Every random draw of an epoch comes from the recipe's seed, its use and the epoch's number, so a
run that continues from a checkpoint draws what it would have drawn.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import DivergedError
from harness.core.files import check_space
from harness.core.recipe import Recipe
from harness.core.records import EarlyReport, EpochReport
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.core.selection import SCORE
from harness.evaluation.metrics import macro_auroc
from harness.models.zoo import Network
from harness.training.checkpoint import load_checkpoint, num_bytes, save_checkpoint, save_weights
from harness.training.compiled import compiled
from harness.training.epoch_writer import EpochWriter
from harness.training.fast_step import build_step
from harness.training.feed import shown
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
from harness.training.predict import predict
from harness.training.progress import Progress, as_best, parts_of_an_epoch
from harness.training.runtime import seeded
from harness.training.snapshot import Snapshot
from harness.training.thrift import recompute_activations

log = logging.getLogger(__name__)

STEPS_BETWEEN_CHECKS = 25
"""A loss is looked at this many steps late at most: each look makes a GPU wait."""


KeepScores = Callable[[NDArray[np.float32]], None]
"""Told the validation scores (N, L) of an epoch that is better than those before it."""

ReportEarly = Callable[[EarlyReport], None]
"""Told a score within an epoch, once it is on disk."""


def ignore_early(report: EarlyReport) -> None:
    """A `report_early` for those who do not listen."""


class Trainer:
    """Trains one network by one recipe in one run directory, and continues what it finds there.

    An epoch is written, and then reported, while the next one trains: the loop waits for a copy in
    memory. `kill -9` costs the epoch in training and the one that was being written.
    """

    def __init__(
        self, recipe: Recipe, network: Network, *, parts: Parts, run: RunDirectory, means: Means
    ) -> None:
        if means.does_compile:
            network = compiled(network, recipe.train.batch_size).network
        self.recipe = recipe
        self.network = network
        self.parts = parts
        self.run = run
        self.watch = means.watch
        self.reports_per_epoch = means.reports_per_epoch
        self.device = parts.train.device
        self.loss = build_loss(recipe.loss)
        self.optimizer = build_optimizer(network.backbone, recipe.optim)
        self.schedule = Schedule(
            self.optimizer, recipe.schedule, steps=len(parts.train), epochs=recipe.train.epochs
        )
        self.step = build_step(network, self.optimizer, self.loss, means)
        self.progress = Progress()
        self.best_score_NL: NDArray[np.float32] | None = None
        self._snapshot = Snapshot() if means.thrift.does_copy else None
        self.writer = EpochWriter(in_background=means.thrift.does_copy)
        if means.thrift.does_recompute:
            recompute_activations(network.backbone)

    def fit(
        self,
        report: Callable[[EpochReport], None],
        keep_scores: KeepScores,
        report_early: ReportEarly = ignore_early,
    ) -> Progress:
        """Train to the end, telling `report` of each epoch once all of it is on disk.

        All three are called in another thread, in order, never two at once. What they raise ends
        the training at its next step. All has been told when this returns.

        Raises:
            DivergedError: A loss was not finite.
            DiskFullError: There is too little space for the checkpoint or the weights.
        """
        self._check_space()
        self._resume(keep_scores)
        with self.writer:
            while not self.progress.is_over(self.recipe.train):
                started = time.perf_counter()
                metrics = self._train_epoch(self.progress.epoch + 1, report_early)
                val_metrics, score_NL = self._validate()
                self.schedule.after_epoch(val_metrics["val/loss"])
                self._advance(metrics | val_metrics, score_NL, time.perf_counter() - started)
                self.save(report, keep_scores)
        return self.progress

    def _check_space(self) -> None:
        """Refuse a disk on which the run could not end, before any time is spent.

        The most that lies there at once: the last checkpoint, the next beside it, the weights.
        """
        weights = num_bytes(self.network.backbone.state_dict())
        parameters = num_bytes(list(self.network.backbone.parameters()))
        moments = OPTIMIZERS[self.recipe.optim.name].num_moments * parameters
        there = (self.run.checkpoint, self.run.best_weights)
        lies = sum(path.stat().st_size for path in there if path.exists())
        check_space(self.run.checkpoint, max(0, 2 * (weights + moments) + weights - lies))

    # One epoch ------------------------------------------------------------------------------

    def _train_epoch(self, epoch: int, report_early: ReportEarly) -> dict[str, float]:
        losses: list[Tensor] = []
        part_after = parts_of_an_epoch(len(self.parts.train), self.reports_per_epoch)
        for step, loss in enumerate(self.steps(epoch), start=1):
            losses.append(loss)
            if step in part_after:
                num_parts = (epoch - 1) * self.reports_per_epoch + part_after[step]
                self._report_early(num_parts / self.reports_per_epoch, report_early)
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

    def _validate(self) -> tuple[dict[str, float], NDArray[np.float32]]:
        with self.watch("validation"):
            logit_NL, label_NL = predict(
                self.network, self.parts.val, self.recipe, after_batch=self.writer.check
            )
        is_known_NL = ~label_NL.isnan()
        # The loss is a mean over all labels, in which one that is not known counts as 0.
        loss = float(self.loss(logit_NL, label_NL)) / float(is_known_NL.double().mean())
        score_NL = torch.sigmoid(logit_NL).numpy()
        if not (np.isfinite(loss) and np.isfinite(score_NL).all()):
            raise DivergedError(
                f"validation loss is not finite after epoch {self.progress.epoch + 1}, "
                f"lr {self.schedule.lr:.3g}"
            )
        return {
            "val/loss": loss,
            "val/bce": float(
                F.binary_cross_entropy_with_logits(logit_NL[is_known_NL], label_NL[is_known_NL])
            ),
            "val/auroc_macro": macro_auroc(score_NL, (label_NL == 1).numpy(), is_known_NL.numpy()),
        }, score_NL

    def _report_early(self, epoch: float, report_early: ReportEarly) -> None:
        """Tell the score within an epoch, and leave everything as it was.

        Validation draws nothing and moves no statistics. Where its loss is not finite nothing is
        told: the epoch's end will judge, as it would have without a report before it.
        """
        try:
            metrics, _ = self._validate()
        except DivergedError:
            return
        finally:
            self.network.train()
        kept = (
            metrics
            if self.progress.is_better(metrics, self.recipe.train)
            else self.progress.best_metrics
        )
        told = EarlyReport(epoch=epoch, score=as_best(kept)[SCORE])

        def write() -> None:
            self.run.add_early(told)
            report_early(told)

        self.writer.start(write)

    # Progress -------------------------------------------------------------------------------

    def _advance(
        self, metrics: dict[str, float], score_NL: NDArray[np.float32], epoch_s: float
    ) -> None:
        progress = self.progress
        progress.epoch += 1
        progress.duration_s += epoch_s
        if progress.is_better(metrics, self.recipe.train):
            progress.best_epoch = progress.epoch
            progress.best_metrics = metrics
            self.best_score_NL = score_NL
        best = as_best(progress.best_metrics)
        self.metrics = metrics | best | {"best/epoch": progress.best_epoch, "time/epoch_s": epoch_s}

    def save(self, report: Callable[[EpochReport], None], keep_scores: KeepScores) -> None:
        """Copy the epoch's state as it is now; the writer writes it, then reports it."""
        with self.watch("checkpoint"):
            self.writer.wait()  # it reads the buffers of the copy before
            state = self.state()
            if self._snapshot is not None:
                state = self._snapshot.take(state)
            told = EpochReport(epoch=self.progress.epoch, metrics=self.metrics)
            is_best = self.progress.best_epoch == self.progress.epoch
            best_score_NL = self.best_score_NL
            assert best_score_NL is not None

            def write() -> None:
                """The epoch's line, then the checkpoint, then what follows from a better one."""
                self.run.append_epoch(told)
                save_checkpoint(self.run.checkpoint, state)
                if is_best:
                    self._keep_best(state["backbone"], best_score_NL, keep_scores)
                report(told)

            self.writer.start(write)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds, live: it moves on as the training does."""
        assert self.best_score_NL is not None
        return {
            "backbone": self.network.backbone.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "progress": asdict(self.progress),
            "best_score_NL": torch.from_numpy(self.best_score_NL),
        }

    def _keep_best(
        self,
        weights: dict[str, Tensor],
        score_NL: NDArray[np.float32],
        keep_scores: KeepScores,
    ) -> None:
        save_weights(self.run.best_weights, weights, metadata=self.parts.metadata)
        keep_scores(score_NL)

    def _resume(self, keep_scores: KeepScores) -> None:
        state: dict[str, Any] | None = load_checkpoint(self.run.checkpoint, self.device)
        if state is None:
            self.run.keep_epochs(0)
            return
        self.network.backbone.load_state_dict(state["backbone"])
        self.optimizer.load_state_dict(state["optimizer"])
        as_numbers(self.optimizer)
        lay_out_as_weights(self.optimizer)
        self.schedule.load_state_dict(state["schedule"])
        self.progress = Progress(**state["progress"])
        self.best_score_NL = state["best_score_NL"].cpu().numpy()
        self.run.keep_epochs(self.progress.epoch)
        if self.progress.best_epoch == self.progress.epoch:
            self._keep_best(state["backbone"], self.best_score_NL, keep_scores)
        log.info("%s continues after epoch %d", self.run.path.name, self.progress.epoch)

    def _seed(self, use: str, epoch: int) -> int:
        return derive_seed(self.recipe.seed, use, epoch)
