"""`Bench`: the rows of `harness speed gpu`, part by part, within a limit of time."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from harness.core.errors import HarnessError
from harness.core.machine import Speedups, num_cpus
from harness.speed.gpu_parts import TINY, Size, make_trials, png_loop_speed, step_speed
from harness.speed.report import Row
from harness.training.compiled import forget_compiled
from harness.training.failures import first_line
from harness.training.thrift import free_memory

NO_TIME = "no time was left"
NUM_TRIALS, NUM_COLD, NUM_AT_ONCE = 8, 2, 4
GOAL_PNG, GOAL_TRIALS, GOAL_SMALL = 5.0, 2.0, 0.70
GOALS = {"densenet121": 6500, "vit_small_patch16_224": 9000, "vit_base_patch16_224": 3000}
LIMITS = {
    "densenet121": (
        "the memory traffic of batch normalization and ReLU, which compiling fuses in part"
    ),
    "vit_small_patch16_224": (
        "not profiled; what compiling gains it gains by fusing what lies between the matrix "
        "products, so that memory traffic is a large part of the rest"
    ),
    "vit_base_patch16_224": (
        "not profiled; graphs gain next to nothing, so it is not the launches; compiling, which "
        "may gain more, is left out so that all ends in time"
    ),
}
LIMIT_SMALL = (
    "eagerly the launches of kernels; as a graph what a step takes however few its images are: "
    "kernels that do not fill the GPU, and the optimizer's pass over all weights"
)
LIMIT_PNG = "the GPU's step, no longer the reading of images"

Key = tuple[str, int, str]
"""Model, batch size, speed-ups."""


class Bench:
    """The rows so far; a row that fails says why, and the next one is measured all the same."""

    def __init__(self, size: Size, tell: Callable[[str], None], limit_s: float) -> None:
        self.size = size
        self.limit_s = limit_s
        self.rows: list[Row] = []
        self.rates: dict[Key, float] = {}
        self._tell = tell
        self._began = time.monotonic()

    def measure(self, what: str, action: Callable[[], float], **fields: Any) -> float | None:
        """Add the row of what an action finds; `fields` are others of `Row`."""
        found = self.find(what, action, **fields)
        if found is not None:
            self.rows.append(Row(what=what, ours=found, **fields))
        return found

    def find(self, what: str, action: Callable[[], float], **fields: Any) -> float | None:
        """What an action finds; where it does not, its row says why, and this is None."""
        if time.monotonic() - self._began > self.limit_s:
            self.rows.append(Row(what=what, ours=None, note=NO_TIME, **fields))
            return None
        self._tell(what)
        try:
            return action()
        except Exception as error:  # a compiler that is not there, memory: tell it, and go on
            note = f"{type(error).__name__}: {first_line(error)[:80]}"
            self.rows.append(Row(what=what, ours=None, note=note, **fields))
        forget_compiled()
        free_memory()
        return None

    # Parts ----------------------------------------------------------------------------------

    def steps(self) -> None:
        """Images a second of each network, by the means that cost nothing to begin with."""
        self._steps([means for means in self.size.speedups if means in ("none", "graphs")])
        self.rows += small_rows(self.rates, self.size)

    def compiled_steps(self) -> None:
        """The same compiled, which takes minutes before the first step."""
        self._steps([means for means in self.size.speedups if means in ("compile", "both")])

    def _steps(self, speedups: list[Speedups]) -> None:
        for means in speedups:
            for model in self.size.models:
                for batch_size in self._batch_sizes(model, means):
                    self._step(model, batch_size, means)

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
        what = what_step(model, batch_size, means)
        found = self.find(what, rate, unit="images/s")
        if found is not None:
            self.rates[model, batch_size, means] = found
            self.rows.append(step_row(self.rates, (model, batch_size, means)))
            if means == "compile":
                self.rows.append(first_row(what, told["first_s"]))

    def compilations(self) -> None:
        """How many graphs two trials of one network compile that differ in all that is searched."""
        model, size = self.size.models[1], self.size

        def count() -> float:
            step_speed(size, model, size.large, "compile")
            values = {"optim__lr": 1e-3, "loss__gamma": 1.0, "loss__alpha": 2.0}
            return step_speed(size, model, size.large, "compile", **values)["compilations"]

        self.measure(f"{model}: compilations of two trials", count, unit="", goal=1)

    def loop(self) -> None:
        """The usual loop over PNG files, beside ours."""
        model, large = self.size.models[0], self.size.large
        workers = num_cpus() if self.size.device == "cuda" else 0
        means = "graphs" if (model, large, "graphs") in self.rates else "none"
        ours = self.rates.get((model, large, means))
        usual = self.find(
            f"{model}, batch {large}: DataLoader over PNG files, workers: {workers}",
            lambda: png_loop_speed(self.size, workers), unit="images/s",
        )  # fmt: skip
        if ours and usual:
            self.rows.append(
                png_row(what_step(model, large, means), ours, usual=usual, workers=workers)
            )

    def trials(self) -> None:
        """Eight trials of three epochs, by one process each, in one process, and side by side."""
        cold = self.find(
            f"{NUM_TRIALS} trials, each in a new process",
            lambda: sum(_timed(self.size, [1]) for _ in range(NUM_COLD)) * NUM_TRIALS / NUM_COLD,
            unit="s",
        )
        for num_processes in (1, NUM_AT_ONCE):
            counts = [NUM_TRIALS // num_processes] * num_processes
            what = what_trials(num_processes)
            took_s = self.find(what, lambda counts=counts: _timed(self.size, counts), unit="s")  # type: ignore[misc]
            if took_s is not None:
                self.rows.append(trials_row(num_processes, took_s, cold))

    def goals(self) -> None:
        """The fastest means of each network with large batches, and what is wanted."""
        self.rows += goal_rows(self.rates, self.size.large)


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


# Rows -------------------------------------------------------------------------------------------


def what_step(model: str, batch_size: int, means: str) -> str:
    """What a row of steps is called."""
    return f"{model}, batch {batch_size}, speedups {means}"


def what_trials(num_processes: int) -> str:
    """What a row of trials is called."""
    at_once = f"{num_processes} processes at once" if num_processes > 1 else "one process"
    return f"{NUM_TRIALS} trials in {at_once}"


def step_row(rates: dict[Key, float], key: Key) -> Row:
    """Images a second, beside those of a step as it is."""
    eager = rates.get((*key[:2], "none")) if key[2] != "none" else None
    peer = {"peer": eager, "peer_name": "speedups none"} if eager else {}
    return Row.model_validate(
        {"what": what_step(*key), "unit": "images/s", "is_rate": True, "ours": rates[key], **peer}
    )


def first_row(what: str, first_s: float) -> Row:
    """How long a network takes until its first step is done."""
    return Row(what=f"{what}: until the first step", unit="s", ours=first_s)


def small_rows(rates: dict[Key, float], size: Size) -> list[Row]:
    """The fastest means with small batches beside the fastest with large ones."""
    rows = []
    for model in size.models:
        best = {b: best_of(rates, model, b) for b in (size.large, *size.small)}
        large = best.pop(size.large)
        rows += [
            Row(
                what=f"{model}, batch {batch_size}, speedups {small[0]}", unit="images/s",
                is_rate=True, ours=small[1], peer=large[1], goal=GOAL_SMALL,
                peer_name=f"batch {size.large}, speedups {large[0]}", limit=LIMIT_SMALL,
            )
            for batch_size, small in best.items()
            if small and large
        ]  # fmt: skip
    return rows


def goal_rows(rates: dict[Key, float], large: int) -> list[Row]:
    """The fastest means of each network that has a goal, beside it."""
    rows = []
    for model, goal in GOALS.items():
        if best := best_of(rates, model, large):
            means, rate = best
            rows.append(
                Row(
                    what=f"{model}, batch {large}, the fastest (speedups {means})",
                    unit="images/s", is_rate=True, ours=rate, goal=goal, limit=LIMITS[model],
                )
            )  # fmt: skip
    return rows


def best_of(rates: dict[Key, float], model: str, batch_size: int) -> tuple[str, float] | None:
    """The fastest means and its images a second."""
    tried = [(rate, way) for (m, b, way), rate in rates.items() if (m, b) == (model, batch_size)]
    return max(tried)[::-1] if tried else None


def png_row(what: str, ours: float, *, usual: float, workers: int) -> Row:
    """Our steps beside those of the usual loop."""
    return Row(
        what=what, unit="images/s", is_rate=True, ours=ours, peer=usual, goal=GOAL_PNG,
        peer_name=f"DataLoader over PNG files, {workers} workers", limit=LIMIT_PNG,
    )  # fmt: skip


def trials_row(num_processes: int, took_s: float, cold_s: float | None) -> Row:
    """Trials of some processes beside as many in a new process each."""
    what = what_trials(num_processes)
    if cold_s is None:
        return Row(what=what, unit="s", ours=took_s)
    return Row(
        what=what, unit="s", ours=took_s, peer=cold_s,
        peer_name=f"each in a new process, scaled from {NUM_COLD}",
        goal=GOAL_TRIALS if num_processes > 1 else None,
    )  # fmt: skip


def advice(rates: dict[Key, float]) -> list[str]:
    """Which means is the fastest for each network and batch size that several were tried with."""
    lines = []
    for model, batch_size in dict.fromkeys((model, size) for model, size, _ in rates):
        tried = {way: rate for (m, b, way), rate in rates.items() if (m, b) == (model, batch_size)}
        if len(tried) > 1:
            best = max(tried, key=lambda way: tried[way])
            gain = tried[best] / tried.get("none", tried[best])
            lines.append(f"{model}, batch {batch_size}: --speedups {best} ({gain:.2f} x none)")
    return lines
