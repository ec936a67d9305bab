"""What a job tells MLflow of its runs, and what MLflow then has of them."""

from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from harness.core.records import Outcome, Status
from harness.core.run import Run
from harness.tracking import Tracker
from tests.tracking.conftest import epoch_report

MakeRun = Callable[..., Run]
Train = Callable[..., Status]
COMPLETED = Status(outcome=Outcome.COMPLETED)


def runs_of(client: MlflowClient, name: str = "t0000-aaaaaa") -> list:
    [experiment] = [found for found in client.search_experiments() if found.name == "harness"]
    return client.search_runs([experiment.experiment_id], f"tags.harness.run = '{name}'")


def parents_of(client: MlflowClient, kind: str = "search") -> list:
    [experiment] = [found for found in client.search_experiments() if found.name == "harness"]
    return client.search_runs([experiment.experiment_id], f"tags.harness.kind = '{kind}'")


def steps_of(client: MlflowClient, mlflow_id: str, metric: str = "val/auroc_macro") -> list[int]:
    return [point.step for point in client.get_metric_history(mlflow_id, metric)]


def live_course(tracker: Tracker, run: Run, train: Train, scores: tuple[float, ...]) -> None:
    tracker.on_start(run)
    for epoch, score in enumerate(scores, start=1):
        tracker.on_epoch(run, epoch_report(epoch, score))
    tracker.on_end(run, train(run, scores, with_predictions=True))
    assert tracker.flush()


def finish_again(results: Path, run: Run) -> None:
    """What the command of a finished search does when it is run again."""
    tracker = Tracker.open(results)
    tracker.group(run.group, "search")
    tracker.sync(run)
    tracker.end_group(run.group, COMPLETED, [])
