"""`Trainer`: the one training loop.

Shapes: B images of a batch, N images of a part, L findings.

Every random draw of an epoch comes from the recipe's seed, its use and the epoch's number, so a
run that continues from a checkpoint draws what it would have drawn.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import DivergedError
from harness.core.recipe import Recipe
from harness.core.records import EpochReport
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.data.augment import augment, eval_cut
from harness.data.batches import Batches
from harness.evaluation.metrics import macro_auroc
from harness.models.zoo import Network
from harness.training.checkpoint import load_checkpoint, save_checkpoint, save_weights
from harness.training.losses import build_loss
from harness.training.optim import Schedule, build_optimizer
from harness.training.runtime import autocast, seeded

log = logging.getLogger(__name__)

EVAL_BATCH_SIZE = 64
STEPS_BETWEEN_CHECKS = 25
"""A loss is looked at this many steps late at most: each look makes a GPU wait."""


@dataclass
class Progress:
    """How far a run has come. `best_epoch` is the epoch whose weights are kept."""

    epoch: int = 0
    best_epoch: int = 0
    best_metrics: dict[str, float] = field(default_factory=dict)
    duration_s: float = 0.0


class Trainer:
    """Trains one network by one recipe in one run directory, and continues what it finds there."""

    def __init__(
        self, recipe: Recipe, network: Network, *, train: Batches, val: Batches, run: RunDirectory
    ) -> None:
        self.recipe = recipe
        self.network = network
        self.train_batches = train
        self.val_batches = val
        self.run = run
        self.device = train.device
        self.loss = build_loss(recipe.loss)
        self.optimizer = build_optimizer(network.backbone, recipe.optim)
        self.schedule = Schedule(
            self.optimizer, recipe.schedule, steps=len(train), epochs=recipe.train.epochs
        )
        self.progress = Progress()
        self.best_score_NL: NDArray[np.float32] | None = None

    def fit(self, report: Callable[[EpochReport], None]) -> Progress:
        """Train to the end, telling `report` of each epoch once all of it is on disk.

        Raises:
            DivergedError: A loss was not finite.
        """
        self._resume()
        while not self._is_done():
            started = time.perf_counter()
            metrics = self._train_epoch(self.progress.epoch + 1)
            val_metrics, score_NL = self._validate()
            self.schedule.after_epoch(val_metrics["val/loss"])
            self._advance(metrics | val_metrics, score_NL, time.perf_counter() - started)
            report(self._save())
        return self.progress

    # One epoch ------------------------------------------------------------------------------

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        self.network.train()
        generator = torch.Generator().manual_seed(self._seed("augment", epoch))
        first_step = (epoch - 1) * len(self.train_batches)
        losses: list[Tensor] = []
        lr = 0.0
        with seeded(self._seed("dropout", epoch), self.device):
            for step, (image_B1HW, label_BL) in enumerate(self.train_batches.epoch(epoch)):
                lr = self.schedule.before_step(first_step + step)
                image_B1HW = augment(
                    image_B1HW,
                    recipe=self.recipe.augment,
                    data=self.recipe.data,
                    generator=generator,
                )
                losses.append(self._step(image_B1HW, label_BL))
                if len(losses) % STEPS_BETWEEN_CHECKS == 0:
                    self._check_finite(losses[-STEPS_BETWEEN_CHECKS:], epoch, step, lr)
        self._check_finite(losses, epoch, len(losses) - 1, lr)
        return {"lr": lr, "train/loss": float(torch.stack(losses).mean())}

    def _step(self, image_B1HW: Tensor, label_BL: Tensor) -> Tensor:
        with autocast(self.device):
            logit_BL = self.network(image_B1HW)
        loss = self.loss(logit_BL, label_BL)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _check_finite(self, losses: list[Tensor], epoch: int, last_step: int, lr: float) -> None:
        is_bad = ~torch.isfinite(torch.stack(losses))
        if bool(is_bad.any()):
            step = last_step - len(losses) + 1 + int(is_bad.int().argmax())
            raise DivergedError(
                f"training loss is not finite at epoch {epoch}, step {step + 1}, lr {lr:.3g}"
            )

    def _validate(self) -> tuple[dict[str, float], NDArray[np.float32]]:
        logit_NL, label_NL = predict(self.network, self.val_batches, self.recipe)
        loss = float(self.loss(logit_NL, label_NL))
        score_NL = torch.sigmoid(logit_NL).numpy()
        if not (np.isfinite(loss) and np.isfinite(score_NL).all()):
            lr = self.optimizer.param_groups[-1]["lr"]
            raise DivergedError(
                f"validation loss is not finite after epoch {self.progress.epoch + 1}, lr {lr:.3g}"
            )
        return {
            "val/loss": loss,
            "val/bce": float(F.binary_cross_entropy_with_logits(logit_NL, label_NL)),
            "val/auroc_macro": macro_auroc(score_NL, label_NL.numpy().astype(bool)),
        }, score_NL

    # Progress -------------------------------------------------------------------------------

    def _advance(
        self, metrics: dict[str, float], score_NL: NDArray[np.float32], epoch_s: float
    ) -> None:
        progress = self.progress
        progress.epoch += 1
        progress.duration_s += epoch_s
        keep, sign = self.recipe.train.keep, -1 if self.recipe.train.is_lower_better else 1
        if not progress.best_metrics or sign * metrics[keep] > sign * progress.best_metrics[keep]:
            progress.best_epoch = progress.epoch
            progress.best_metrics = metrics
            self.best_score_NL = score_NL
        best = {
            f"best/{name.removeprefix('val/')}": value
            for name, value in progress.best_metrics.items()
            if name.startswith("val/")
        }
        self.metrics = metrics | best | {"best/epoch": progress.best_epoch, "time/epoch_s": epoch_s}

    def _is_done(self) -> bool:
        train, progress = self.recipe.train, self.progress
        stale_epochs = progress.epoch - progress.best_epoch
        return progress.epoch >= train.epochs or stale_epochs >= train.early_stop_epochs

    def _save(self) -> EpochReport:
        """Write the epoch: its line, then the checkpoint, then what follows from a better one."""
        report = EpochReport(epoch=self.progress.epoch, metrics=self.metrics)
        self.run.append_epoch(report)
        assert self.best_score_NL is not None
        save_checkpoint(
            self.run.checkpoint,
            {
                "backbone": self.network.backbone.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "progress": asdict(self.progress),
                "best_score_NL": torch.from_numpy(self.best_score_NL),
            },
        )
        self._keep_if_best()
        return report

    def _keep_if_best(self) -> None:
        if self.progress.best_epoch == self.progress.epoch:
            save_weights(self.run.best_weights, self.network.backbone)

    def _resume(self) -> None:
        state: dict[str, Any] | None = load_checkpoint(self.run.checkpoint, self.device)
        if state is None:
            self.run.keep_epochs(0)
            return
        self.network.backbone.load_state_dict(state["backbone"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.progress = Progress(**state["progress"])
        self.best_score_NL = state["best_score_NL"].cpu().numpy()
        self.run.keep_epochs(self.progress.epoch)
        self._keep_if_best()
        log.info("%s continues after epoch %d", self.run.path.name, self.progress.epoch)

    def _seed(self, use: str, epoch: int) -> int:
        return derive_seed(self.recipe.seed, use, epoch)


@torch.inference_mode()
def predict(network: Network, batches: Batches, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """(logit_NL, label_NL), float32 on the CPU, in the order of the batches."""
    network.eval()
    logits, labels = [], []
    for image_B1HW, label_BL in batches.epoch(0):
        with autocast(batches.device):
            logit_BL = network(eval_cut(image_B1HW, recipe.data))
        logits.append(logit_BL.float())
        labels.append(label_BL)
    return torch.cat(logits).cpu(), torch.cat(labels).cpu()
