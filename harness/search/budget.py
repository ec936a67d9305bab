"""`Budget`: how much time a call of a search may take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits on one command; None for none.

    Attributes:
        hours: Wall-clock hours of this call.
        gpu_hours: GPU hours that all searches of the command may use, over all calls together.
    """

    hours: float | None = None
    gpu_hours: float | None = None
    started_s: float = field(default_factory=time.monotonic)

    def spent(self, gpu_seconds: Callable[[], float]) -> str:
        """Which budget is used up, in words; empty while none is."""
        if self.hours is not None and time.monotonic() - self.started_s >= 3600 * self.hours:
            return f"the {self.hours:g} hours given by --hours are over"
        if self.gpu_hours is not None and gpu_seconds() >= 3600 * self.gpu_hours:
            return f"the {self.gpu_hours:g} GPU-hours given by --gpu-hours are used up"
        return ""
