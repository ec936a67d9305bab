"""`Machine`: where a run happens. Never part of a recipe, never hashed."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Speedups = Literal["none", "compile", "graphs", "both"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The place of a run.

    Attributes:
        store: Absolute path of the image store.
        device: `auto` takes a GPU where there is one.
        num_threads: Threads of torch on the CPU; more processes than cores slow each other.
        speedups: `compile` compiles a network once per process, `graphs` makes a step one launch
            of a CUDA graph, `both` does both; numbers change by rounding, as they do from one GPU
            to another. `auto` is `graphs` on a GPU at memory level 0, else `none`.
    """

    store: Path
    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_threads: int = 1
    speedups: Literal["auto"] | Speedups = "auto"


def num_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
