"""Every way to search comes through a race, and what Ray's pair is told is what Ray tells it."""

from optuna.trial import TrialState

from harness.speed.contenders import ASHA, WAYS, Stock
from harness.speed.lcbench import DEVELOPMENT_TASKS
from harness.speed.race import race


def test_rays_pair_tells_a_stopped_trial_complete_with_its_last_score(bench):
    """Which misleads its sampler: a score after one epoch stands beside those after 52."""
    contender = Stock(bench.space(ASHA), 0, has_optuna=True)
    for number, score in enumerate((0.9, 0.1)):
        contender.ask(number)
        goes_on = contender.goes_on(number, 1, score)
        assert goes_on is (score == 0.9)
    contender.end(1, is_whole=False)
    running, stopped = contender.searcher._ot_study.trials
    assert running.state is TrialState.RUNNING
    assert (stopped.state, stopped.value) == (TrialState.COMPLETE, 0.1)


def test_every_way_races(bench):
    task = DEVELOPMENT_TASKS[0]
    curve_of = bench.curves
    for name, way in WAYS.items():
        if name == "gp-whole":
            continue  # seconds
        space = bench.space(way.settings)
        contender = way.make(space, 0, [space.default_values()])
        finish = race(contender, lambda values: curve_of(task, [values])[0], target=70.0)
        assert finish.num_epochs is not None, name
