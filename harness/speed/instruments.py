"""Clocks, memory and the machine, as all commands measure with them."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

SAMPLES_AT = (10, 50, 90, 100)
"""Per cent of the time at which a process's memory is told."""
SAMPLE_EVERY_S = 0.5


@dataclass
class MemorySampler:
    """Watches the resident memory of this process from a thread while its `with` block runs."""

    samples_mb: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._sample()

    def at_per_cents(self) -> dict[str, float]:
        """The samples at `SAMPLES_AT` per cent of the time, in MB."""
        last = len(self.samples_mb) - 1
        if last < 0:
            return {}
        return {f"{at}%": self.samples_mb[round(at / 100 * last)] for at in SAMPLES_AT}

    def _watch(self) -> None:
        while not self._is_over.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        size_mb = resident_mb()
        if size_mb is not None:
            self.samples_mb.append(size_mb)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that it takes by the clock."""
    began = clock()
    work()
    return clock() - began


def core_seconds(work: Callable[[], object]) -> float:
    """Seconds that this process has a core for, whatever else the machine does."""
    return seconds(work, clock=time.process_time)


def best_s(work: Callable[[], object], *, repeats: int) -> float:
    """Seconds by the clock that the quickest of a few repeats took."""
    return min(seconds(work) for _ in range(repeats))


def resident_mb() -> float | None:
    """Resident memory of this process in MB of 10**6 bytes; None where there is no /proc."""
    try:
        num_pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return num_pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float | None:
    """The most that was ever resident of this process, in MB; None where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    peaks = (line.split() for line in lines if line.startswith("VmHWM:"))
    return next((int(size) * 1024 / 1e6 for _, size, _ in peaks), None)


def describe_hardware() -> dict[str, Any]:
    """Cores, CPU model and memory of this machine, and how busy it is with other things."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "")
