"""`Profile`: where the time of an epoch goes, on demand, and in no way that changes a number.

Clocks tell the phases of one whole epoch, with its validation and its checkpoint; torch's profiler
tells the operators of some of its steps. On a GPU both wait for it at the end of each phase, so
the epoch takes a little longer than another.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity

from harness.core.files import write_atomic, write_text
from harness.training.listeners import PHASES, unwatched

NUM_SKIPPED = 3
"""Steps before those that torch's profiler sees: memory is found and kernels are chosen there."""
NUM_STEPS = 5
NUM_OPERATORS = 15
MARK = "harness: "


class Profile:
    """Watches the first epoch that is trained from now on, and writes what it saw into a folder.

    Give its `watch` to `run_trial`. After the epoch it costs nothing more.

    Attributes:
        trace: The Chrome trace of some steps, for chrome://tracing or ui.perfetto.dev.
        page: The tables.
        is_written: True once both lie there.
    """

    def __init__(self, folder: Path) -> None:
        self.trace = folder / "profile.json"
        self.page = folder / "profile.md"
        self.is_written = False
        self.seconds: dict[str, float] = defaultdict(float)
        self.num_steps = 0
        self._began: float | None = None
        self._own_s = 0.0
        self._profiler: Any = None
        self._operators: list[Any] = []
        self._num_profiled = 0

    def watch(self, phase: str) -> AbstractContextManager[object]:
        """A `Watch`, for the thread that trains."""
        return unwatched(phase) if self.is_written else self._phase(phase)

    @contextmanager
    def _phase(self, phase: str) -> Iterator[None]:
        self._before(phase)
        began = time.perf_counter()
        try:
            with torch.profiler.record_function(MARK + phase):
                yield
                _wait_for_gpu()
        finally:
            self.seconds[phase] += time.perf_counter() - began
        self._after(phase)

    def _before(self, phase: str) -> None:
        if self._began is None:
            _wait_for_gpu()
            self._began = time.perf_counter()
        if phase == "data" and self.num_steps >= NUM_SKIPPED and self._num_profiled == 0:
            self._start_profiler()

    def _after(self, phase: str) -> None:
        if phase in ("optimizer", "step"):
            self.num_steps += 1
            self._num_profiled += self._profiler is not None
            if self._num_profiled == NUM_STEPS:
                self._stop_profiler()
        elif phase == "validation":
            self._stop_profiler()
        elif phase == "checkpoint":
            self._write()

    def _start_profiler(self) -> None:
        if self._profiler is not None:
            return
        with self._own_time():
            os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # it has much to say on stderr
            activities = [ProfilerActivity.CPU]
            if torch.cuda.is_initialized():
                activities.append(ProfilerActivity.CUDA)
            self._profiler = torch.profiler.profile(activities=activities)
            self._profiler.start()

    def _stop_profiler(self) -> None:
        profiler, self._profiler = self._profiler, None
        if profiler is None:
            return
        with self._own_time():
            profiler.stop()
            write_atomic(self.trace, lambda path: profiler.export_chrome_trace(str(path)))
            self._operators = list(profiler.key_averages())

    @contextmanager
    def _own_time(self) -> Iterator[None]:
        """What the profiler itself takes to begin and to end is no part of the epoch."""
        began = time.perf_counter()
        yield
        self._own_s += time.perf_counter() - began

    # The page -------------------------------------------------------------------------------

    def _write(self) -> None:
        assert self._began is not None
        wall_s = time.perf_counter() - self._began - self._own_s
        write_text(self.page, self._told(wall_s))
        self.is_written = True

    def _told(self, wall_s: float) -> str:
        lines = [
            f"# Where the time of an epoch went: {wall_s:.2f} s, {self.num_steps} steps\n",
            "| part | s | share | ms a step |",
            "| --- | ---: | ---: | ---: |",
            *(_row(*row, wall_s, self.num_steps) for row in self._parts(wall_s)),
            "\nThe checkpoint's part is what the loop waited for: it is written while the next "
            "epoch trains.\n",
        ]
        if self._operators:
            lines += [f"## Operators of {self._num_profiled} steps\n", *self._operator_table()]
            lines.append(f"\nThe steps themselves: `{self.trace.name}`, for ui.perfetto.dev.")
        else:
            lines.append(f"The epoch has too few steps for more: {NUM_SKIPPED} go unseen.")
        return "\n".join(lines) + "\n"

    def _parts(self, wall_s: float) -> list[tuple[str, float]]:
        parts = [(phase, self.seconds[phase]) for phase in PHASES if phase in self.seconds]
        rest_s = wall_s - sum(seconds for _, seconds in parts)
        return [*parts, ("all else", max(0.0, rest_s))]

    def _operator_table(self) -> list[str]:
        on_gpu = any(operator.self_device_time_total for operator in self._operators)
        kind = "self_device_time_total" if on_gpu else "self_cpu_time_total"
        seen = [each for each in self._operators if not each.key.startswith(MARK)]
        whole_us = sum(getattr(each, kind) for each in seen) or 1
        top = sorted(seen, key=lambda each: -getattr(each, kind))[:NUM_OPERATORS]
        rows = [
            f"| `{each.key[:60]}` | {each.count / self._num_profiled:.0f} "
            f"| {getattr(each, kind) / 1000 / self._num_profiled:.2f} "
            f"| {100 * getattr(each, kind) / whole_us:.1f} % |"
            for each in top
        ]
        where = "GPU" if on_gpu else "CPU"
        return [
            f"| operator | calls a step | {where} ms a step | share |",
            "| --- | ---: | ---: | ---: |",
            *rows,
        ]


def _row(part: str, seconds: float, wall_s: float, num_steps: int) -> str:
    is_of_step = part not in ("validation", "checkpoint", "all else")
    each = f"{1000 * seconds / num_steps:.2f}" if is_of_step and num_steps else "-"
    return f"| {part} | {seconds:.3f} | {100 * seconds / wall_s:.1f} % | {each} |"


def _wait_for_gpu() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
