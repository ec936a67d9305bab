"""What a search will cost: counted by hand, and measured against a real epoch."""

import pytest

from harness.core.errors import HarnessError
from harness.core.machine import Machine
from harness.core.parameters import SearchSettings
from harness.execution.pace import Pace
from harness.execution.ray_session import Resources, start_ray
from harness.search.estimate import Estimate, estimate, show_seconds

PACE = Pace(
    device="H200",
    num_train=1000,
    num_val=100,
    start_s=20,
    train_image_s=0.09,
    val_image_s=0.05,
    save_s=5,
    checkpoint_bytes=300,
    weights_bytes=100,
    predictions_bytes=7,
    gpu_bytes=0,
)


def estimate_of(**changes):
    told = {
        "pace": PACE,
        "num_epochs": 27,
        "num_trials": 27,
        "resources": Resources(cpus=8, gpus=0.5),
        "num_slots": 4,
        "num_kept": 5,
        "settings": SearchSettings(grace_epochs=1, reduction_factor=3),
    }
    return Estimate(**told | changes)


def test_hours_are_counted_to_the_last_epoch():
    found = estimate_of()
    assert found.pace.epoch_s == pytest.approx(95)
    assert found.trial_s == pytest.approx(20 + 27 * 100)
    assert found.device_hours == pytest.approx(27 * 2720 * 0.5 / 3600)
    assert found.wall_s == pytest.approx(7 * 2720), "27 trials, 4 at once, are 7 rounds"
    on_cpu = estimate_of(resources=Resources(cpus=8, gpus=0))
    assert on_cpu.device_hours == pytest.approx(27 * 2720 * 8 / 3600)


def test_the_largest_saving_is_that_of_successive_halving():
    """27 trials for 1 epoch, 9 for 2 more, 3 for 6 more, 1 for the last 18."""
    spent = 27 * 1 + 9 * 2 + 3 * 6 + 1 * 18
    assert estimate_of().largest_saving == pytest.approx(1 - spent / 27**2)
    assert estimate_of(num_trials=1).largest_saving == 0
    assert estimate_of(settings=SearchSettings(scheduler="none")).largest_saving == 0
    assert estimate_of(settings=SearchSettings(grace_epochs=27)).largest_saving == 0


def test_reports_within_epochs_are_counted():
    settings = SearchSettings(grace_epochs=0.25, reports_per_epoch=4, reduction_factor=3)
    found = estimate_of(settings=settings, num_epochs=2)
    assert found.early_s == pytest.approx(3 * 100 * 0.05)
    assert found.trial_s == pytest.approx(20 + 2 * (95 + 15 + 5))
    assert dict(found.rows())["one epoch"] == "1 min 35 s and 5 s to save, 15 s for early reports"
    spent = 27 * 0.25 + 9 * 0.5 + 3 * (2 - 0.75)
    assert found.largest_saving == pytest.approx(1 - spent / (27 * 2))


def test_disk_holds_what_runs_what_is_kept_and_all_predictions():
    found = estimate_of()
    assert found.running_bytes == 300 + 300 + 100 + 7, "a checkpoint beside the next"
    assert found.num_bytes == 4 * 707 + 5 * 100 + 27 * 7
    assert estimate_of(num_trials=2).num_bytes == 2 * 707 + 2 * 100 + 2 * 7


def test_what_is_shown():
    rows = dict(estimate_of().rows())
    assert rows["one trial"] == "45 min 20 s for all of 27 epochs"
    assert (
        rows["all trials"] == "27 trials, 10.2 GPU-hours at most; pruning saves at most 89% of it"
    )
    assert rows["wall clock"] == "5.3 h at most, with 4 at once"
    rows = dict(estimate_of(resources=Resources(cpus=1, gpus=0)).rows())
    assert "20.4 core-hours at most" in rows["all trials"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.413, "0.41 s"),
        (59.4, "59 s"),
        (200, "3 min 20 s"),
        (27000, "7.5 h"),
        (864000, "10.0 days"),
    ],
)
def test_seconds_for_people(seconds, shown):
    assert show_seconds(seconds) == shown


def estimate_with(recipe, store):
    return estimate(
        recipe,
        Machine(store=store.path, device="cpu"),
        settings=SearchSettings(),
        resources=Resources(cpus=1, gpus=0),
        num_trials=10,
        num_slots=2,
        num_kept=5,
    )


def test_the_node_that_will_train_is_measured(toy_recipe, toy_store):
    start_ray(None)
    found = estimate_with(toy_recipe, toy_store)
    assert found.num_epochs == 25
    assert found.trial_s > 25 * found.pace.epoch_s > 0
    with pytest.raises(HarnessError, match="the recipe belongs to the store 000000000000"):
        estimate_with(toy_recipe.with_values({"data.store": "0" * 64}), toy_store)
