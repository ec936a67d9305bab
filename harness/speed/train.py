"""What a training step costs beside the same step by hand, and what an epoch's end costs.

That both loops compute the same is checked, to the bit, before anything is timed. Steps of the two
alternate, and so does who goes first, so that whatever else the machine does meets both.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.core.recipe import Frozen
from harness.speed.minimal import minimal_steps
from harness.speed.report import Row, Speed
from harness.speed.reports import ReportSpeed, measure_reports
from harness.speed.work import Work, make_trainer
from harness.training.course import Course
from harness.training.runtime import num_threads
from harness.training.trainer import Trainer

MODELS = ("densenet121", "vit_small_patch16_224")
NUM_SAVES = 7


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

    @property
    def row(self) -> Row:
        return Row(
            what=f"{self.model}: steps of batch {self.batch_size} at {self.input_px} px",
            unit="images/s", is_rate=True, ours=self.batch_size / self.harness_s,
            peer=self.batch_size / self.minimal_s, peer_name="by hand", goal=GOAL_STEP,
            paired_ratio=self.ratio,
        )  # fmt: skip


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
    def row(self) -> Row:
        return Row(
            what=f"{self.model}: the loop waits for a checkpoint of {self.megabytes:.0f} MB",
            unit="ms", ours=self.blocked_ms, peer=self.torch_save_ms, peer_name="torch.save",
            goal=GOAL_SAVE,
        )  # fmt: skip


def measure_train(num_steps: int, threads: int, tell: Callable[[str], None]) -> Speed:
    """Time the steps and the checkpoints of each network of `MODELS`, and a worker's reports.

    Args:
        num_steps: Of each network, that are timed.
        threads: Of torch.
        tell: Called with a line about what begins.

    Raises:
        HarnessError: The two loops have not computed the same.
    """
    steps, saves = compare(
        [Work(model, num_timed=num_steps, threads=threads) for model in MODELS], tell
    )
    tell("an epoch's metrics, told to Ray")
    try:
        reports = measure_reports()
    except HarnessError as error:  # Ray does not start here: what was measured is worth more
        tell(f"them failed ({error}); the rest is told")
        reports = None
    return told(steps, saves, reports)


def compare(
    works: Sequence[Work], tell: Callable[[str], None]
) -> tuple[list[StepSpeed], list[SaveSpeed]]:
    """Time the steps and the checkpoints of each network."""
    steps, saves = [], []
    for work in works:
        with num_threads(work.threads), tempfile.TemporaryDirectory() as folder:
            tell(f"{work.model}: {work.num_equal} steps for equality, {work.num_timed} for time")
            trainer = make_trainer(work, Path(folder).resolve())
            steps.append(compare_steps(work, trainer))
            tell(f"{work.model}: its checkpoint")
            saves.append(compare_saves(work.model, trainer))
    return steps, saves


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
    trainer.course, trainer.metrics = Course(epoch=1), {"val/loss": 1.0}
    trainer.best_score_NL = np.zeros((1, 1), dtype=np.float32)
    by_hand = trainer.run.path / "by_hand.ckpt"
    blocked_s, saved_s = [], []
    for _ in range(count + 1):
        began = time.perf_counter()
        trainer.save()
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

GOAL_STEP, GOAL_SAVE = 0.98, 5
TOOLS = ("torch", "timm", "ray")


def told(
    steps: Sequence[StepSpeed], saves: Sequence[SaveSpeed], reports: ReportSpeed | None
) -> Speed:
    """The rows and the notes of what was measured."""
    rows = [step.row for step in steps] + [save.row for save in saves]
    return Speed(
        title="What a training step costs beside the same step by hand",
        rows=(*rows, *(reports.rows if reports else ())),
        notes=NOTES.format(
            num_equal=min(step.num_equal for step in steps),
            threads=max(step.threads for step in steps),
            first=", ".join(f"{save.first_ms:.0f} ms ({save.model})" for save in saves),
        ),
        tools=TOOLS,
        figures={
            "steps": [step.model_dump(mode="json") for step in steps],
            "saves": [save.model_dump(mode="json") for save in saves],
        },
    )


NOTES = """\
The minimal loop (`harness/speed/minimal.py`) has the same network, loss, optimizer, augmentation
and images, and nothing else: no resume, no checks, no micro-batches. Losses of the first
{num_equal} steps are equal to the bit, else nothing is timed. Steps of the two loops alternate, and
so does who goes first; the ratio is the median over pairs of steps. CPU, torch threads: {threads}.

A checkpoint holds weights, optimizer and progress. The harness stops the loop for a copy in memory
and writes it while the next epoch trains; `torch.save` of the same is in the loop. The first copy
of a run, whose memory is new, took {first}. A thread tells Ray of the metrics; what MLflow costs,
of which the driver tells, is measured by `harness speed tracking`.
"""
