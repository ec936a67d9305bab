"""What a training step costs beside the same step by hand, and what an epoch's end costs.

That both loops compute the same is checked, to the bit, before anything is timed. Steps of the two
alternate, and so does who goes first, so that whatever else the machine does meets both.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.core.recipe import Frozen, Recipe
from harness.core.run_dir import RunDirectory
from harness.data.batches import Batches
from harness.models.zoo import Network, build_network
from harness.speed.minimal import minimal_steps
from harness.speed.report import markdown_table, write_report
from harness.speed.reports import ReportSpeed
from harness.training.means import Means
from harness.training.parts import Parts
from harness.training.runtime import num_threads
from harness.training.thrift import Thrift
from harness.training.trainer import Progress, Trainer

MODELS = ("densenet121", "vit_small_patch16_224")
NUM_EQUAL = 20
"""Steps whose losses must be equal to the bit; they warm both loops up."""
NUM_SAVES = 7


@dataclass(frozen=True)
class Work:
    """What both loops do: a network trained on random images, `num_timed` steps after the first.

    Attributes:
        stored_px: Side of the images, of which the network is shown `input_px`.
    """

    model: str
    batch_size: int = 8
    stored_px: int = 256
    input_px: int = 224
    num_equal: int = NUM_EQUAL
    num_timed: int = 20
    threads: int = 1

    @property
    def recipe(self) -> Recipe:
        return Recipe().with_values(
            {
                "model.name": self.model,
                "model.weights": "none",
                "data.resize_px": self.stored_px,
                "data.input_px": self.input_px,
                "train.batch_size": self.batch_size,
            }
        )

    def network(self) -> Network:
        recipe = self.recipe
        return build_network(
            recipe.model, num_findings=len(FINDINGS), input_px=self.input_px, seed=0
        )

    def store(self) -> "RandomStore":
        return RandomStore(self.batch_size * (self.num_equal + self.num_timed), self.stored_px)


class RandomStore:
    """Noise with labels, in memory, as batches want it."""

    def __init__(self, num_images: int, size_px: int) -> None:
        rng = np.random.default_rng(0)
        self.images: NDArray[np.uint8] = rng.integers(
            0, 256, (num_images, size_px, size_px), dtype=np.uint8
        )
        self.label_NL = rng.random((num_images, len(FINDINGS))) < 0.1
        self.is_known_NL = np.ones_like(self.label_NL)


class StepSpeed(Frozen):
    """Seconds of a step in each loop, medians; `ratio` is ours per theirs in steps a second."""

    model: str
    batch_size: int
    input_px: int
    threads: int
    num_equal: int
    harness_s: float
    minimal_s: float
    ratio: float


class SaveSpeed(Frozen):
    """Milliseconds for which an epoch's checkpoint stops the loop, medians.

    Attributes:
        blocked_ms: A copy in memory; a thread writes it.
        first_ms: The first time, when the copy's memory is new.
        torch_save_ms: `torch.save` of the same state, in the loop.
        megabytes: Of the checkpoint.
    """

    model: str
    megabytes: float
    blocked_ms: float
    first_ms: float
    torch_save_ms: float

    @property
    def ratio(self) -> float:
        return self.torch_save_ms / self.blocked_ms


class TrainSpeed(Frozen):
    """All that `harness speed train` has measured; `reports` is None where that was not asked."""

    steps: tuple[StepSpeed, ...]
    saves: tuple[SaveSpeed, ...]
    reports: ReportSpeed | None = None


def compare(
    works: Sequence[Work],
    tell: Callable[[str], None],
    measure_reports: Callable[[], ReportSpeed] | None = None,
) -> TrainSpeed:
    """Time the steps and the checkpoints of each network, and its reports where they are asked for.

    Args:
        tell: Called with a line about what begins.

    Raises:
        HarnessError: The two loops have not computed the same.
    """
    steps, saves = [], []
    for work in works:
        with num_threads(work.threads), tempfile.TemporaryDirectory() as folder:
            tell(f"{work.model}: {work.num_equal} steps for equality, {work.num_timed} for time")
            trainer = make_trainer(work, Path(folder).resolve())
            steps.append(compare_steps(work, trainer))
            tell(f"{work.model}: its checkpoint")
            saves.append(compare_saves(work.model, trainer))
    reports = None
    if measure_reports is not None:
        tell("an epoch's metrics, told through Ray")
        try:
            reports = measure_reports()
        except HarnessError as error:  # Ray does not start here: what was measured is worth more
            tell(f"them failed ({error}); the rest is told")
    return TrainSpeed(steps=tuple(steps), saves=tuple(saves), reports=reports)


def make_trainer(work: Work, folder: Path) -> Trainer:
    store = work.store()
    index_N = np.arange(len(store.images))
    batches = Batches(store, index_N, batch_size=work.batch_size, device="cpu")
    means = Means(Thrift(work.batch_size))
    parts = Parts(train=batches, val=batches)
    return Trainer(work.recipe, work.network(), parts=parts, run=RunDirectory(folder), means=means)


# Steps ------------------------------------------------------------------------------------------


def compare_steps(work: Work, trainer: Trainer) -> StepSpeed:
    """Take the steps of an epoch in both loops by turns.

    Raises:
        HarnessError: A loss differs in any bit.
    """
    store = work.store()
    ours = trainer.steps(1)
    theirs = minimal_steps(
        work.network(), store.images, store.label_NL.astype(np.float32), work.recipe
    )
    check_equal(work.model, list(islice(ours, work.num_equal)), islice(theirs, work.num_equal))
    ours_s, theirs_s = by_turns(ours, theirs, work.num_timed)
    pairs = zip(ours_s, theirs_s, strict=True)
    return StepSpeed(
        model=work.model,
        batch_size=work.batch_size,
        input_px=work.input_px,
        threads=work.threads,
        num_equal=work.num_equal,
        harness_s=statistics.median(ours_s),
        minimal_s=statistics.median(theirs_s),
        ratio=statistics.median(their_s / our_s for our_s, their_s in pairs),
    )


def check_equal(model: str, ours: Sequence[Tensor], theirs: Iterator[Tensor]) -> None:
    for step, (our_loss, their_loss) in enumerate(zip(ours, theirs, strict=True), start=1):
        if not torch.equal(our_loss, their_loss):
            raise HarnessError(
                f"speed train: {model}: at step {step} the harness's loss is {float(our_loss)!r} "
                f"and the minimal loop's {float(their_loss)!r}, so there is nothing to compare"
            )


def by_turns(
    ours: Iterator[Any], theirs: Iterator[Any], count: int
) -> tuple[list[float], list[float]]:
    """Seconds of each of `count` steps of two loops, as ABBAABBA..."""
    times_s: tuple[list[float], list[float]] = ([], [])
    for turn in range(count):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            began = time.perf_counter()
            next((ours, theirs)[which])
            times_s[which].append(time.perf_counter() - began)
    return times_s


# Checkpoints ------------------------------------------------------------------------------------


def compare_saves(model: str, trainer: Trainer, count: int = NUM_SAVES) -> SaveSpeed:
    """What the end of an epoch costs the loop, and `torch.save` of the same state.

    The loop is as it is where an epoch takes longer than its checkpoint: nothing is being written.
    """
    trainer.progress, trainer.metrics = Progress(epoch=1), {"val/loss": 1.0}
    trainer.best_score_NL = np.zeros((1, 1), dtype=np.float32)
    by_hand = trainer.run.path / "by_hand.ckpt"
    blocked_s, saved_s = [], []
    for _ in range(count + 1):
        began = time.perf_counter()
        trainer.save(lambda report: None, lambda score_NL: None)
        blocked_s.append(time.perf_counter() - began)
        trainer.writer.wait()
        began = time.perf_counter()
        torch.save(trainer.state(), by_hand)
        saved_s.append(time.perf_counter() - began)
    return SaveSpeed(
        model=model,
        megabytes=by_hand.stat().st_size / 1e6,
        blocked_ms=1000 * statistics.median(blocked_s[1:]),
        first_ms=1000 * blocked_s[0],
        torch_save_ms=1000 * statistics.median(saved_s[1:]),
    )


# What is told -----------------------------------------------------------------------------------

HEADERS = ("what", "harness", "by hand", "ratio", "goal")
GOAL_STEP, GOAL_SAVE, GOAL_REPORT_MS = 0.98, 5, 1


def rows_of(speed: TrainSpeed) -> list[list[str]]:
    """The cells under `HEADERS`."""
    rows = [
        [
            f"{step.model}: images/s, batch {step.batch_size} at {step.input_px} px",
            f"{step.batch_size / step.harness_s:.2f}",
            f"{step.batch_size / step.minimal_s:.2f}",
            f"{step.ratio:.3f}",
            f">= {GOAL_STEP}",
        ]
        for step in speed.steps
    ]
    rows += [
        [
            f"{save.model}: ms in the loop for a checkpoint of {save.megabytes:.0f} MB",
            f"{save.blocked_ms:.1f}",
            f"{save.torch_save_ms:.1f}",
            f"{save.ratio:.1f}",
            f">= {GOAL_SAVE}",
        ]
        for save in speed.saves
    ]
    return rows + (_report_rows(speed.reports) if speed.reports else [])


def _report_rows(reports: ReportSpeed) -> list[list[str]]:
    what = f"ms for an epoch's {reports.num_metrics} metrics"
    goal = f"<= {GOAL_REPORT_MS} ms"
    return [
        [
            f"{what}: in the loop, told to Ray", f"{reports.handed_ms:.3f}",
            f"{reports.tune_report_ms:.3f}", f"{reports.tune_report_ms / reports.handed_ms:.1f}",
            goal,
        ],
        [
            f"{what}: in the driver, told to MLflow", f"{reports.tell_ms:.3f}",
            f"{reports.log_batch_ms:.3f}", f"{reports.log_batch_ms / reports.tell_ms:.1f}", goal,
        ],
    ]  # fmt: skip


def write_train_report(speed: TrainSpeed, hardware: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `train.json` and `train.md` into a folder; their paths."""
    figures = speed.model_dump(mode="json")
    for save, told in zip(speed.saves, figures["saves"], strict=True):
        told["ratio"] = save.ratio
    text = PAGE.format(
        table=markdown_table(HEADERS, rows_of(speed)),
        num_equal=min(step.num_equal for step in speed.steps),
        threads=max(step.threads for step in speed.steps),
        first=", ".join(f"{save.first_ms:.0f} ms ({save.model})" for save in speed.saves),
    )
    return write_report(
        folder / "train", figures=figures, text=text, hardware=hardware, tools=TOOLS
    )


TOOLS = ("torch", "timm", "ray", "mlflow")

PAGE = """\
# What a training step costs beside the same step by hand

{table}

The minimal loop (`harness/speed/minimal.py`) has the same network, loss, optimizer, augmentation
and images, and nothing else: no resume, no checks, no micro-batches. Losses of the first
{num_equal} steps are equal to the bit, else nothing is timed. Steps of the two loops alternate, and
so does who goes first; the ratio is the median over pairs of steps. CPU, torch threads: {threads}.

A checkpoint holds weights, optimizer and progress. The harness stops the loop for a copy in memory
and writes it while the next epoch trains; by hand it is `torch.save`, in the loop. The first copy
of a run, whose memory is new, took {first}. Metrics are told to Ray and MLflow by threads of their
own; by hand it is `tune.report` in the loop, and one synchronous `log_batch` into SQLite.
"""
