"""What telling an epoch's metrics costs those who train, and those who drive the search."""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from harness.core.files import read_json, write_json
from harness.core.recipe import Frozen

NUM_METRICS = 20
NUM_REPORTS = 30
PAUSE_S = 0.05
"""Between two reports of the measured loop, in place of an epoch."""


class ReportSpeed(Frozen):
    """Milliseconds, medians.

    Attributes:
        tune_report_ms: `tune.report` in the training loop.
        handed_ms: The same handed to the epoch writer.
        tell_ms: What the driver's callback takes to leave word for MLflow.
        log_batch_ms: One `log_batch` into SQLite.
    """

    num_metrics: int
    tune_report_ms: float
    handed_ms: float
    tell_ms: float
    log_batch_ms: float


def measure_reports() -> ReportSpeed:
    """Report from a worker of Ray, and to MLflow in this process."""
    with tempfile.TemporaryDirectory(prefix="harness-speed-") as scratch:
        folder = Path(scratch).resolve()
        worker = _measure_worker(folder)
        return ReportSpeed(
            num_metrics=NUM_METRICS,
            tune_report_ms=worker["direct"],
            handed_ms=worker["handed"],
            tell_ms=measure_tell(),
            log_batch_ms=_measure_log_batch(folder),
        )


def metrics() -> dict[str, float]:
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


# The worker -------------------------------------------------------------------------------------


def _measure_worker(folder: Path) -> dict[str, float]:
    from ray import tune

    from harness.search.ray_session import start_ray

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
    write_json(folder / "worker.json", {"direct": direct, "handed": handed})


# The driver -------------------------------------------------------------------------------------


def measure_tell() -> float:
    """Milliseconds to leave word of an epoch while MLflow is busy with another."""
    from harness.core.recipe import Recipe
    from harness.core.records import EpochReport, Outcome, Status
    from harness.core.run import Run
    from harness.core.run_dir import RunDirectory
    from harness.tracking.writer import News, Writer

    is_over = threading.Event()
    writer = Writer(lambda news: is_over.wait(), shown="nowhere")
    run = Run(
        group="speed", name="t0000", kind="trial", recipe=Recipe(),
        directory=RunDirectory(Path(tempfile.gettempdir()) / "t0000"), values={},
    )  # fmt: skip
    news = News(run, Status(outcome=Outcome.RUNNING), (EpochReport(epoch=1, metrics=metrics()),))
    try:
        return median_ms(lambda: writer.tell(news), NUM_REPORTS)
    finally:
        is_over.set()


def _measure_log_batch(folder: Path) -> float:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    run_id = client.create_run(client.create_experiment("speed")).info.run_id

    def log() -> None:
        now_ms = int(1000 * time.time())
        points = [Metric(name, value, now_ms, 0) for name, value in metrics().items()]
        client.log_batch(run_id, metrics=points)

    return median_ms(log, NUM_REPORTS)
