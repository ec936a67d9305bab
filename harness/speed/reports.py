"""What telling Ray of an epoch's metrics costs a worker's loop; of MLflow, see `tracking`."""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from harness.core.files import read_json, write_json
from harness.core.recipe import Frozen
from harness.speed.report import Row

NUM_METRICS = 20
NUM_REPORTS = 30
GOAL_MS = 1
PAUSE_S = 0.05
"""Between two reports of the measured loop, in place of an epoch."""


class ReportSpeed(Frozen):
    """Milliseconds, medians.

    Attributes:
        tune_report_ms: `tune.report` in the training loop.
        handed_ms: The same handed to the epoch writer.
    """

    tune_report_ms: float
    handed_ms: float

    @property
    def rows(self) -> list[Row]:
        """What the loop waits, and the same beside `tune.report`."""
        what = f"the loop waits for the report of an epoch's {NUM_METRICS} metrics to Ray"
        return [
            Row(what=what, unit="ms", ours=self.handed_ms, goal=GOAL_MS),
            Row(
                what=what, unit="ms", ours=self.handed_ms, peer=self.tune_report_ms,
                peer_name="tune.report in the loop",
            ),
        ]  # fmt: skip


def measure_reports() -> ReportSpeed:
    """Report from a worker of Ray.

    Raises:
        HarnessError: Ray does not start.
    """
    with tempfile.TemporaryDirectory(prefix="harness-speed-") as scratch:
        return ReportSpeed(**_measure_worker(Path(scratch).resolve()))


def metrics() -> dict[str, float]:
    """As many as an epoch of a real run has."""
    return {f"val/metric{number}": number / 7 for number in range(NUM_METRICS)}


def median_ms(action: Callable[[], object], count: int, pause_s: float = 0.0) -> float:
    """Median of what `count` calls take, pauses between them, the first one left out."""
    times_s = []
    for _ in range(count + 1):
        began = time.perf_counter()
        action()
        times_s.append(time.perf_counter() - began)
        time.sleep(pause_s)
    return 1000 * statistics.median(times_s[1:])


def _measure_worker(folder: Path) -> dict[str, float]:
    from ray import tune

    from harness.execution.ray_session import start_ray

    start_ray(None)
    with redirect_stdout(StringIO()):  # Ray prints tables, verbose=0 or not
        tune.Tuner(
            tune.with_resources(partial(_report, folder=folder), {"cpu": 1}),
            run_config=tune.RunConfig(name="speed", storage_path=str(folder), verbose=0),
        ).fit()
    found: dict[str, float] = read_json(folder / "worker.json")
    return found


def _report(config: dict[str, Any], *, folder: Path) -> None:
    """What runs in the worker: the same reports in the loop, then beside it."""
    from ray import tune

    from harness.training.epoch_writer import EpochWriter

    told = metrics()
    direct = median_ms(lambda: tune.report(told), NUM_REPORTS, PAUSE_S)
    with EpochWriter() as writer:
        handed = median_ms(lambda: writer.start(lambda: tune.report(told)), NUM_REPORTS, PAUSE_S)
    write_json(folder / "worker.json", {"tune_report_ms": direct, "handed_ms": handed})
