"""`estimate`: what a search will cost in hours and on disk, from real steps of its first recipe.

The steps are the trainer's own, with the store's own batches, on a node that will train. The
figures are those of trials that run to their last epoch.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.core.machine import Machine
from harness.core.parameters import SearchSettings
from harness.core.recipe import Recipe
from harness.execution.checks import show_bytes
from harness.execution.ray_session import Resources, on_a_node
from harness.search.asha import rung_epochs

if TYPE_CHECKING:
    from harness.execution.pace import Pace

WAIT_S = 600.0
"""For a node to have room and to take some steps; one that trains otherwise has none."""
HOUR_S = 3600


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The cost of a number of trials, each to its last epoch.

    Attributes:
        num_trials: Those that are still to be made.
        num_slots: How many run at once.
        num_kept: How many completed trials keep their weights.
    """

    pace: "Pace"
    num_epochs: int
    num_trials: int
    resources: Resources
    num_slots: int
    num_kept: int
    settings: SearchSettings

    @property
    def trial_s(self) -> float:
        """Seconds of one trial to its last epoch, its start and its saving included."""
        pace = self.pace
        return pace.start_s + self.num_epochs * (pace.epoch_s + self.early_s + pace.save_s)

    @property
    def early_s(self) -> float:
        """What the reports within an epoch take, each a validation; 0 where there are none."""
        num_early = self.settings.reports_per_epoch - 1
        return num_early * self.pace.num_val * self.pace.val_image_s

    @property
    def device_hours(self) -> float:
        """GPU-hours, or core-hours where trials take no GPU, of all trials."""
        share = self.resources.gpus or self.resources.cpus
        return self.num_trials * self.trial_s * share / HOUR_S

    @property
    def wall_s(self) -> float:
        """Seconds until the last of the trials has ended, so many at once as there are slots."""
        return math.ceil(self.num_trials / self.num_slots) * self.trial_s

    @property
    def largest_saving(self) -> float:
        """The part of all epochs that the scheduler could save, if it ended all it may at once.

        Of n trials n / f ** k pass rung k: successive halving in its synchronous form (Jamieson
        and Talwalkar 2016, arXiv 1502.07943). The asynchronous form lets more through.
        """
        if self.settings.scheduler == "none" or not self.num_trials:
            return 0.0
        epochs = spent = 0.0
        num_left = self.num_trials
        for rung in rung_epochs(self.settings, self.num_epochs):
            spent += num_left * (rung - epochs)
            num_left = math.ceil(num_left / self.settings.reduction_factor)
            epochs = rung
        spent += num_left * (self.num_epochs - epochs)
        return 1 - spent / (self.num_trials * self.num_epochs)

    @property
    def running_bytes(self) -> int:
        """What one trial takes while it runs: files are replaced by whole new ones."""
        pace = self.pace
        sizes = (pace.checkpoint_bytes, pace.weights_bytes)
        return sum(sizes) + max(sizes) + pace.predictions_bytes

    @property
    def num_bytes(self) -> int:
        """What all trials take at most: some run, the best keep their weights, all predict."""
        num_running = min(self.num_slots, self.num_trials)
        num_kept = min(self.num_kept, self.num_trials)
        return (
            num_running * self.running_bytes
            + num_kept * self.pace.weights_bytes
            + self.num_trials * self.pace.predictions_bytes
        )

    def rows(self) -> list[tuple[str, str]]:
        """What is shown, as pairs of a name and a text."""
        pace = self.pace
        unit = "GPU-hours" if self.resources.gpus else "core-hours"
        saved = f"; pruning saves at most {self.largest_saving:.0%} of it"
        return [
            ("measured on", f"{pace.device}: {pace.image_rate:.3g} training images a second"),
            (
                "one epoch",
                f"{show_seconds(pace.epoch_s)} and {show_seconds(pace.save_s)} to save"
                + (f", {show_seconds(self.early_s)} for early reports" if self.early_s else ""),
            ),
            ("one trial", f"{show_seconds(self.trial_s)} for all of {self.num_epochs} epochs"),
            (
                "all trials",
                f"{self.num_trials} trials, {self.device_hours:.3g} {unit} at most"
                + (saved if self.largest_saving else ""),
            ),
            (
                "wall clock",
                f"{show_seconds(self.wall_s)} at most, with {self.num_slots} at once",
            ),
            (
                "disk",
                f"{show_bytes(self.num_bytes)}: {show_bytes(self.running_bytes)} a running trial, "
                f"{show_bytes(pace.weights_bytes)} of weights for each of the best "
                f"{self.num_kept}, {show_bytes(pace.predictions_bytes)} of predictions a trial",
            ),
        ]


def estimate(
    recipe: Recipe,
    machine: Machine,
    *,
    settings: SearchSettings,
    resources: Resources,
    num_trials: int,
    num_slots: int,
    num_kept: int,
) -> Estimate:
    """The cost of `num_trials` trials around `recipe`, which is bound to the machine's store.

    Some steps are trained on a node of the cluster, with the resources of a trial, where Ray is
    connected, and in this process otherwise.

    Raises:
        HarnessError: The recipe cannot be trained there, or no node has room in time.
    """
    from harness.execution.pace import measure_pace  # torch takes seconds to import

    return Estimate(
        pace=on_a_node(measure_pace, recipe, machine, resources=resources, limit_s=WAIT_S),
        num_epochs=recipe.train.epochs,
        num_trials=num_trials,
        resources=resources,
        num_slots=num_slots,
        num_kept=num_kept,
        settings=settings,
    )


def show_seconds(seconds: float) -> str:
    """`0.41 s`, `3 min 20 s`, `7.5 h`, `3.1 days`."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < HOUR_S:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    hours = seconds / HOUR_S
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} days"
