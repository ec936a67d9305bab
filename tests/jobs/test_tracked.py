"""A job's run in MLflow is closed with the truth, however the job ends."""

from contextlib import nullcontext

import pytest

from harness.core.records import Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.jobs.tracked import Tracked, tracked

ENDED_AT = "2026-01-02T03:04:05.678+00:00"


class Heard:
    """In place of a tracker."""

    def __init__(self):
        self.said = []

    def group(self, name, kind, *, tags):
        self.said.append(("group", name, kind, dict(tags)))

    def sync(self, run):
        self.said.append(("sync", run))

    def end_group(self, name, status, rows):
        self.said.append(("end", name, status.outcome, status.at, rows))


@pytest.fixture
def job(tmp_path) -> Tracked:
    """Whose last run has ended at `ENDED_AT`."""
    run = RunDirectory(tmp_path / "t0000-a")
    run.path.mkdir()
    run.set_status(Status(outcome=Outcome.COMPLETED, at=ENDED_AT))
    return Tracked(
        name="toy",
        kind="search",
        ended=["an old run"],
        directories=lambda: [run],
        outcome=lambda: Outcome.COMPLETED,
        rows=lambda: [{"trial": "t0000-a"}],
        finish=lambda: None,
        tags={"harness.sampler": "gp"},
    )


def end_of(job, fault=None):
    heard = Heard()
    with nullcontext() if fault is None else pytest.raises(type(fault)), tracked(heard, job):
        if fault is not None:
            raise fault
    assert heard.said[:2] == [
        ("group", "toy", "search", {"harness.sampler": "gp"}),
        ("sync", "an old run"),
    ]
    return heard.said[2:]


@pytest.mark.parametrize(
    ("fault", "outcome", "rows"),
    [
        (None, Outcome.COMPLETED, [{"trial": "t0000-a"}]),
        (KeyboardInterrupt(), Outcome.PREEMPTED, [{"trial": "t0000-a"}]),
        (RuntimeError(), Outcome.FAILED, []),
    ],
)
def test_a_job_ends_when_its_last_run_did_and_as_it_did_itself(job, fault, outcome, rows):
    assert end_of(job, fault) == [("end", "toy", outcome, ENDED_AT, rows)]


def test_the_last_files_are_made_before_the_end_unless_it_was_interrupted(job):
    made = []
    job = Tracked(**vars(job) | {"finish": lambda: made.append("figures")})
    end_of(job, KeyboardInterrupt())
    assert made == []
    end_of(job)
    assert made == ["figures"]
