from harness.benchmark.contestants import contestants
from harness.benchmark.plan import BenchmarkPlan
from tests.benchmark.conftest import STORE, Lab


def test_every_contestant_gets_the_same_fresh_seeds(lab: Lab, plan: BenchmarkPlan) -> None:
    runs = lab.plan_runs(plan)
    seeds = [
        [run.recipe.seed for run in runs if row.made(run)] for row in contestants(plan, lab.results)
    ]
    assert len(seeds) == 3
    assert seeds[0] == seeds[1] == seeds[2]
    assert len(set(seeds[0])) == 2
    assert not {0, 77} & set(seeds[0])


def test_seeds_do_not_depend_on_the_benchmark(lab: Lab, plan: BenchmarkPlan) -> None:
    other = plan.model_copy(update={"name": "other", "seeds": 3})
    mine = [run.recipe for run in lab.plan_runs(plan)]
    assert mine == [run.recipe for run in lab.plan_runs(other)][: len(mine)]


def test_a_run_is_bound_to_the_store_and_named(lab: Lab, plan: BenchmarkPlan) -> None:
    run = lab.plan_runs(plan)[0]
    assert run.recipe.data.store == STORE
    assert (run.group, run.kind) == ("duel", "final")
    assert run.name == f"alpha-tuned-s0-{run.recipe.run_id[:6]}"
    assert run.directory.path == (lab.results / "duel/runs" / run.name).resolve()


def test_no_two_runs_share_a_folder_and_all_is_the_same_again(
    lab: Lab, plan: BenchmarkPlan
) -> None:
    runs = lab.plan_runs(plan)
    assert len({run.directory.path for run in runs}) == len(runs) == 6
    assert [run.name for run in lab.plan_runs(plan)] == [run.name for run in runs]


def test_default_runs_are_kept_when_the_search_finds_something_better(lab: Lab) -> None:
    plan = BenchmarkPlan(name="p", searches=("beta",), seeds=1)
    before = {run.name for run in lab.plan_runs(plan)}
    lab.add_search("beta", [(5e-5, 0.75), (1e-3, 0.60), (2e-4, 0.9)])
    after = {run.name for run in lab.plan_runs(plan)}
    assert before < after
    assert len(after) == 2
