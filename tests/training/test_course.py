"""Where an epoch has its parts: `tests/test_trial.py` has whole runs."""

import pytest

from harness.training.course import parts_of_an_epoch


@pytest.mark.parametrize(
    ("num_steps", "num_parts", "ends"),
    [
        (8, 1, {}),
        (8, 4, {2: 1, 4: 2, 6: 3}),
        (10, 4, {3: 1, 5: 2, 8: 3}),  # a part is over once all of it is trained
        (2, 4, {1: 2}),  # the parts 1 and 2 end at once, the part 3 with the epoch
        (1, 3, {}),
    ],
)
def test_steps_after_which_parts_of_an_epoch_are_trained(num_steps, num_parts, ends) -> None:
    assert parts_of_an_epoch(num_steps, num_parts) == ends
