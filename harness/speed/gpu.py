"""What one GPU makes of the training step: `python -m harness.speed.gpu`, in under 9 minutes.

It needs torch, torchvision, timm, pandas, scikit-learn, pydantic and safetensors, and no data. It
says which `--speedups` pay, and how far the goals are.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from harness.core.errors import HarnessError
from harness.core.machine import Speedups
from harness.core.recipe import Frozen
from harness.data.decode import num_cpus
from harness.speed.gpu_parts import FULL, TINY, Size, make_trials, png_loop_speed, step_speed
from harness.speed.measure import describe_hardware
from harness.speed.report import markdown_table, write_report
from harness.training.compiled import forget_compiled
from harness.training.failures import first_line
from harness.training.thrift import free_memory

LIMIT_S = 480
"""No row is begun after this; rows take 5 to 120 s."""
GOALS = {"densenet121": 6500, "vit_small_patch16_224": 9000, "vit_base_patch16_224": 3000}
GOAL_PNG, GOAL_TRIALS, GOAL_SMALL = 5.0, 2.0, 0.70
NUM_TRIALS, NUM_COLD, NUM_AT_ONCE = 8, 2, 4
HEADERS = ("what", "figure", "goal", "reached")


class Row(Frozen):
    """A figure, or why there is none; `goal` is the least that it should be."""

    what: str
    figure: float | None = None
    unit: str = ""
    goal: float | None = None
    note: str = ""

    @property
    def cells(self) -> list[str]:
        digits = 0 if self.unit == "images/s" else 2
        figure = "-" if self.figure is None else f"{self.figure:,.{digits}f} {self.unit}"
        goal = "" if self.goal is None else f">= {self.goal:,g}"
        is_known = self.goal is not None and self.figure is not None
        reached = ("yes" if self.figure >= self.goal else "no") if is_known else ""  # type: ignore[operator]
        return [
            f"{self.what}{f' ({self.note})' if self.note else ''}",
            figure.strip(),
            goal,
            reached,
        ]


class Bench:
    """The rows so far; a row that fails says why, and the next one is measured all the same."""

    def __init__(self, size: Size, tell: Callable[[str], None]) -> None:
        self.size = size
        self.rows: list[Row] = []
        self.rates: dict[tuple[str, int, str], float] = {}
        self._tell = tell
        self._began = time.monotonic()

    def measure(
        self, what: str, action: Callable[[], float], *, unit: str, goal: float | None = None
    ) -> float | None:
        if time.monotonic() - self._began > LIMIT_S:
            self.rows.append(Row(what=what, goal=goal, note="no time was left"))
            return None
        self._tell(what)
        try:
            figure = action()
        except Exception as error:  # a compiler that is not there, memory: tell it, and go on
            note = f"{type(error).__name__}: {first_line(error)[:80]}"
            self.rows.append(Row(what=what, goal=goal, note=note))
        else:
            self.rows.append(Row(what=what, figure=figure, unit=unit, goal=goal))
            return figure
        forget_compiled()
        free_memory()
        return None

    def add(self, what: str, figure: float, *, unit: str = "", goal: float | None = None) -> None:
        self.rows.append(Row(what=what, figure=figure, unit=unit, goal=goal))

    # Parts ----------------------------------------------------------------------------------

    def steps(self) -> None:
        """Images a second of each network; the cheap means first, compilations last."""
        for means in self.size.speedups:
            for model in self.size.models:
                for batch_size in self._batch_sizes(model, means):
                    self._step(model, batch_size, means)
        self._compare_small()

    def _batch_sizes(self, model: str, means: Speedups) -> tuple[int, ...]:
        """Each size is a compilation, of minutes for DenseNets: there only what decides."""
        first, second, _ = self.size.models
        if means in ("none", "graphs"):
            return (self.size.large, *self.size.small)
        if means == "both":  # compiled before
            return self.size.small[:1] if model == first else ()
        return {first: (self.size.large, self.size.small[0]), second: (self.size.large,)}.get(
            model, ()
        )

    def _step(self, model: str, batch_size: int, means: Speedups) -> None:
        def rate() -> float:
            told.update(step_speed(self.size, model, batch_size, means))
            return told["images_per_s"]

        told: dict[str, float] = {}
        goal = GOALS.get(model) if batch_size == self.size.large else None
        what = f"{model}, batch {batch_size}, speedups {means}"
        figure = self.measure(what, rate, unit="images/s", goal=goal)
        if figure is not None:
            self.rates[model, batch_size, means] = figure
            if means == "compile":
                self.add(f"{what}: until the first step", told["first_s"], unit="s")

    def _compare_small(self) -> None:
        for model in self.size.models:
            best: dict[int, float] = {}
            for (name, batch_size, _), rate in self.rates.items():
                if name == model:
                    best[batch_size] = max(rate, best.get(batch_size, 0.0))
            for batch_size in self.size.small:
                if batch_size in best and self.size.large in best:
                    part = best[batch_size] / best[self.size.large]
                    what = f"{model}: batch {batch_size} per batch {self.size.large}"
                    self.add(what, part, goal=GOAL_SMALL)

    def compilations(self) -> None:
        """How many graphs two trials of one network compile that differ in all that is searched."""
        model, size = self.size.models[1], self.size

        def count() -> float:
            step_speed(size, model, size.large, "compile")
            values = {"optim__lr": 1e-3, "loss__gamma": 1.0, "loss__alpha": 2.0}
            return step_speed(size, model, size.large, "compile", **values)["compilations"]

        self.measure(f"{model}: compilations of two trials (1 is best)", count, unit="")

    def loop(self) -> None:
        """The usual loop over PNG files, beside ours."""
        model, large = self.size.models[0], self.size.large
        workers = num_cpus() if self.size.device == "cuda" else 0
        usual = self.measure(
            f"{model}, batch {large}: DataLoader over PNG files, workers: {workers}",
            lambda: png_loop_speed(self.size, workers), unit="images/s",
        )  # fmt: skip
        ours = self.rates.get((model, large, "none"))
        if usual and ours:
            self.add("ours per the usual loop", ours / usual, goal=GOAL_PNG)

    def trials(self) -> None:
        """Eight trials of three epochs, by one process each, in one process, and side by side."""
        num_cold = min(NUM_COLD, NUM_TRIALS)
        cold = self.measure(
            f"{NUM_TRIALS} trials, each in a new process (scaled from {num_cold})",
            lambda: sum(_timed(self.size, [1]) for _ in range(num_cold)) * NUM_TRIALS / num_cold,
            unit="s",
        )  # fmt: skip
        ways = {
            f"{NUM_TRIALS} trials in one process": [NUM_TRIALS],
            f"{NUM_TRIALS} trials in {NUM_AT_ONCE} processes at once": [
                NUM_TRIALS // NUM_AT_ONCE
            ] * NUM_AT_ONCE,
        }  # fmt: skip
        for what, counts in ways.items():
            took_s = self.measure(
                what, lambda counts=counts: _timed(self.size, counts), unit="s"  # type: ignore[misc]
            )  # fmt: skip
            if cold and took_s:
                goal = GOAL_TRIALS if len(counts) > 1 else None
                self.add(f"{what}: times as fast as cold", cold / took_s, goal=goal)


PARTS: dict[str, Callable[[Bench], None]] = {
    "steps": Bench.steps,
    "loop": Bench.loop,
    "trials": Bench.trials,
    "compilations": Bench.compilations,
}


def _timed(size: Size, counts: list[int]) -> float:
    """Seconds that processes take which make so many trials each, at the same time."""
    began = time.perf_counter()
    if size is TINY:  # to try the script, importing torch once is enough
        for count in counts:
            make_trials(size, min(count, 1))
        return time.perf_counter() - began
    command = [sys.executable, "-m", "harness.speed.gpu"]
    started = [
        subprocess.Popen([*command, "--worker", str(count)], stderr=subprocess.PIPE, text=True)
        for count in counts
    ]
    for process in started:
        _, said = process.communicate()
        if process.returncode:
            raise HarnessError(f"a trial's process failed: {(said.splitlines() or ['?'])[-1]}")
    return time.perf_counter() - began


# Telling ----------------------------------------------------------------------------------------


def advice(rates: dict[tuple[str, int, str], float]) -> list[str]:
    """Which means is the fastest for each network and batch size that several were tried with."""
    lines = []
    for model, batch_size in dict.fromkeys((model, size) for model, size, _ in rates):
        tried = {way: rate for (m, b, way), rate in rates.items() if (m, b) == (model, batch_size)}
        if len(tried) > 1:
            best = max(tried, key=lambda way: tried[way])
            gain = tried[best] / tried.get("none", tried[best])
            lines.append(f"{model}, batch {batch_size}: --speedups {best} ({gain:.2f} x none)")
    return lines


def measure_gpu(size: Size, parts: list[str], tell: Callable[[str], None]) -> Bench:
    bench = Bench(size, tell)
    for part in parts:
        PARTS[part](bench)
    return bench


def write_gpu_report(bench: Bench, hardware: dict[str, Any], folder: Path) -> list[Path]:
    """Write `gpu.json` and `gpu.md` into a folder; their paths."""
    text = PAGE.format(
        table=markdown_table(HEADERS, [row.cells for row in bench.rows]),
        device=hardware["device"],
        advice="\n".join(f"- {line}" for line in advice(bench.rates)) or "- nothing to choose",
    )
    rows = [row.model_dump(mode="json") for row in bench.rows]
    return write_report(
        folder / "gpu", figures={"rows": rows}, text=text, hardware=hardware, tools=TOOLS
    )


TOOLS = ("torch", "timm")

PAGE = """\
# What one GPU makes of the training step

{table}

{device}. Images are random, stored at 256 px and shown at 224 px; where they fit they lie on the
GPU. A step is data, augmentation, forward and backward pass in bfloat16, and AdamW.
What was the fastest:

{advice}
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print one table, write the report; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.speed.gpu", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; repeatable")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="next to nothing, to try the script")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("harness speed gpu: torch sees no GPU here; there is nothing to measure\n")
        return 2
    if asked.device == "cpu" and not asked.tiny:
        sys.stderr.write("harness speed gpu: --device cpu is for --tiny, which tries the script\n")
        return 2
    size = TINY if asked.device == "cpu" else FULL
    if asked.worker:
        make_trials(size, asked.worker)
        return 0
    is_gpu = size.device == "cuda"
    device = torch.cuda.get_device_name() if is_gpu else "No GPU: a try of the script"
    hardware = describe_hardware() | {"device": device}
    bench = measure_gpu(size, asked.part or list(PARTS), _say)
    sys.stdout.write(markdown_table(HEADERS, [row.cells for row in bench.rows]) + "\n")
    sys.stdout.write("".join(f"fastest: {line}\n" for line in advice(bench.rates)))
    for path in write_gpu_report(bench, hardware, asked.out.resolve()):
        sys.stdout.write(f"wrote {path}\n")
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"measuring {what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
