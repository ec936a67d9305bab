"""`Tracked`: a job as MLflow shows it, from its first run until it has ended."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.core.records import Outcome, Status, now
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.tracking import Tracker


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """A job as MLflow shows it.

    Attributes:
        ended: Runs of the job that an earlier call has made.
        directories: All of its runs, the last of which to end ends the job.
        outcome: How the job has ended, where nothing interrupted it.
        rows: What MLflow shows of its runs.
        finish: Makes the last files of a job that was not interrupted.
        tags: How the job is made.
    """

    name: str
    kind: Literal["search", "benchmark"]
    ended: Sequence[Run]
    directories: Callable[[], Sequence[RunDirectory]]
    outcome: Callable[[], Outcome]
    rows: Callable[[], list[dict[str, Any]]]
    finish: Callable[[], None]
    tags: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def tracked(tracker: Tracker, job: Tracked) -> Iterator[None]:
    """The MLflow run of a job, closed with the truth about how and when the job ended."""
    tracker.group(job.name, job.kind, tags=job.tags)
    for run in job.ended:
        tracker.sync(run)
    outcome, rows = Outcome.FAILED, []
    try:
        yield
        outcome, rows = job.outcome(), job.rows()
        job.finish()
    except KeyboardInterrupt:
        outcome, rows = Outcome.PREEMPTED, job.rows()
        raise
    finally:
        last = max((directory.status.at for directory in job.directories()), default=now())
        tracker.end_group(job.name, Status(outcome=outcome, at=last), rows)
