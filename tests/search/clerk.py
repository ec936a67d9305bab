"""A `Clerk` makes trials as a worker would: it writes run directories, epoch by epoch, with scores
that follow from the recipe. No Ray, no training.
"""

from harness.core.records import EarlyReport, EpochReport, FailureReason, Outcome, Status
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.search.plan import SearchPlan
from harness.search.trial_source import scores_of

NUM_TRIALS, NUM_EPOCHS = 14, 9


class CutError(Exception):
    """The driver is killed."""


def plan_of(tmp_path, *, num_trials=NUM_TRIALS, name="toy", **changes):
    space = SearchSpace.load("dannynet-mini").with_base({"train.epochs": NUM_EPOCHS})
    return SearchPlan(
        name=name,
        space=space.with_search({"num_startup_trials": 4}),
        store=tmp_path,
        store_fingerprint="f" * 64,
        num_trials=num_trials,
        seed=3,
    ).model_copy(update=changes)


def score_of(recipe, epoch):
    """Between 0.5 and 1, rising, and decided by the recipe."""
    height = derive_seed(0, recipe.run_id) % 1000 / 2000
    return 0.5 + height * (1 - 0.7**epoch)


class Clerk:
    """Makes the runs of a source one after the other; dies after `cut` steps."""

    def __init__(self, source, cut=None):
        self.source, self.left = source, cut

    def step(self):
        if self.left is not None:
            if self.left == 0:
                raise CutError
            self.left -= 1

    def work(self):
        while run := self.source.next_run():
            self.step()
            run.directory.path.mkdir(parents=True, exist_ok=True)
            run.directory.write_recipe(run.recipe)
            self.step()
            self.source.on_start(run)
            self.step()
            self.source.on_end(run, self.make(run))

    def make(self, run):
        run.directory.set_status(Status(outcome=Outcome.RUNNING))
        if derive_seed(1, run.name) % 5 == 0:
            return self.end(run, Status(outcome=Outcome.FAILED, reason=FailureReason.DIVERGED))
        while (epoch := len(run.directory.epochs) + 1) <= run.recipe.train.epochs:
            for part in range(1, run.reports_per_epoch):
                now = epoch - 1 + part / run.reports_per_epoch
                early = EarlyReport(epoch=now, score=score_of(run.recipe, now))
                run.directory.add_early(early)
                self.step()
                if not self.source.goes_on(run, early):
                    return self.end(run, Status(outcome=Outcome.PRUNED))
                self.step()
            report = EpochReport(epoch=epoch, metrics={SCORE: score_of(run.recipe, epoch)})
            run.directory.append_epoch(report)
            self.step()
            if not self.source.goes_on(run, report):
                return self.end(run, Status(outcome=Outcome.PRUNED))
            self.step()
        return self.end(run, Status(outcome=Outcome.COMPLETED))

    def end(self, run, status):
        run.directory.set_status(status)
        self.step()
        return status


def picture(search_dir):
    """Name, outcome and curve of every trial."""
    return {
        path.name: (str(run.status), list(scores_of(run).items()))
        for path in sorted(search_dir.glob("t*"))
        for run in [RunDirectory(path)]
    }
