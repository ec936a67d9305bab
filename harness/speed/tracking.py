"""For how long an epoch's metrics hold up the one who tells of them, and MLflow's own calls."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from harness.core.errors import HarnessError
from harness.core.recipe import Recipe
from harness.core.records import EpochReport, Outcome, Status
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.speed.instruments import seconds
from harness.speed.report import Row, Speed

NUM_METRICS = 20
NUM_EPOCHS = 50
NUM_EPOCHS_PEER = 10
EPOCH_S = 0.02
"""Between two epochs, in which the writer is at work."""
PATIENCE_S = 90
GROUP, NAME = "speed", "t0000-000000"
TOOLS = ("mlflow", "sqlalchemy")


def measure_tracking(tell: Callable[[str], None]) -> Speed:
    """Tell of epochs to SQLite and to a server on this machine, by the harness and by MLflow.

    Raises:
        HarnessError: The server did not start.
    """
    with tempfile.TemporaryDirectory(prefix="harness-speed-") as scratch:
        folder = Path(scratch).resolve()
        from harness.tracking.store import embedded_uri

        tell("epochs told to SQLite")
        rows = rows_of(folder / "sqlite", embedded_uri(folder / "sqlite"), "SQLite")
        tell("epochs told to a server on this machine")
        with served(folder / "served") as uri:
            rows += rows_of(folder / "server", uri, "a server on loopback")
    return Speed(
        title="For how long an epoch's metrics hold up a run",
        rows=tuple(rows),
        notes=NOTES.format(
            num_metrics=NUM_METRICS, num_epochs=NUM_EPOCHS, num_epochs_peer=NUM_EPOCHS_PEER
        ),
        tools=TOOLS,
    )


def rows_of(results: Path, uri: str, place: str) -> list[Row]:
    """The caller's time for one epoch's metrics, three ways; all three leave the same in MLflow."""
    with redirect_stdout(StringIO()):  # MLflow greets the end of a run
        all_s = told_by_harness(results, uri)
        one_s = told_by_mlflow(results, uri, in_one=False)
        batch_s = told_by_mlflow(results, uri, in_one=True)
    ours_s = median(all_s)
    work = f"{NUM_METRICS} metrics of an epoch, to {place}"
    return [
        Row(what=f"{work}: the caller waits", unit="ms", ours=ours_s * 1e3, goal=1),
        Row(what=f"{work}: the slowest of {len(all_s)}", unit="ms", ours=max(all_s) * 1e3),
        Row(
            what=work, unit="ms", ours=ours_s * 1e3, peer=one_s * 1e3,
            peer_name=f"{NUM_METRICS} x mlflow.log_metric",
        ),
        Row(
            what=work, unit="ms", ours=ours_s * 1e3, peer=batch_s * 1e3,
            peer_name="one MlflowClient.log_batch",
        ),
    ]  # fmt: skip


def told_by_harness(results: Path, uri: str) -> list[float]:
    """Seconds of each `Tracker.on_epoch`, while its thread writes.

    Raises:
        HarnessError: MLflow does not hold every epoch in the end.
    """
    from harness.tracking import Tracker

    results.mkdir(parents=True, exist_ok=True)
    tracker = Tracker.open(results, uri)
    tracker.group(GROUP, "search")
    directory = RunDirectory(results / "searches" / GROUP / NAME)
    directory.write_recipe(Recipe())
    run = Run(GROUP, NAME, "trial", Recipe(), directory)
    tracker.on_start(run)
    times_s = []
    for epoch in range(1, NUM_EPOCHS + 1):
        report = EpochReport(epoch=epoch, metrics=metrics_of(epoch))
        times_s.append(seconds(partial(tracker.on_epoch, run, report)))
        time.sleep(EPOCH_S)
    tracker.on_end(run, Status(outcome=Outcome.PREEMPTED))
    tracker.flush()
    check_all_told(results, uri)
    return times_s


def told_by_mlflow(results: Path, uri: str, *, in_one: bool) -> float:
    """Median seconds of MLflow's own calls for an epoch: one for each metric, or one for all."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from harness.tracking.store import open_store

    store = open_store(results, uri)
    client: MlflowClient = store.client
    run_id = client.create_run(store.experiment_id).info.run_id

    def tell(epoch: int) -> None:
        moment_ms = int(time.time() * 1e3)
        metrics = metrics_of(epoch)
        if in_one:
            points = [Metric(name, value, moment_ms, epoch) for name, value in metrics.items()]
            client.log_batch(run_id, metrics=points)
            return
        for name, value in metrics.items():
            client.log_metric(run_id, name, value, moment_ms, epoch)

    times_s = [seconds(partial(tell, epoch)) for epoch in range(1, NUM_EPOCHS_PEER + 1)]
    client.set_terminated(run_id)
    return median(times_s)


def metrics_of(epoch: int) -> dict[str, float]:
    """As many as an epoch of a real run has."""
    return {f"val/auroc_{number:02d}": number / epoch for number in range(NUM_METRICS)}


def check_all_told(results: Path, uri: str) -> None:
    """Raise a `HarnessError` where MLflow lacks a point of the harness's run."""
    from harness.tracking.store import find_store

    store = find_store(results, uri)
    found = next(iter(store.search(f"tags.mlflow.runName = '{NAME}'")), None)
    for name, value in metrics_of(NUM_EPOCHS).items():
        points = store.client.get_metric_history(found.info.run_id, name) if found else []
        steps = sorted(point.step for point in points)
        last = max(points, key=lambda point: point.step, default=None)
        if steps != list(range(1, NUM_EPOCHS + 1)) or last is None or last.value != value:
            raise HarnessError(f"speed of tracking: MLflow holds {len(points)} points of {name}")


@contextmanager
def served(results: Path) -> Iterator[str]:
    """The address of an MLflow server on this machine, with a store of its own."""
    from harness.tracking.browse import HOST, ui_command, ui_environment

    results.mkdir()
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        ui_command(results, port), env=ui_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            uri = f"http://{HOST}:{port}"
            wait_for(f"{uri}/health", server)
            yield uri
        finally:
            server.terminate()


def wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    """Raise a `HarnessError` where it does not answer in `PATIENCE_S`."""
    until = time.monotonic() + PATIENCE_S
    while server.poll() is None and time.monotonic() < until:
        try:
            with urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise HarnessError("speed of tracking: MLflow's server did not start on this machine")


NOTES = """\
A run tells of {num_epochs} epochs, each with {num_metrics} metrics. The harness's caller
(`Tracker.on_epoch`) leaves word, and a thread writes all that has gathered about once a second; in
the end MLflow was found to hold every point. Beside it {num_epochs_peer} epochs by MLflow's own
calls, which return when the store has taken them: one `log_metric` for each, or one `log_batch`.
Every time is the median of its epochs. A run in a worker of Ray only reports; it is the driver who
tells MLflow. The server is MLflow's own with one worker, on SQLite, reached over 127.0.0.1.
"""
