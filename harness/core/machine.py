"""`Machine`: where a run happens. Never part of a recipe, never hashed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The place of a run.

    Attributes:
        store: Absolute path of the image store.
        device: `auto` takes a GPU where there is one.
        num_threads: Threads of torch on the CPU; more processes than cores slow each other.
    """

    store: Path
    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_threads: int = 1
