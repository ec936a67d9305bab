"""Which score of a trial counts, and what equal points and Optuna's distributions are."""

import math

import pytest

from harness.core.parameters import SearchSettings
from harness.core.space import SearchSpace
from harness.search.samplers import SAMPLERS, Seen, by_tpe, distribution, num_epochs_of, point_key

LR = {"kind": "log_float", "low": 1e-5, "high": 1e-1, "default": 1e-3}
BATCH = {"kind": "int", "low": 1, "high": 64, "default": 8}


def space_of(sampler, epochs=9, **search):
    return SearchSpace.model_validate(
        {
            "name": "toy", "title": "", "source": "",
            "base": {"train": {"epochs": epochs}, "schedule": {"name": "constant"}},
            "space": {"optim.lr": LR, "train.batch_size": BATCH},
            "search": {"sampler": sampler, "grace_epochs": 1} | search,
        }
    )  # fmt: skip


def test_the_score_at_a_rung():
    pruned = Seen({}, {1: 0.5, 4: 0.7})
    assert [pruned.score_at(epoch) for epoch in (1, 3, 4, 9)] == [0.5, 0.7, 0.7, None]
    stopped_early = Seen({}, {1: 0.5, 4: 0.7}, is_whole=True)
    assert stopped_early.score_at(9) == 0.7, "it has no better one to come"
    assert Seen({}, {}, is_whole=True).score_at(1) is None


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_scores_within_epochs_are_scores_too(sampler):
    """Trials ended within the only epoch tell where the good learning rates are."""
    search = {"grace_epochs": 0.25, "reports_per_epoch": 4, "reduction_factor": 2}
    space, seen = space_of(sampler, epochs=1, **search), []
    for number in range(24):
        lr = 10 ** (-5 + 4 * number / 23)
        scores = {0.25: 0.5 + 0.2 * goodness(lr)}
        scores |= {} if number % 3 else {0.5: 0.5 + 0.3 * goodness(lr)}
        seen.append(Seen({"optim.lr": lr, "train.batch_size": 8}, scores))
    seen.append(Seen({"optim.lr": 0.09, "train.batch_size": 8}, is_diverged=True))
    lrs = [SAMPLERS[sampler](space, seen, seed)["optim.lr"] for seed in range(12)]
    assert sum(goodness(lr) > 0.7 for lr in lrs) >= 8, lrs


def goodness(lr):
    """1 at 1e-3, falling to both sides."""
    return 1 - abs(math.log10(lr) + 3) / 4


def crossing(number):
    """Early scores are the contrary of late ones; one trial of two is stopped after an epoch."""
    lr = 10 ** (-5 + 4 * number / 39)
    scores = {1: 0.5 + 0.1 * (1 - goodness(lr))}
    if number % 2:
        scores |= {3: 0.6 + 0.1 * goodness(lr), 9: 0.6 + 0.2 * goodness(lr)}
    return Seen({"optim.lr": lr, "train.batch_size": 8}, scores, is_whole=bool(number % 2))


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_scores_after_few_epochs_do_not_mislead(sampler):
    """Told each trial's last score as final, a sampler would go where early scores are best."""
    space, seen = space_of(sampler), [crossing(number) for number in range(40)]
    lrs = [SAMPLERS[sampler](space, seen, seed)["optim.lr"] for seed in range(12)]
    assert sum(goodness(lr) > 0.7 for lr in lrs) >= 8, lrs


def test_tpe_looks_at_the_highest_rung_that_enough_have_come_to():
    """With 20 whole trials the others' scores are of no account; with 5 they are all there is."""
    space = space_of("tpe")
    seen = [crossing(number) for number in range(40)]
    changed = [
        each if each.is_whole else Seen(each.values, {1: 1 - each.scores[1]}) for each in seen
    ]
    assert by_tpe(space, seen, 1) == by_tpe(space, changed, 1)
    few, few_changed = seen[:10] + seen[10::2], changed[:10] + changed[10::2]
    assert by_tpe(space, few, 1) != by_tpe(space, few_changed, 1)


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_what_runs_is_not_asked_for_again(sampler):
    """Trials that run at the best place count as if they would end as expected."""
    space, seen = space_of(sampler), [crossing(number) for number in range(40)]
    running: list[Seen] = []
    for seed in range(6):
        values = SAMPLERS[sampler](space, [*seen, *running], seed)
        running.append(Seen(values, is_running=True))
    points = {point_key(each.values) for each in running}
    assert len(points) == 6
    alone = SAMPLERS[sampler](space, seen, 5)
    assert alone != running[5].values


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_where_trials_diverge_no_more_are_made(sampler):
    """Above 1e-3 all diverge, and what remains gets better up to there."""
    space, seen = space_of(sampler), []
    for number in range(30):
        lr = 10 ** (-5 + 4 * number / 29)
        scores = dict.fromkeys((1, 3, 9), 0.9 + 0.02 * math.log10(lr))
        seen.append(Seen({"optim.lr": lr, "train.batch_size": 8}, scores, is_whole=True))
        if lr > 1e-3:
            seen[-1] = Seen(seen[-1].values, is_diverged=True)
    lrs = [SAMPLERS[sampler](space, seen, seed)["optim.lr"] for seed in range(12)]
    assert sum(lr < 2e-3 for lr in lrs) >= 9, lrs


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("score", [0.5, 0.0])
def test_trials_that_are_all_alike_teach_nothing_and_break_nothing(sampler, score):
    space = space_of(sampler)
    seen = [Seen(crossing(number).values, {1: score}) for number in range(15)]
    assert space.active(SAMPLERS[sampler](space, seen, 0))


def test_of_a_space_of_few_points_the_process_names_a_new_one():
    lr = {"kind": "choice", "choices": [1e-4, 1e-3, 1e-2], "default": 1e-3}
    space = SearchSpace(
        name="toy", title="", source="", space={"optim.lr": lr},
        search=SearchSettings(sampler="gp", num_startup_trials=1),
    )  # fmt: skip
    seen = [Seen({"optim.lr": value}, {1: 0.5 + value}) for value in (1e-4, 1e-2)]
    named = [SAMPLERS["gp"](space, seen, seed) for seed in range(10)]
    assert sum(values == {"optim.lr": 1e-3} for values in named) >= 8  # the others are by chance


def test_the_longest_training_of_a_space():
    assert num_epochs_of(space_of("gp", epochs=7)) == 7
    epochs = {"kind": "int", "low": 5, "high": 30, "default": 9}
    tree = space_of("gp").model_dump() | {"space": {"optim.lr": LR, "train.epochs": epochs}}
    assert num_epochs_of(SearchSpace.model_validate(tree)) == 30


def test_distributions_include_their_bounds():
    space = space_of("tpe")
    lr = distribution(space.parameters["optim.lr"])
    assert (lr.low, lr.high, lr.log) == (1e-5, 1e-1, True)
    batch = distribution(space.parameters["train.batch_size"])
    assert (batch.low, batch.high, batch.log, batch.step) == (1, 64, False, 1)


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        ({"optim.lr": 1.234567e-4}, {"optim.lr": 1.2345671e-4}, True),
        ({"optim.lr": 1.23456e-4}, {"optim.lr": 1.23457e-4}, False),
        ({"optim.lr": 0.0}, {"optim.lr": -0.0}, True),
        ({"optim.lr": 0.0}, {"optim.lr": 1e-9}, False),
        ({"optim.weight_decay": 0}, {"optim.weight_decay": 0.0}, True),  # a choice written as 0
        ({"train.batch_size": 1000001}, {"train.batch_size": 1000002}, False),
        ({"augment.crop": True}, {"augment.crop": 1}, False),
        ({"loss.name": "bce"}, {"loss.name": "bce", "optim.lr": 1.0}, False),
        ({"loss.name": "bce", "optim.lr": 1.0}, {"optim.lr": 1.0, "loss.name": "bce"}, True),
    ],
)
def test_points_are_equal_to_six_digits(one, other, is_equal):
    assert (point_key(one) == point_key(other)) is is_equal
