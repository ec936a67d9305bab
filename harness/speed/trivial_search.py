"""`TrivialSearch`: a search whose trials are trivial, and the time that it takes around them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import read_json
from harness.core.recipe import Frozen
from harness.core.space import SearchSpace
from harness.speed.instruments import MemorySampler

NUM_IMAGES, SIZE_PX = 200, 32
NUM_EPOCHS = 3
TRIVIAL = {
    "data.resize_px": SIZE_PX,
    "data.input_px": SIZE_PX,
    "train.batch_size": 64,
    "train.epochs": NUM_EPOCHS,
    "train.early_stop_epochs": NUM_EPOCHS,
}


@dataclass(frozen=True)
class TrivialSearch:
    """What is searched: a few epochs of a small network on a small phantom, many times.

    Attributes:
        folder: Absolute; the store lies in it, and all that a search of it writes.
    """

    folder: Path
    num_trials: int

    @property
    def store(self) -> Path:
        """The image store of all contenders."""
        return self.folder.parent / "store"

    @property
    def space(self) -> SearchSpace:
        """The smallest of the shipped spaces, at a few epochs of small images."""
        shipped = SearchSpace.load("dannynet-mini")
        return shipped.with_search({"scheduler": "none"}).with_base(TRIVIAL)  # none is cut short


class Measurement(Frozen):
    """What a search of trivial trials took.

    Attributes:
        num_slots: Trials that trained at the same time.
        actor_s: Sum over the actors of how long they were there.
        wall_s: From the call of the search to its return; Ray was up before.
        training_s: Sum over the trials of what their records call their duration.
        first_s: From the call to the end of the first trial.
        last_s: From the call to the end of the last trial.
        rss_mb: Resident memory of the driver process, in MB of 10**6 bytes, by per cent of the
            time; empty where the system does not tell.
    """

    num_trials: int
    num_slots: int
    actor_s: float
    wall_s: float
    training_s: float
    first_s: float
    last_s: float
    rss_mb: dict[str, float]

    @property
    def actor_overhead_s(self) -> float:
        """Seconds a trial for which an actor was there and did not train."""
        return (self.actor_s - self.training_s) / self.num_trials

    @property
    def overhead_s(self) -> float:
        """Seconds a trial beside its training: (wall - training / slots) / trials."""
        return (self.wall_s - self.training_s / self.num_slots) / self.num_trials

    @property
    def later_overhead_s(self) -> float | None:
        """The same between the first and the last end, so without what a start costs once."""
        if self.num_trials < 2:
            return None
        each_s = (self.last_s - self.first_s) / (self.num_trials - 1)
        return each_s - self.training_s / self.num_slots / self.num_trials


def measure(
    work: TrivialSearch, search: Callable[[TrivialSearch], None], *, num_slots: int, records: str
) -> Measurement:
    """Run a search of `work` and tell what it took.

    Args:
        records: Where in `work.folder` the records of its trials lie, as a pattern.

    Raises:
        HarnessError: Not every trial has completed, so the figures would mean nothing.
    """
    began_at, began = time.time(), time.perf_counter()
    with MemorySampler() as memory:
        search(work)
    wall_s = time.perf_counter() - began
    alive_s = actor_seconds(began_at)
    paths = list(work.folder.glob(records))
    if len(paths) != work.num_trials:
        raise HarnessError(
            f"{work.folder}: {len(paths)} of {work.num_trials} trials completed, so there is "
            "nothing to compare; each status.json says why"
        )
    ends_s = [path.stat().st_mtime - began_at for path in paths]
    return Measurement(
        num_trials=work.num_trials,
        num_slots=num_slots,
        actor_s=alive_s,
        wall_s=wall_s,
        training_s=sum(read_json(path)["duration_s"] for path in paths),
        first_s=min(ends_s),
        last_s=max(ends_s),
        rss_mb=memory.at_per_cents(),
    )


def actor_seconds(began_at: float) -> float:
    """How long Ray's actors were there until now, all together, since `began_at` (Unix time).

    0 where Ray is not up. An actor counts from its process's first sign of life, not while its
    process starts.
    """
    from harness.execution.ray_session import is_connected  # late: it changes Ray's settings

    if not is_connected():
        return 0.0
    from ray._private import state

    now_ms, total_ms = time.time() * 1e3, 0.0
    for actor in state.actors().values():
        if actor["StartTime"] >= began_at * 1e3:
            total_ms += (actor["EndTime"] or now_ms) - actor["StartTime"]
    return total_ms / 1e3
